package cosi

import (
	"sync"
	"testing"
)

// A committee keeps the lines of the masks that it saw, a bounded number of them,
// and says the same of a certificate however often and with whatever else it has
// checked it: also when the lines of other masks were kept in between.
func TestLinesAreKeptWithinABound(t *testing.T) {
	const seats = 7
	var secrets []Secret
	var keys []PublicKey
	for i := range seats {
		secret, key := testSecret(t, i)
		secrets, keys = append(secrets, secret), append(keys, key)
	}
	committee, err := BLS{}.NewCommittee(keys)
	if err != nil {
		t.Fatal(err)
	}
	var shares []Point
	for i := range seats {
		sig, err := BLS{}.Sign(secrets[i], []byte("block"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := committee.parsed.Point(sig)
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, p)
	}
	// Every set of seats that is a quorum, and each with a seat too many.
	var good, bad []Certificate
	for bits := range 1 << seats {
		mask := NewMask(seats)
		var points []Point
		for i := range seats {
			if bits>>i&1 == 1 {
				mask.Set(i)
				points = append(points, shares[i])
			}
		}
		if mask.Count() < Quorum(seats) {
			continue
		}
		sum, err := committee.parsed.Sum(points)
		if err != nil {
			t.Fatal(err)
		}
		sig := committee.parsed.Encode(sum)
		good = append(good, Certificate{mask, sig})
		if absent := mask.Absent(); len(absent) > 0 {
			more := mask.Clone()
			more.Set(absent[0])
			bad = append(bad, Certificate{more, sig})
		}
	}
	if len(good) <= maxLines {
		t.Fatalf("%d quorums do not fill the cache of %d", len(good), maxLines)
	}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 2 {
				for _, cert := range good {
					if err := committee.Verify([]byte("block"), cert); err != nil {
						t.Errorf("%v: %v", cert.Mask.Members(), err)
					}
				}
				for _, cert := range bad {
					if committee.Verify([]byte("block"), cert) == nil {
						t.Errorf("%v: one of them did not sign", cert.Mask.Members())
					}
				}
			}
		})
	}
	all.Wait()
	keysOf := committee.parsed.(*blsKeys)
	if len(keysOf.lines) != maxLines || len(keysOf.masks) != maxLines {
		t.Errorf("%d lines of %d masks are kept, %d is the bound", len(keysOf.lines), len(keysOf.masks), maxLines)
	}
	for i, sig := range shares { // wrong shares are looked for seat by seat
		if !committee.parsed.Check(committee.maskOf(i), mustHash(t), sig) {
			t.Errorf("share of seat %d", i)
		}
		if keysOf.lines[string(committee.maskOf(i).bits)] != nil {
			t.Error("the lines of a single seat are kept")
		}
	}
	last := good[len(good)-1].Mask
	if keysOf.linesOf(last) != keysOf.linesOf(last) {
		t.Errorf("the lines of %v are made again", last)
	}
}

func mustHash(t *testing.T) Message {
	m, err := new(blsKeys).Message([]byte("block"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
