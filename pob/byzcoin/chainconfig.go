package byzcoin

import (
	"fmt"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/internal/sm"
)

// ChainConfig is what a Chain is made from.
type ChainConfig struct {
	ChainID chain.Hash
	Shard   chain.ShardID
	Self    chain.ValidatorID

	// Committees knows who acts in which term: at least in those of the blocks
	// that are restored, and of the next. It also knows those that do not convince
	// any more, so that what is on the trail of an anchor can be checked.
	Committees chain.Committees
	// Anchors knows which of them convince, and the blocks that are known besides.
	// Nil: all convince for ever.
	Anchors Anchors

	// Voice finds what we speak with in a term in which our seat has a signing key;
	// see [Voice.Only]. Without it, since a rotated key is not here, we follow that
	// term without a voice. It may find more later, and never other keys.
	Voice func(signing sig.PublicKey) (Voice, bool)

	Policy Policy
	App    Application
	// Start is where the chain begins here: the genesis, or a state that App was
	// given. App.Next is then the term of the first block above it.
	Start Point
	// Sources are validators that should have the newest blocks, see
	// [SourcesChanged].
	Sources []chain.ValidatorID
}

// Voice is what a member speaks with.
type Voice struct {
	// Key signs bodies, proposals and view changes.
	Key *sig.Key
	// Cosign makes our share of a collective signature.
	Cosign func(msg []byte) (cosi.Signature, error)
	// Vote is the key that Cosign signs with.
	Vote cosi.PublicKey
}

// Only is the ChainConfig.Voice of who has one voice.
func (v Voice) Only(signing sig.PublicKey) (Voice, bool) { return v, v.Key.Public() == signing }

// CommitteesChanged says that Committees knows more than before.
type CommitteesChanged struct{}

// SourcesChanged names validators that should have the newest blocks: the newest
// committee that the owner knows of. A validator that was away for long, or
// never had a seat, asks them how far the chain is.
type SourcesChanged struct{ Sources []chain.ValidatorID }

// Succeeded is delivered in the step in which the last block of a term became
// final, and after each restart until the owner says [Settled].
type Succeeded struct {
	From, To chain.Term
	Height   uint64 // of the last block of From
	// Unfinished are the bodies that we acked or authored in From and that are not
	// final, in the order of their authors' seats, and of their numbers. They never
	// will be: what a client was told about them is kept by putting their contents
	// up again.
	Unfinished []*chain.Body
}

// Settled says that the contents of what was unfinished at the end of a term
// need not be kept any more: they are final, or in bodies of our own.
type Settled struct{ From chain.Term }

// Dropped is delivered when unfinished bodies are not kept any more though the owner
// has not settled them: there are too many. What clients were told about them may
// not come true, unless another member puts them up.
type Dropped struct {
	From   chain.Term
	Bodies int
	Bytes  int
	All    bool // nothing of the term is kept; else the owner was not told of these bodies
}

// Of unfinished bodies that the owner does not settle, those of so many terms and
// about so many bytes are kept at most.
const (
	maxPending      = 4
	maxPendingBytes = 256 << 20
)

// timerChain is the timer of a Chain; the others are its machine's.
const timerChain uint8 = 0x20

// machineConfig configures the machine of a term. Whose keys in the term are not
// here, because they have rotated, has no voice in it.
func (c *ChainConfig) machineConfig(b *chain.Committee, start Point, lead int) Config {
	seat, voice := b.Seat(c.Self), Voice{}
	if seat >= 0 && seat < len(b.Signing) {
		found := false
		if c.Voice != nil {
			voice, found = c.Voice(b.Signing[seat])
		}
		if !found || voice.Vote != b.Cosi.Key(seat) {
			seat = -1
		}
	}
	return Config{
		ChainID: c.ChainID, Shard: c.Shard, Epoch: b.Term.Epoch, Batch: b.Term.Batch,
		Members: b.Members, Keys: b.Signing, Committee: b.Cosi, Seat: seat, Lead: lead,
		Key: voice.Key, Cosign: voice.Cosign, Policy: c.Policy, App: c.App, Start: start,
	}
}

// skipSelf keeps a machine from fetching from ourselves, if we have a seat there by
// another key than ours.
func (c *Chain) skipSelf(m *Machine) {
	if seat, ok := m.seats[c.cfg.Self]; ok && m.me < 0 {
		m.peers[seat].avoid = time.Unix(1<<40, 0)
	}
}

// committee asks for the committee of a term.
func (c *ChainConfig) committee(term chain.Term) (*chain.Committee, error) {
	b, err := c.Committees.Committee(c.Shard, term)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the committee of shard %d in term %v: %w", c.Shard, term, err)
	case b.Shard != c.Shard || b.Term != term:
		return nil, fmt.Errorf("asked for the committee of shard %d in term %v: got that of shard %d in term %v", c.Shard, term, b.Shard, b.Term)
	}
	return b, nil
}

// follows reports whether one term can be the next after another. A chain that was
// stalled goes on with a later epoch than the next.
func follows(next, term chain.Term) bool {
	return next == chain.Term{Epoch: term.Epoch, Batch: term.Batch + 1} || next.Epoch > term.Epoch && next.Batch == 0
}

// idle is how often a chain looks around that has no reason to.
func (c *Chain) idle() time.Duration { return 5 * c.cfg.Policy.StatusInterval }

var _ sm.Machine = (*Chain)(nil)
