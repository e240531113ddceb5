package identity

import (
	"slices"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/transepoch"
)

// Book knows who makes the blocks of every chain: it begins with the genesis and
// goes from epoch to epoch by records that the epoch before has certified. It
// implements [chain.Committees]. It is not shared between goroutines; a Clone
// costs little.
type Book struct {
	genesis *chain.Genesis
	params  *chain.Params
	scheme  cosi.Scheme
	eras    []*era   // ascending; the last is current
	windows []window // of each shard
	history uint64   // epochs that are kept besides
	cache   []*chain.Committee
}

// window is the two epochs whose plans a shard may be following: the last that it
// could enter, and the one before, in which it is until it does. Unless the shard
// was stalled these are the current epoch and the one before.
type window struct{ now, before uint64 }

// NewBook begins with a genesis that [CheckGenesis] has passed.
func NewBook(g *chain.Genesis, scheme cosi.Scheme) (*Book, error) {
	b := &Book{genesis: g, params: g.Params(), scheme: scheme, windows: make([]window, g.Shards)}
	first, err := newEra(FirstEpoch(g), nil, scheme)
	if err != nil {
		return nil, err
	}
	b.eras = []*era{first}
	for j := range b.windows {
		b.windows[j] = window{now: 1}
	}
	return b, nil
}

// KeepHistory has records kept for so many epochs more than convince, for
// [Book.Past].
func (b *Book) KeepHistory(epochs int) { b.history = uint64(max(epochs, 0)) }

// Clone is a book of its own with the same content.
func (b *Book) Clone() *Book {
	c := *b
	c.eras, c.windows, c.cache = slices.Clone(b.eras), slices.Clone(b.windows), slices.Clone(b.cache)
	return &c
}

// Add takes the record of the next epoch. The proof shows that the current
// members made it an outcome of a final block; that is one certificate.
func (b *Book) Add(record []byte, proof *chain.OutcomeProof) error {
	rec, err := DecodeEpoch(record)
	if err != nil {
		return err
	}
	if err := b.follows(rec); err != nil {
		return err
	}
	cur := b.current()
	switch hash := rec.Hash(); {
	case proof.Entry.ID != hash || proof.Entry.Outcome != chain.Committed || proof.Dest != chain.IdentityShard:
		return chain.Rule(chain.ErrProof, "the proof is of another outcome than the record %s of epoch %d", hash.Short(), rec.Number)
	case proof.Header.Term() != cur.rec.Term():
		return chain.Rule(chain.ErrProof, "the record of epoch %d by a block of term %v, term %v is wanted", rec.Number, proof.Header.Term(), cur.rec.Term())
	}
	if err := proof.Verify(b.params, chain.IdentityShard, cur.own.Cosi); err != nil {
		return err
	}
	return b.advance(rec)
}

// follows checks that a record continues the current one.
func (b *Book) follows(rec *Epoch) error {
	fail := func(format string, args ...any) error { return chain.Rule(ErrEpoch, format, args...) }
	cur := b.current()
	switch {
	case rec.Chain != b.params.ChainID:
		return chain.Rule(chain.ErrWrongChain, "a record of chain %s, this is %s", rec.Chain.Short(), b.params.ChainID.Short())
	case rec.Number != cur.rec.Number+1:
		return fail("epoch %d after epoch %d: epochs come one after the other", rec.Number, cur.rec.Number)
	case rec.Previous != cur.hash:
		return fail("epoch %d continues record %s, that of epoch %d is %s", rec.Number, rec.Previous.Short(), cur.rec.Number, cur.hash.Short())
	case !rec.Old.Equal(cur.plan.New):
		return fail("epoch %d does not begin with the seats that epoch %d ends with", rec.Number, cur.rec.Number)
	}
	for j := range rec.Shards {
		if rec.Stalled.Has(chain.ShardID(j)) && rec.Shards[j].Plan != cur.rec.Shards[j].Plan {
			return fail("shard %d is stalled in epoch %d and has another plan than before", j, rec.Number)
		}
	}
	if sum, _ := rec.Funds.Sum(); sum-rec.Funds.Between != b.genesis.Staked() || sum > b.genesis.Supply() {
		return fail("the funds of epoch %d are %d, of which %d came from shards; the genesis had %d at stake, out of %d", rec.Number, sum, int64(rec.Funds.Between), b.genesis.Staked(), b.genesis.Supply())
	}
	return nil
}

// advance goes to the next epoch.
func (b *Book) advance(rec *Epoch) error {
	next, err := newEra(rec, b.current(), b.scheme)
	if err != nil {
		return err
	}
	b.eras = append(b.eras, next)
	for j := range b.windows {
		if w := &b.windows[j]; rec.Shards[j].Plan != w.now {
			w.before, w.now = w.now, rec.Shards[j].Plan
		}
	}
	b.eras = slices.DeleteFunc(b.eras, func(e *era) bool { return !b.wanted(e.rec.Number) })
	b.cache = slices.DeleteFunc(b.cache, func(c *chain.Committee) bool { return b.era(c.Term.Epoch) == nil })
	return nil
}

