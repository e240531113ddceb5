package cosi

import (
	"slices"
	"testing"
)

// counted are keys that count what is dear: pairings and parsed points.
type counted struct {
	Keys
	checks, points *int
}

func (c counted) Check(mask Mask, m Message, p Point) bool {
	*c.checks++
	return c.Keys.Check(mask, m, p)
}

func (c counted) Point(sig Signature) (Point, error) {
	*c.points++
	return c.Keys.Point(sig)
}

// A round costs one pairing check and each point is parsed once, whatever is
// asked in between; a wrong share among 16 costs at most two checks a level.
func TestARoundPairsOnce(t *testing.T) {
	var checks, points int
	var keys []PublicKey
	var right, wrong []Signature
	for i := range 16 {
		secret, key := testSecret(t, i)
		sig, err := BLS{}.Sign(secret, []byte("block"))
		if err != nil {
			t.Fatal(err)
		}
		lie, err := BLS{}.Sign(secret, []byte("lie"))
		if err != nil {
			t.Fatal(err)
		}
		keys, right, wrong = append(keys, key), append(right, sig), append(wrong, lie)
	}
	committee, err := NewCommitteeOf(keys, func(keys []PublicKey) (Keys, error) {
		parsed, err := new(blsKeys).Derive(keys)
		return counted{parsed, &checks, &points}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	run := func(sigs []Signature) []int {
		t.Helper()
		checks, points = 0, 0
		k := NewCollector(committee, []byte("block"))
		for seat, sig := range sigs {
			if err := k.AddShare(seat, sig); err != nil {
				t.Fatal(err)
			}
			if _, err := k.Aggregate(); err != nil {
				t.Fatal(err)
			}
		}
		if checks > 0 {
			t.Errorf("%d checks before a certificate was asked for", checks)
		}
		_, culprits, err := k.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		once := checks
		if _, _, err := k.Certificate(); err != nil || checks != once {
			t.Errorf("the second time: %v, %d checks more", err, checks-once)
		}
		if points != 16 {
			t.Errorf("%d points parsed", points)
		}
		return culprits
	}
	if culprits := run(right); len(culprits) > 0 || checks != 1 {
		t.Errorf("all right: culprits %v after %d checks", culprits, checks)
	}
	for liar := range 16 {
		sigs := slices.Clone(right)
		sigs[liar] = wrong[liar]
		if culprits := run(sigs); !slices.Equal(culprits, []int{liar}) || checks > 1+2*4 {
			t.Errorf("seat %d lies: culprits %v after %d checks", liar, culprits, checks)
		}
	}
}
