package cosi

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A mask behaves as the set of seats that it stands for.
func TestMaskIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seats := rapid.IntRange(1, 70).Draw(t, "seats")
		draw := func(name string) (Mask, map[int]bool) {
			m, set := NewMask(seats), map[int]bool{}
			for _, i := range rapid.SliceOf(rapid.IntRange(-2, seats+9)).Draw(t, name) {
				m.Set(i)
				if i >= 0 && i < seats {
					set[i] = true
				}
			}
			return m, set
		}
		a, setA := draw("a")
		b, setB := draw("b")
		overlap, within := false, true
		var members, absent []int
		for i := -1; i <= seats+8; i++ {
			if a.Has(i) != setA[i] {
				t.Fatalf("Has(%d) is %v", i, a.Has(i))
			}
			overlap = overlap || setA[i] && setB[i]
			within = within && (!setA[i] || setB[i])
			if setA[i] {
				members = append(members, i)
			} else if i >= 0 && i < seats {
				absent = append(absent, i)
			}
		}
		if a.Count() != len(setA) || !slices.Equal(a.Members(), members) || !slices.Equal(a.Absent(), absent) {
			t.Fatalf("%v: members %v, absent %v", a, a.Members(), a.Absent())
		}
		if a.Overlaps(b) != overlap || a.Within(b) != within || a.Equal(b) != slices.Equal(members, b.Members()) {
			t.Fatalf("%v and %v: overlap %v, within %v, equal %v", a.Members(), b.Members(), a.Overlaps(b), a.Within(b), a.Equal(b))
		}
		back, err := ParseMask(seats, a.Bytes())
		if err != nil || !back.Equal(a) {
			t.Fatalf("parsed back: %v, %v", back, err)
		}
		back.Set(0)
		if a.Has(0) != setA[0] {
			t.Fatal("a parsed mask shares the bits that it was parsed from")
		}
		c := a.Clone()
		c.add(b)
		if !a.Within(c) || !b.Within(c) || c.Count() > a.Count()+b.Count() {
			t.Fatal("add is no union")
		}
	})
}

func TestMaskOfAnotherFormIsRefused(t *testing.T) {
	for _, c := range []struct {
		seats int
		raw   []byte
	}{
		{9, []byte{1}},
		{9, []byte{1, 0, 0}},
		{9, []byte{0xff, 0x02}},
		{7, []byte{0x80}},
		{0, []byte{0}},
		{-1, nil},
		{MaxSeats + 1, make([]byte, 8192)},
	} {
		if _, err := ParseMask(c.seats, c.raw); !errors.Is(err, ErrMask) {
			t.Errorf("%d seats, %x: %v", c.seats, c.raw, err)
		}
	}
	if NewMask(5).Within(NewMask(6)) || NewMask(5).Equal(NewMask(6)) {
		t.Error("masks of different committees compare")
	}
}

// Whatever decodes encodes back to the same bytes, and leaves the rest alone.
func FuzzDecode(f *testing.F) {
	mask := NewMask(11)
	mask.Set(10)
	f.Add(Certificate{mask, Signature{1}}.AppendTo(nil))
	f.Add(append(Certificate{NewMask(0), Signature{}}.AppendTo(nil), 7))
	f.Add([]byte{0xff, 0xff, 1})
	f.Add([]byte{0, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var cert Certificate
		n, err := cert.Decode(b)
		var c Contribution
		if m, err2 := c.Decode(b); m != n || (err == nil) != (err2 == nil) {
			t.Fatalf("contribution: %d, %v; certificate: %d, %v", m, err2, n, err)
		}
		if err != nil {
			if !errors.Is(err, ErrEncoding) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if n != EncodedSize(cert.Mask.Seats()) || !bytes.Equal(cert.AppendTo(nil), b[:n]) || !bytes.Equal(c.AppendTo(nil), b[:n]) {
			t.Fatalf("%x decodes but encodes to %x", b[:n], cert.AppendTo(nil))
		}
	})
}
