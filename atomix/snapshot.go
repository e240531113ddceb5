package atomix

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"ios/chain"
	"ios/chain/utxo"
)

// snapshotMagic begins a snapshot. There follow, with big-endian integers,
//
//	chain 32 | shard u16 | height, epoch, began u64 | base, value, locked, fees u64
//	count u64 of between: expiry u64 | net i128
//	count u64 of open:    told u64 | yes 32 | length u32 | transaction
//	count u64 of decided: id 32 | outcome u8 | told, closed, expiry u64
//	the coins as [utxo.Set.AppendSnapshot] writes them
//
// each list in ascending order.
const snapshotMagic = "iosatomix\x03"

// WriteSnapshot writes the ledger as of the last final block to w. Equal ledgers
// give equal bytes. No execution may be open.
func (s *State) WriteSnapshot(w io.Writer) error {
	if s.exec.running {
		return fmt.Errorf("atomix: shard %d: a snapshot while block %d is being executed", s.shard, s.exec.height)
	}
	if s.broken != nil {
		return fmt.Errorf("atomix: shard %d: a snapshot of a broken state: %w", s.shard, s.broken)
	}
	out := bufio.NewWriterSize(w, 256<<10)
	buf := append([]byte(snapshotMagic), s.params.ChainID[:]...)
	buf = be.AppendUint16(buf, uint16(s.shard))
	for _, n := range []uint64{s.height, s.epoch, s.began, s.base, s.sums.value, s.sums.locked, s.sums.fees, uint64(len(s.between))} {
		buf = be.AppendUint64(buf, n)
	}
	for _, x := range slices.Sorted(maps.Keys(s.between)) {
		n := s.between[x]
		buf = be.AppendUint64(buf, x)
		buf = be.AppendUint64(buf, uint64(n.Hi))
		buf = be.AppendUint64(buf, n.Lo)
	}
	out.Write(be.AppendUint64(buf, uint64(len(s.open)))) // an error sticks until Flush
	for _, o := range s.OpenRecords() {
		buf = be.AppendUint64(buf[:0], o.Told)
		out.Write(chain.AppendBlob(o.Yes.AppendTo(buf), o.Tx.Raw))
	}
	out.Write(be.AppendUint64(buf[:0], uint64(len(s.decided))))
	for _, id := range sortedIDs(s.decided) {
		d := s.decided[id]
		buf = append(append(buf[:0], id[:]...), byte(d.Outcome))
		buf = be.AppendUint64(buf, d.Told)
		buf = be.AppendUint64(buf, d.Closed)
		out.Write(be.AppendUint64(buf, d.Expiry))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("atomix: writing a snapshot: %w", err)
	}
	return s.coins.AppendSnapshot(w)
}

