package identity

import (
	"bytes"
	"slices"

	"ios/chain"
	"ios/chain/cosi"
	"ios/drp"
)

// snapshotMagic begins a snapshot.
const snapshotMagic = "iosidentity\x02"

// AppendTo appends the state as of the last final block: the book's records, then
// the registry. Equal states give equal bytes.
func (s *State) AppendTo(dst []byte) []byte {
	b, l := s.book, s.final
	dst = append(append(dst, snapshotMagic...), b.params.ChainID[:]...)
	dst = be.AppendUint64(dst, b.history)
	dst = be.AppendUint32(dst, uint32(len(b.eras)))
	for _, e := range b.eras {
		dst = chain.AppendBlob(dst, e.rec.AppendTo(nil))
	}
	for _, w := range b.windows {
		dst = be.AppendUint64(be.AppendUint64(dst, w.now), w.before)
	}
	dst = be.AppendUint64(dst, l.height)
	dst = be.AppendUint64(dst, l.asked)
	dst = be.AppendUint32(dst, uint32(len(l.entries)))
	for _, e := range l.entries {
		dst = e.appendTo(dst)
	}
	dst = appendPayouts(dst, l.payouts)
	dst = appendPayouts(dst, s.Due())
	dst = be.AppendUint64(be.AppendUint64(dst, l.paidNo), l.between)
	dst = be.AppendUint32(dst, uint32(len(l.answers)))
	for i := range l.answers {
		dst = l.answers[i].appendTo(dst)
	}
	dst = be.AppendUint32(dst, uint32(len(l.credits)))
	for _, c := range l.credits {
		dst = be.AppendUint64(append(dst, c.owner[:]...), c.amount)
	}
	dst = appendPoints(dst, l.bases)
	dst = appendBool(dst, l.seed != nil)
	if l.seed != nil {
		dst = l.seed.appendTo(dst)
	}
	dst = be.AppendUint32(dst, uint32(len(l.silence)))
	for _, q := range l.silence {
		dst = append(be.AppendUint16(dst, uint16(q.server)), q.by...)
	}
	return dst
}

// DecodeState reads what AppendTo wrote. It refuses what AppendTo would not write
// for this genesis.
func DecodeState(g *chain.Genesis, scheme cosi.Scheme, raw []byte) (*State, error) {
	r := chain.NewReader(raw)
	fail := func(err error) (*State, error) {
		return nil, chain.Rule(ErrSnapshot, "reading a snapshot of the identity chain: %v", err)
	}
	if magic := r.Bytes(len(snapshotMagic)); r.Err() == nil && string(magic) != snapshotMagic {
		r.Fail("it begins with %q", magic)
	}
	b := &Book{genesis: g, params: g.Params(), scheme: scheme, windows: make([]window, g.Shards)}
	if id := r.Hash(); r.Err() == nil && id != b.params.ChainID {
		r.Fail("it is of chain %s, this is %s", id.Short(), b.params.ChainID.Short())
	}
	if err := b.read(r); err != nil {
		return fail(err)
	}
	l, err := b.readLedger(r)
	if err != nil {
		return fail(err)
	}
	if err := r.Close(); err != nil {
		return fail(err)
	}
	if err := l.check(b); err != nil {
		return fail(err)
	}
	return &State{book: b, final: l}, nil
}

// read reads records and windows of a book.
func (b *Book) read(r *chain.Reader) error {
	b.history = r.U64()
	var before *era
	for range r.Count(1<<16, 4) {
		raw := r.Blob(MaxEpochBytes)
		if r.Err() != nil {
			return r.Err()
		}
		rec, err := DecodeEpoch(raw)
		if err != nil {
			return err
		}
		if rec.Chain != b.params.ChainID || len(rec.Shards) != b.genesis.Shards || before != nil && rec.Number <= before.rec.Number {
			return chain.Rule(ErrSnapshot, "the record of epoch %d does not belong where it is", rec.Number)
		}
		if before, err = newEra(rec, before, b.scheme); err != nil {
			return err
		}
		b.eras = append(b.eras, before)
	}
	if before == nil {
		r.Fail("there is no record")
	}
	for j := range b.windows {
		b.windows[j] = window{r.U64(), r.U64()}
	}
	if r.Err() != nil {
		return r.Err()
	}
	for j, w := range b.windows {
		if e := b.era(w.now); e == nil || e.rec.Stalled.Has(chain.ShardID(j)) || before.rec.Shards[j].Plan != w.now || w.before != 0 && (w.before >= w.now || b.era(w.before) == nil) {
			return chain.Rule(ErrSnapshot, "shard %d cannot be in epochs %d and %d", j, w.now, w.before)
		}
	}
	for _, e := range b.eras {
		if !b.wanted(e.rec.Number) {
			return chain.Rule(ErrSnapshot, "the record of epoch %d is not needed", e.rec.Number)
		}
	}
	return nil
}