func (b *Book) wanted(epoch uint64) bool {
	if epoch+1+b.history >= b.current().rec.Number {
		return true
	}
	return slices.ContainsFunc(b.windows, func(w window) bool { return w.now == epoch || w.before == epoch })
}

func (b *Book) current() *era { return b.eras[len(b.eras)-1] }

func (b *Book) era(epoch uint64) *era {
	i, ok := slices.BinarySearchFunc(b.eras, epoch, func(e *era, epoch uint64) int {
		switch {
		case e.rec.Number < epoch:
			return -1
		case e.rec.Number > epoch:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return b.eras[i]
}

// Current is the record of the current epoch.
func (b *Book) Current() *Epoch { return b.current().rec }

// Record is the record of an epoch that is still kept.
func (b *Book) Record(epoch uint64) (*Epoch, error) {
	e, err := b.known(epoch)
	if err != nil {
		return nil, err
	}
	return e.rec, nil
}

// Plan is how the shards change in an epoch that is still kept.
func (b *Book) Plan(epoch uint64) (*transepoch.Plan, error) {
	e, err := b.known(epoch)
	if err != nil {
		return nil, err
	}
	return e.plan, nil
}

// ShardPlan is the plan that a shard follows, or may enter.
func (b *Book) ShardPlan(shard chain.ShardID) (*transepoch.Plan, error) {
	if int(shard) >= len(b.windows) {
		return nil, chain.Rule(chain.ErrProof, "there are %d shards, not %d", len(b.windows), shard)
	}
	return b.Plan(b.windows[shard].now)
}

// Validators are the members of the current epoch.
func (b *Book) Validators() []Member { return b.current().rec.Members }

// Signing is a validator's key for messages in the current epoch.
func (b *Book) Signing(id chain.ValidatorID) (sig.PublicKey, bool) { return b.current().signing(id) }

func (b *Book) known(epoch uint64) (*era, error) {
	switch e := b.era(epoch); {
	case e != nil:
		return e, nil
	case epoch == 0:
		return nil, chain.Rule(chain.ErrProof, "there is no epoch 0")
	case epoch > b.current().rec.Number:
		return nil, chain.Rule(chain.ErrNotReady, "epoch %d: the last one known is %d", epoch, b.current().rec.Number)
	}
	return nil, chain.Rule(chain.ErrExpired, "epoch %d is too long ago: this is epoch %d", epoch, b.current().rec.Number)
}

// maxCache bounds the committees that a book remembers.
const maxCache = 256

// Committee implements [chain.Committees]: the committee of a term that still
// convinces.
func (b *Book) Committee(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	cur := b.current().rec.Number
	switch {
	case shard == chain.IdentityShard:
		if term.Epoch+1 < cur && term.Epoch > 0 {
			return nil, chain.Rule(chain.ErrExpired, "term %v of the identity chain: this is epoch %d", term, cur)
		}
	case int(shard) >= len(b.windows):
		return nil, chain.Rule(chain.ErrProof, "there are %d shards, not %d", len(b.windows), shard)
	default:
		w := b.windows[shard]
		if term.Epoch < cur && term.Epoch > 0 && term.Epoch != w.now && term.Epoch != w.before {
			return nil, chain.Rule(chain.ErrExpired, "term %v of shard %d: it is in epoch %d or in %d, which was before", term, shard, w.now, w.before)
		}
	}
	return b.Past(shard, term)
}

// Past is the committee of a term whose record is still kept, however long ago
// it was. What it has signed convinces only by a path to a block that a record
// names: by now the adversary may have its keys.
func (b *Book) Past(shard chain.ShardID, term chain.Term) (*chain.Committee, error) {
	e, err := b.known(term.Epoch)
	switch {
	case err != nil:
		return nil, err
	case shard == chain.IdentityShard && term.Batch == 0:
		return e.own, nil
	case shard == chain.IdentityShard:
		return nil, chain.Rule(chain.ErrProof, "term %v of the identity chain: its members do not change within an epoch", term)
	case e.rec.Stalled.Has(shard):
		return nil, chain.Rule(chain.ErrProof, "term %v of shard %d: it is stalled in that epoch", term, shard)
	}
	for _, c := range b.cache {
		if c.Shard == shard && c.Term == term {
			return c, nil
		}
	}
	if int(shard) >= len(b.windows) || term.Batch > e.plan.Last(shard) {
		return nil, chain.Rule(chain.ErrProof, "term %v of shard %d: there is none", term, shard)
	}
	c, err := e.committee(shard, term.Batch)
	if err != nil {
		return nil, err
	}
	if len(b.cache) >= maxCache {
		b.cache = slices.Delete(b.cache, 0, 1)
	}
	b.cache = append(b.cache, c)
	return c, nil
}
