package beacon

import (
	"errors"
	"fmt"
	"io"

	"ios/chain"
	"ios/chain/cosi"
	"ios/drp"
	"ios/transepoch/identity"
)

// Value is a random value that was verified, and how it came about.
type Value struct {
	Chain  chain.Hash `json:"chain_id"`
	Epoch  uint64     `json:"epoch"`
	Course string     `json:"course"` // of package transepoch/identity
	Random chain.Hash `json:"random"`

	Servers int           `json:"servers"` // validators that made it, or should have
	View    uint64        `json:"view"`    // of the lottery, in which the choice was made
	Choice  chain.Hash    `json:"choice"`
	Height  uint64        `json:"height"`            // of the block that signed the choice off
	Dealt   []Participant `json:"dealt,omitempty"`   // whose dealings were chosen, by group
	Invalid []Participant `json:"invalid,omitempty"` // those of them whose dealings were wrong
	Silent  []Participant `json:"silent,omitempty"`  // who made the epoch void
	Bytes   int           `json:"transcript_bytes"`
}

// Participant is a validator in a run of the beacon.
type Participant struct {
	ID    chain.ValidatorID `json:"id"`
	Name  string            `json:"name"`
	Group int               `json:"group"` // -1 if it is not known
}

// Verify checks a file against a genesis that identity.CheckGenesis has passed.
// The error names what is wrong, and the epoch.
func Verify(r io.Reader, g *chain.Genesis, scheme cosi.Scheme) (*Value, error) {
	f, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	if id := g.ID(); f.Chain != id {
		return nil, chain.Rule(chain.ErrWrongChain, "the file is of chain %s, the genesis is that of %s", f.Chain.Short(), id.Short())
	}
	book, before, err := walk(f, g, scheme)
	if err != nil {
		return nil, err
	}
	raw, err := f.Transcript()
	if err != nil {
		return nil, err
	}
	return Judge(before, book.Current(), raw)
}

// walk goes to the file's epoch. It also returns the book of the epoch before,
// nil for the first.
func walk(f *Reader, g *chain.Genesis, scheme cosi.Scheme) (book, before *identity.Book, err error) {
	if book, err = identity.NewBook(g, scheme); err != nil {
		return nil, nil, err
	}
	for {
		l, err := f.Next()
		if errors.Is(err, io.EOF) {
			return book, before, nil
		}
		if err != nil {
			return nil, nil, err
		}
		number := book.Current().Number + 1
		if number == f.Epoch {
			before = book.Clone()
		}
		if err := Step(book, l); err != nil {
			return nil, nil, fmt.Errorf("the record of epoch %d: %w", number, err)
		}
	}
}

// Step takes a book one epoch on.
func Step(book *identity.Book, l Link) error {
	proof, err := chain.DecodeOutcomeProof(l.Proof)
	if err != nil {
		return err
	}
	return book.Add(l.Record, proof)
}

// Judge checks the transcript of an epoch against its record, which a book has
// passed, and the book of the epoch before. For the first epoch that book is nil.
func Judge(before *identity.Book, rec *identity.Epoch, transcript []byte) (*Value, error) {
	v := &Value{Chain: rec.Chain, Epoch: rec.Number, Course: rec.Course.String(), Random: rec.Random, Bytes: len(transcript)}
	if rec.Course == identity.First || rec.Course == identity.Void {
		if len(transcript) > 0 {
			return nil, chain.Rule(ErrFile, "a transcript of epoch %d, which is %v and has none", rec.Number, rec.Course)
		}
		return v, v.without(before, rec)
	}
	if h := identity.HashTranscript(transcript); h != rec.Transcript {
		return nil, chain.Rule(chain.ErrProof, "the transcript is %s, the record of epoch %d names %s", h.Short(), rec.Number, rec.Transcript.Short())
	}
	cfg := before.Beacon()
	out, err := drp.Verify(cfg, transcript)
	if err != nil {
		return nil, fmt.Errorf("the transcript of epoch %d: %w", rec.Number, err)
	}
	if out.Random != rec.Random || out.Choice != rec.Seed.Choice || out.View != rec.Seed.View {
		return nil, chain.Rule(chain.ErrProof, "the transcript gives %s of choice %s in view %d, the record of epoch %d has %s of choice %s in view %d",
			out.Random.Short(), out.Choice.Short(), out.View, rec.Number, rec.Random.Short(), rec.Seed.Choice.Short(), rec.Seed.View)
	}
	if err := keysFixed(rec, out.SignOff); err != nil {
		return nil, err
	}
	v.Servers, v.View, v.Choice, v.Height = len(cfg.Servers), out.View, out.Choice, rec.Seed.Height
	return v, v.dealers(before.Current(), transcript, out)
}

// keysFixed makes sure that the validators of an epoch had chosen their keys before
// anybody knew its value: the seed has fixed both.
func keysFixed(rec *identity.Epoch, signOff []byte) error {
	if rec.Course != identity.Drawn {
		return nil // those of the epoch before
	}
	s, err := identity.DecodeSignOff(signOff)
	if err != nil {
		return err
	}
	if h := identity.HashFrozen(rec.Number, rec.Members); h != s.Frozen {
		return chain.Rule(chain.ErrProof, "the members of epoch %d are %s, the seed had fixed %s", rec.Number, h.Short(), s.Frozen.Short())
	}
	return nil
}

// without is a value that no run of the beacon made.
func (v *Value) without(before *identity.Book, rec *identity.Epoch) error {
	if rec.Course == identity.First {
		return nil // the book began with it
	}
	last := before.Current()
	if want := identity.VoidRandom(rec.Chain, rec.Number, last.Random); rec.Random != want {
		return chain.Rule(chain.ErrProof, "epoch %d is void and has the value %s, %s follows from the epoch before", rec.Number, rec.Random.Short(), want.Short())
	}
	v.Servers, v.View, v.Choice, v.Height = len(last.Members), rec.Seed.View, rec.Seed.Choice, rec.Seed.Height
	for _, id := range rec.Silent {
		v.Silent = append(v.Silent, participant(last, id, -1))
	}
	return nil
}

// dealers says who dealt, of a transcript that was verified.
func (v *Value) dealers(last *identity.Epoch, transcript []byte, out *drp.Output) error {
	r := chain.NewReader(transcript)
	choice, err := drp.DecodeChoice(r.Blob(drp.MaxChoice))
	if err != nil {
		return err
	}
	wrong := make(map[chain.ValidatorID]bool)
	for _, id := range out.Zero {
		wrong[id] = true
	}
	for _, d := range choice.Dealings {
		p := participant(last, d.Dealer, int(d.Group))
		v.Dealt = append(v.Dealt, p)
		if wrong[d.Dealer] {
			v.Invalid = append(v.Invalid, p)
		}
	}
	return nil
}

func participant(e *identity.Epoch, id chain.ValidatorID, group int) Participant {
	p := Participant{ID: id, Group: group}
	if m, ok := e.Validator(id); ok {
		p.Name = m.Name
	}
	return p
}