func (b *Book) readLedger(r *chain.Reader) (*ledger, error) {
	l := &ledger{height: r.U64(), asked: r.U64()}
	for i := range r.Count(chain.MaxPlaces, chain.ValidatorMinSize) {
		l.entries = append(l.entries, readEntry(r, chain.ValidatorID(i)))
	}
	l.payouts = readPayouts(r)
	for _, p := range readPayouts(r) {
		l.addDue(newDue(b.params, p))
	}
	l.paidNo, l.between = r.U64(), r.U64()
	for i := range r.Count(maxAnswers, answerSize) {
		a := answer{r.Hash(), chain.ShardID(r.U16()), r.U64(), chain.Outcome(r.U8()), r.U64()}
		if a.outcome != chain.Committed && a.outcome != chain.Rejected || i > 0 && bytes.Compare(a.tx[:], l.answers[i-1].tx[:]) <= 0 {
			r.Fail("answers are not in ascending order, committed or rejected")
		}
		l.answers = append(l.answers, a)
	}
	for i := range r.Count(maxCredits, 32+8) {
		c := credit{owner: chain.Address(r.Hash()), amount: r.U64()}
		if c.amount == 0 || i > 0 && bytes.Compare(c.owner[:], l.credits[i-1].owner[:]) <= 0 {
			r.Fail("credits are not in ascending order")
		}
		l.credits = append(l.credits, c)
	}
	l.bases = readPoints(r)
	if readBool(r) {
		l.seed = readSeed(r)
	}
	size := (len(b.Validators()) + 7) / 8
	for i := range r.Count(drp.MaxServers, 2+size) {
		q := silence{server: chain.ValidatorID(r.U16()), by: slices.Clone(r.Bytes(size))}
		if i > 0 && q.server <= l.silence[i-1].server {
			r.Fail("the silent are not in ascending order")
		}
		l.silence = append(l.silence, q)
	}
	if r.Err() != nil {
		return nil, r.Err()
	}
	return l, l.complete(b)
}

const answerSize = 32 + 2 + 8 + 1 + 8

func (a *answer) appendTo(dst []byte) []byte {
	dst = be.AppendUint16(append(dst, a.tx[:]...), uint16(a.shard))
	dst = be.AppendUint64(dst, a.expiry)
	return be.AppendUint64(append(dst, byte(a.outcome)), a.told)
}

func appendPoints(dst []byte, list []Point) []byte {
	dst = be.AppendUint32(dst, uint32(len(list)))
	for i := range list {
		dst = list[i].appendTo(dst)
	}
	return dst
}

func readPoints(r *chain.Reader) []Point {
	list := make([]Point, r.Count(chain.MaxShards, 12+8+32))
	for i := range list {
		list[i] = readPoint(r)
	}
	return list
}

func (e *entry) appendTo(dst []byte) []byte {
	dst = e.now.AppendTo(dst)
	dst = appendBool(dst, e.next != nil)
	if e.next != nil {
		dst = e.next.AppendTo(dst)
	}
	dst = be.AppendUint64(dst, e.seq)
	dst = append(dst, e.join[:]...)
	for _, flag := range []bool{e.in, e.wants, e.leave, e.gone, e.alive} {
		dst = appendBool(dst, flag)
	}
	dst = e.to.appendTo(dst)
	dst = be.AppendUint64(dst, e.asked)
	return be.AppendUint32(dst, e.missed)
}

func readEntry(r *chain.Reader, id chain.ValidatorID) *entry {
	e := &entry{id: id, now: r.Validator()}
	if readBool(r) {
		v := r.Validator()
		e.next = &v
	}
	e.seq, e.join = r.U64(), r.Hash()
	for _, to := range []*bool{&e.in, &e.wants, &e.leave, &e.gone, &e.alive} {
		*to = readBool(r)
	}
	e.to, e.asked, e.missed = readPayee(r), r.U64(), r.U32()
	return e
}

func (d *seed) appendTo(dst []byte) []byte {
	dst = be.AppendUint64(dst, d.ref.Height)
	dst = append(dst, d.ref.Block[:]...)
	dst = chain.AppendBlob(dst, d.raw)
	f := d.frozen
	for _, list := range [][]chain.ValidatorID{f.members, f.joined, f.left, f.shed} {
		dst = appendIDs(dst, list)
	}
	dst = be.AppendUint32(dst, uint32(len(f.rotated)))
	for _, t := range f.rotated {
		dst = t.to.AppendTo(be.AppendUint16(dst, uint16(t.id)))
	}
	dst = appendPoints(dst, f.bases)
	dst = f.stalled.AppendTo(dst)
	return append(dst, f.hash[:]...)
}

// readSeed reads a seed; what follows from the choice is not yet there.
func readSeed(r *chain.Reader) *seed {
	d := &seed{ref: SeedRef{Height: r.U64(), Block: r.Hash()}, raw: slices.Clone(r.Blob(chain.MaxBodyBytes))}
	f := &frozen{members: readIDs(r), joined: readIDs(r), left: readIDs(r), shed: readIDs(r)}
	for i := range r.Count(chain.MaxValidators, 2+chain.ValidatorMinSize) {
		t := rotation{id: chain.ValidatorID(r.U16())}
		v := r.Validator()
		t.to = &v
		if i > 0 && t.id <= f.rotated[i-1].id {
			r.Fail("rotations are not in ascending order")
		}
		f.rotated = append(f.rotated, t)
	}
	f.bases = readPoints(r)
	f.stalled = r.Shards()
	f.hash = r.Hash()
	d.frozen = f
	return d
}