func sortedIDs[V any](m map[chain.TxID]V) []chain.TxID {
	ids := make([]chain.TxID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b chain.TxID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// LoadState reads what WriteSnapshot wrote. It refuses what WriteSnapshot would
// not write for this chain and shard, and counters that do not match the content.
func LoadState(p *chain.Params, shard chain.ShardID, seed [16]byte, r io.Reader) (*State, error) {
	s := NewState(p, shard, seed)
	l := &loader{r: bufio.NewReaderSize(r, 256<<10), s: s}
	l.head()
	l.list(l.between)
	l.list(l.open)
	l.list(l.decided)
	if l.err != nil {
		return nil, fmt.Errorf("atomix: reading a snapshot of shard %d: %w", shard, l.err)
	}
	var err error
	if s.coins, err = utxo.Load(l.r, seed); err != nil {
		return nil, err
	}
	if _, err := l.r.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("atomix: bytes left over after a snapshot of shard %d", shard)
	}
	for e := range s.coins.Sorted() {
		if e.Owner.Shard(p.Shards) != shard {
			return nil, fmt.Errorf("atomix: a snapshot of shard %d has a coin of another shard", shard)
		}
	}
	if err := s.Audit(); err != nil {
		return nil, err
	}
	return s, nil
}

// loader reads a snapshot; the first fault sticks.
type loader struct {
	r    *bufio.Reader
	s    *State
	err  error
	last []byte // what the next element must be above
	buf  []byte
}

func (l *loader) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// bytes reads n bytes, which are valid until the next call.
func (l *loader) bytes(n int) []byte {
	l.buf = slices.Grow(l.buf[:0], n)[:n]
	clear(l.buf)
	if l.err == nil {
		_, l.err = io.ReadFull(l.r, l.buf)
	}
	return l.buf
}

func (l *loader) u64() uint64 { return be.Uint64(l.bytes(8)) }

func (l *loader) outcome() chain.Outcome { return chain.Outcome(l.bytes(1)[0]) }

func (l *loader) head() {
	if got := string(l.bytes(len(snapshotMagic))); got != snapshotMagic {
		l.fail("it begins with %q", got)
	}
	if chain.Hash(l.bytes(32)) != l.s.params.ChainID {
		l.fail("it is of another chain")
	}
	if n := be.Uint16(l.bytes(2)); chain.ShardID(n) != l.s.shard {
		l.fail("it is of shard %d", n)
	}
	s := l.s
	if s.height, s.epoch, s.began, s.base = l.u64(), l.u64(), l.u64(), l.u64(); s.began > s.height {
		l.fail("an epoch that begins at height %d, and the last block is %d", s.began, s.height)
	}
	s.sums = sums{value: l.u64(), locked: l.u64(), fees: l.u64()}
}

// list reads a list whose elements must ascend by the key that read returns.
func (l *loader) list(read func() []byte) {
	l.last = nil
	for n := l.u64(); n > 0 && l.err == nil; n-- {
		key := read()
		if l.last != nil && bytes.Compare(l.last, key) >= 0 {
			l.fail("element %x is not above %x before it", key, l.last)
		}
		l.last = append(l.last[:0], key...)
	}
}

func (l *loader) between() []byte {
	x := l.u64()
	l.s.between[x] = Net{Hi: int64(l.u64()), Lo: l.u64()}
	return be.AppendUint64(nil, x)
}

func (l *loader) open() []byte {
	rec := &record{told: l.u64()}
	for i := range rec.yes[:chain.MaxShards/64] {
		rec.yes[i] = l.u64()
	}
	size := be.Uint32(l.bytes(4))
	if size > chain.MaxTxBytes {
		l.fail("a transaction of %d bytes", size)
		return nil
	}
	t, err := l.s.params.DecodeTx(slices.Clone(l.bytes(int(size))))
	if l.err != nil {
		return nil
	}
	if err == nil {
		err = l.s.params.CheckTx(t, t.Expiry)
	}
	if err != nil {
		l.fail("an open transaction: %w", err)
		return nil
	}
	rec.tx, rec.involved = t, l.s.params.Involved(t)
	others := rec.involved.Contains(&rec.yes) && !rec.yes.Contains(&rec.involved)
	if !others || !rec.yes.Has(l.s.shard) || rec.told > l.s.height || rec.told == 0 {
		l.fail("transaction %s cannot be open here", t.ID.Short())
	}
	rec.opened = rec.told
	l.s.open[t.ID] = rec
	l.s.markLocked(t)
	return t.ID[:]
}

func (l *loader) decided() []byte {
	id := chain.TxID(l.bytes(32))
	d := Decision{Outcome: l.outcome(), Told: l.u64(), Closed: l.u64(), Expiry: l.u64()}
	if !d.Outcome.Valid() || d.Outcome == chain.Accepted || d.Told > l.s.height || d.Closed > l.s.height || d.Told == 0 || d.Closed == 0 {
		l.fail("transaction %s cannot be decided like that", id.Short())
	}
	l.s.decided[id] = d
	return id[:]
}
