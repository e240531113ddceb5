package utxo

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"ios/chain"
)

var seed = [16]byte{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}

// point is a made-up outpoint: neighbours share a transaction.
func point(n uint64) chain.OutPoint {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n/3)
	return chain.OutPoint{Tx: sha256.Sum256(b[:]), Index: uint32(n % 3)}
}

func owner(n uint64) chain.Address {
	var b [9]byte
	binary.BigEndian.PutUint64(b[:], n)
	return sha256.Sum256(b[:])
}

// twin is the naive set.
type twin map[chain.OutPoint]Coin

func (m twin) value() (sum uint64) {
	for _, c := range m {
		sum += c.Amount
	}
	return sum
}

func (m twin) sorted() []Entry {
	var list []Entry
	for op, c := range m {
		list = append(list, Entry{op, c})
	}
	sortEntries(list)
	return list
}

// check compares a set with its twin in every way there is to look at it.
func check(t interface{ Fatalf(string, ...any) }, s *Set, m twin) {
	n, v, err := s.Recount()
	if err != nil {
		t.Fatalf("audit: %v", err)
	}
	if n != len(m) || s.Len() != n || v != m.value() || s.Value() != v {
		t.Fatalf("%d coins worth %d, counted %d worth %d, want %d worth %d", s.Len(), s.Value(), n, v, len(m), m.value())
	}
	want := m.sorted()
	if got := slices.Collect(s.Sorted()); !slices.Equal(got, want) {
		t.Fatalf("sorted: %d entries that differ from the %d wanted", len(got), len(want))
	}
	for _, e := range want {
		if a, ok := s.Get(e.OutPoint, e.Owner); !ok || a != e.Amount {
			t.Fatalf("%v: amount %d %v instead of %d", e.OutPoint, a, ok, e.Amount)
		}
	}
	var snap bytes.Buffer
	if err := s.AppendSnapshot(&snap); err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	again, err := Load(bytes.NewReader(snap.Bytes()), [16]byte{1})
	if err != nil {
		t.Fatalf("loading a snapshot: %v", err)
	}
	if got := slices.Collect(again.Sorted()); !slices.Equal(got, want) {
		t.Fatalf("a loaded snapshot has %d entries that differ from the %d wanted", len(got), len(want))
	}
}

// Any sequence of additions, removals, false claims and reverts leaves what the
// same sequence leaves in a map.
func TestSetBehavesLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := New(seed), twin{}
		coins := uint64(rapid.SampledFrom([]int{8, 60, 900}).Draw(t, "coins"))
		one := rapid.Bool().Draw(t, "one partition")
		ownerOf := func(n uint64) chain.Address {
			a := owner(n % 7)
			if one {
				a[31] = 5
			}
			return a
		}
		for range rapid.IntRange(1, 6).Draw(t, "blocks") {
			before := maps.Clone(m)
			var u Undo
			for range rapid.IntRange(0, 300).Draw(t, "changes") {
				n := rapid.Uint64Range(0, coins-1).Draw(t, "n")
				op, o := point(n), ownerOf(n)
				have, there := m[op]
				switch rapid.IntRange(0, 4).Draw(t, "what") {
				case 0, 1:
					c := Coin{o, rapid.Uint64Range(1, 1000).Draw(t, "amount")}
					if u.Add(s, op, c) == there {
						t.Fatalf("adding %v: there is %v", op, there)
					}
					if !there {
						m[op] = c
					}
				case 2, 3:
					c, ok := u.Remove(s, op, o)
					if ok != there || c != have {
						t.Fatalf("removing %v: %v %v, want %v %v", op, c, ok, have, there)
					}
					delete(m, op)
				case 4:
					if _, ok := s.Get(op, owner(100+n)); ok {
						t.Fatalf("a stranger has %v", op)
					}
					if _, ok := u.Remove(s, op, owner(100+n)); ok {
						t.Fatalf("a stranger took %v", op)
					}
				}
			}
			if rapid.Bool().Draw(t, "revert") {
				if err := s.Revert(&u); err != nil {
					t.Fatal(err)
				}
				m = before
			}
			check(t, s, m)
		}
	})
}

// A set that grows over many sizes, with removals in the middle of a move to a
// larger index, loses and invents nothing.
func TestSetGrowsWithoutLosing(t *testing.T) {
	s, m := New(seed), twin{}
	next, checked := uint64(0), 0
	for size := 100; size <= 30_000; size = size * 3 / 2 {
		for len(m) < size {
			op, c := point(next), Coin{owner(next), next + 1}
			next++
			if !s.Add(op, c) {
				t.Fatalf("coin %d refused", next)
			}
			m[op] = c
		}
		moving := false
		for i := range s.parts {
			moving = moving || s.parts[i].idx.old.slots != nil
		}
		if moving {
			checked++
		}
		check(t, s, m)
		for n := next - uint64(size)/3; n < next; n += 2 {
			if op := point(n); m[op] != (Coin{}) {
				if c, ok := s.Remove(op, owner(n)); !ok || c != m[op] {
					t.Fatalf("removing coin %d: %v %v", n, c, ok)
				}
				delete(m, op)
			}
		}
		check(t, s, m)
	}
	if checked < 3 {
		t.Fatalf("only %d checks met an index on the move", checked)
	}
}

