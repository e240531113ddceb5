package identity

import (
	"time"

	"ios/chain"
	"ios/drp"
)

// SeedID is the outcome by which a seed block shows what it fixes: the epoch and
// view, the record before, the frozen set of the epoch, and the choice.
func SeedID(chainID chain.Hash, epoch, view uint64, previous, frozen, choice chain.Hash) chain.Hash {
	return tagged(tagSeed, chainID[:], number(epoch), number(view), previous[:], frozen[:], choice[:])
}

// SignOff is what the beacon's servers open their shares for: the proof that a
// seed is final.
type SignOff struct {
	Frozen chain.Hash // the next frozen set's
	Proof  chain.OutcomeProof
}

// AppendTo appends the canonical encoding.
func (s *SignOff) AppendTo(dst []byte) []byte { return s.Proof.AppendTo(append(dst, s.Frozen[:]...)) }

// DecodeSignOff decodes a sign-off. Nothing is known to be right about it.
func DecodeSignOff(raw []byte) (*SignOff, error) {
	r := chain.NewReader(raw)
	s := &SignOff{Frozen: r.Hash()}
	rest := r.Rest()
	if err := r.Close(); err != nil {
		return nil, err
	}
	proof, err := chain.DecodeOutcomeProof(rest)
	if err != nil {
		return nil, err
	}
	s.Proof = *proof
	return s, nil
}

// Beacon configures the run of package drp that makes the random value of the
// epoch after the current: its servers are the current members, and the sign-off
// is the certificate of the seed block.
func (b *Book) Beacon() *drp.Config { return b.current().beacon(b.params, &b.genesis.Policy) }

func (e *era) beacon(params *chain.Params, p *chain.Policy) *drp.Config {
	n := len(e.rec.Members)
	cfg := &drp.Config{
		ChainID: e.rec.Chain, Epoch: e.rec.Number + 1, Previous: e.rec.Random,
		GroupSize: p.GroupSize, Delta: max(p.Delta, time.Millisecond),
	}
	if cfg.GroupSize == 0 || cfg.GroupSize > n {
		cfg.GroupSize = n
	}
	for i := range e.rec.Members {
		m := &e.rec.Members[i]
		cfg.Servers = append(cfg.Servers, drp.Server{ID: m.ID, Key: m.PVSS, Signing: m.Signing})
	}
	cfg.VerifySignOff = func(view uint64, choice chain.Hash, raw []byte) error {
		return e.verifySignOff(params, view, choice, raw)
	}
	return cfg
}

func (e *era) verifySignOff(params *chain.Params, view uint64, choice chain.Hash, raw []byte) error {
	s, err := DecodeSignOff(raw)
	if err != nil {
		return err
	}
	p := &s.Proof
	id := SeedID(e.rec.Chain, e.rec.Number+1, view, e.hash, s.Frozen, choice)
	if p.Entry.ID != id || p.Entry.Outcome != chain.Committed || p.Dest != chain.IdentityShard {
		return chain.Rule(chain.ErrProof, "the sign-off is of another seed than that of view %d for epoch %d with choice %s", view, e.rec.Number+1, choice.Short())
	}
	if p.Header.Term() != e.rec.Term() {
		return chain.Rule(chain.ErrProof, "a sign-off of term %v, the seed for epoch %d is of term %v", p.Header.Term(), e.rec.Number+1, e.rec.Term())
	}
	return p.Verify(params, chain.IdentityShard, e.own.Cosi)
}

// transcript puts a beacon's transcript together of the choice and what an Output
// has of it.
func transcript(choice, rest []byte) []byte {
	return append(chain.AppendBlob(make([]byte, 0, 4+len(choice)+len(rest)), choice), rest...)
}

// NewOutput makes the op that ends the epoch of a result of package drp.
func NewOutput(epoch uint64, random chain.Hash, choice, transcript []byte) *Output {
	return &Output{Epoch: epoch, Random: random, Rest: transcript[min(4+len(choice), len(transcript)):]}
}

// HashTranscript is how a record names the beacon's transcript.
func HashTranscript(raw []byte) chain.Hash { return tagged(tagTranscript, raw) }

// VoidRandom is the random value of an epoch that is void, after that of the epoch
// before.
func VoidRandom(chainID chain.Hash, epoch uint64, before chain.Hash) chain.Hash {
	return tagged(tagVoid, chainID[:], number(epoch), before[:])
}

// Transcript is that of package drp, of what the op has of it and the choice.
func (o *Output) Transcript(choice []byte) []byte { return transcript(choice, o.Rest) }