// Partitions are changed by goroutines of their own without locks, and taken
// back in any order.
func TestPartitionsChangeInParallel(t *testing.T) {
	s, m := New(seed), twin{}
	var byPart [Partitions][]uint64
	for n := range uint64(20_000) {
		o := owner(n)
		byPart[Partition(&o)] = append(byPart[Partition(&o)], n)
		if n < 10_000 {
			s.Add(point(n), Coin{o, n + 1})
			m[point(n)] = Coin{o, n + 1}
		}
	}
	var undo [Partitions]Undo
	var wg sync.WaitGroup
	for p := range byPart {
		wg.Go(func() {
			for _, n := range byPart[p] {
				if n < 10_000 {
					undo[p].Remove(s, point(n), owner(n))
				} else {
					undo[p].Add(s, point(n), Coin{owner(n), n + 1})
				}
			}
		})
	}
	wg.Wait()
	after := twin{}
	for n := uint64(10_000); n < 20_000; n++ {
		after[point(n)] = Coin{owner(n), n + 1}
	}
	check(t, s, after)
	for _, p := range []int{7, 3, 15, 0, 1, 2, 4, 5, 6, 14, 13, 12, 11, 10, 9, 8} {
		if err := s.Revert(&undo[p]); err != nil {
			t.Fatal(err)
		}
	}
	check(t, s, m)
}

func TestRevertToAMarkAndAgainstAChangedSet(t *testing.T) {
	s, m := New(seed), twin{}
	var u Undo
	u.Add(s, point(1), Coin{owner(1), 5})
	m[point(1)] = Coin{owner(1), 5}
	mark := u.Mark()
	u.Remove(s, point(1), owner(1))
	u.Add(s, point(1), Coin{owner(1), 9})
	if err := s.RevertTo(&u, mark); err != nil {
		t.Fatal(err)
	}
	check(t, s, m)
	s.Remove(point(1), owner(1))
	if err := s.Revert(&u); err == nil {
		t.Fatal("undoing an addition that somebody else removed went well")
	}
}

func TestOwnedListsOneOwnersCoins(t *testing.T) {
	s := New(seed)
	for n := range uint64(500) {
		s.Add(point(n), Coin{owner(n % 5), 1 + n})
	}
	list, more := s.Owned(owner(2), nil, 200)
	if len(list) != 100 || more {
		t.Fatalf("%d coins, more %v", len(list), more)
	}
	if !slices.IsSortedFunc(list, func(a, b Entry) int { return a.OutPoint.Compare(b.OutPoint) }) {
		t.Error("not in order")
	}
	for _, e := range list {
		if e.Owner != owner(2) {
			t.Errorf("%v is another's", e.OutPoint)
		}
	}
	if list, more = s.Owned(owner(2), nil, 99); len(list) != 99 || !more {
		t.Errorf("%d coins, more %v with a limit of 99", len(list), more)
	}
}

// The sum never wraps round to something that looks right.
func TestValueSaturates(t *testing.T) {
	s := New(seed)
	for n := range uint64(40) {
		s.Add(point(n), Coin{owner(n), math.MaxUint64 - n})
	}
	if v := s.Value(); v != math.MaxUint64 {
		t.Errorf("value %d of more than uint64 holds", v)
	}
	if _, _, err := s.Recount(); err == nil {
		t.Error("an audit of too much went well")
	}
	for n := range uint64(39) {
		s.Remove(point(n), owner(n))
	}
	if v := s.Value(); v != math.MaxUint64-39 {
		t.Errorf("value %d after the rest was removed", v)
	}
}

// A fault of the memory is found by the audit.
func TestRecountFindsDamage(t *testing.T) {
	for name, damage := range map[string]func(p *partition){
		"amount":   func(p *partition) { p.at(0).low ^= 1 },
		"outpoint": func(p *partition) { p.at(0).tx[9] ^= 1 },
		"sum":      func(p *partition) { p.value++ },
		"slot": func(p *partition) {
			p.idx.slots[slices.IndexFunc(p.idx.slots, func(s slot) bool { return s != 0 })] = 0
		},
		"live":  func(p *partition) { p.pages[0].live[0] &^= 1 },
		"owner": func(p *partition) { p.at(0).owner[31]++ },
	} {
		s := New(seed)
		for n := range uint64(300) {
			s.Add(point(n), Coin{owner(n), 1 + n})
		}
		damage(&s.parts[4])
		if _, _, err := s.Recount(); err == nil {
			t.Errorf("damage to the %s was not found", name)
		}
	}
}

func TestMemoryPerCoin(t *testing.T) {
	if testing.Short() {
		t.Skip("a million coins take a few seconds")
	}
	const n = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := New(seed)
	for i := range uint64(n) {
		s.Add(point(i), Coin{owner(i), 1})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.1f bytes a coin", per)
	if per > 140 {
		t.Errorf("%.1f bytes a coin at a million, at most 140 are wanted", per)
	}
	if s.Len() != n || s.Value() != n {
		t.Errorf("%d coins worth %d", s.Len(), s.Value())
	}
}
