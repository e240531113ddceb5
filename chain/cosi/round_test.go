package cosi_test

import (
	"errors"
	"slices"
	"testing"

	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
)

// schemes are what every scenario runs on: the real one, and the stand-in that
// must fail in the same way.
var schemes = map[string]cosi.Scheme{"bls": cosi.BLS{}, "stand-in": cositest.New("test")}

// each runs a scenario on every scheme.
func each(t *testing.T, scenario func(*testing.T, cosi.Scheme)) {
	for name, scheme := range schemes {
		t.Run(name, func(t *testing.T) { scenario(t, scheme) })
	}
}

// members are the secrets and the committee of seats 0 to s-1.
type members struct {
	cosi.Scheme
	secrets   []cosi.Secret
	keys      []cosi.PublicKey
	committee *cosi.Committee
}

func gather(t testing.TB, scheme cosi.Scheme, s int) *members {
	t.Helper()
	m := &members{Scheme: scheme}
	for i := range s {
		secret := cositest.Secret(i)
		key, err := scheme.Public(secret)
		if err != nil {
			t.Fatal(err)
		}
		m.secrets = append(m.secrets, secret)
		m.keys = append(m.keys, key)
	}
	committee, err := scheme.NewCommittee(m.keys)
	if err != nil {
		t.Fatal(err)
	}
	m.committee = committee
	return m
}

func (m *members) share(t testing.TB, seat int, msg string) cosi.Signature {
	t.Helper()
	sig, err := m.Sign(m.secrets[seat], []byte(msg))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// sum is the contribution of some seats, made as an inner node makes it.
func (m *members) sum(t testing.TB, msg string, seats ...int) cosi.Contribution {
	t.Helper()
	k := cosi.NewCollector(m.committee, []byte(msg))
	for _, seat := range seats {
		if err := k.AddShare(seat, m.share(t, seat, msg)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := k.Aggregate()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func maskOf(seats int, members ...int) cosi.Mask {
	mask := cosi.NewMask(seats)
	for _, i := range members {
		mask.Set(i)
	}
	return mask
}

func wantErr(t *testing.T, err, kind error, what string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error %v, want %v", what, err, kind)
	}
}

func TestARoundInAStar(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 5)
		k := cosi.NewCollector(m.committee, []byte("block"))
		for n, seat := range []int{4, 0, 2, 1} {
			if n < 4 {
				_, _, err := k.Certificate()
				wantErr(t, err, cosi.ErrQuorum, "before a quorum")
			}
			if err := k.AddShare(seat, m.share(t, seat, "block")); err != nil {
				t.Fatal(err)
			}
		}
		cert, culprits, err := k.Certificate()
		if err != nil || len(culprits) > 0 {
			t.Fatal(culprits, err)
		}
		if !slices.Equal(cert.Mask.Members(), []int{0, 1, 2, 4}) || !slices.Equal(cert.Mask.Absent(), []int{3}) {
			t.Errorf("the certificate names %v", cert.Mask.Members())
		}
		if err := m.committee.Verify([]byte("block"), cert); err != nil {
			t.Error(err)
		}
		wantErr(t, m.committee.Verify([]byte("other"), cert), cosi.ErrSignature, "another message")

		// Who was late is added, and the certificate grows.
		if err := k.AddShare(3, m.share(t, 3, "block")); err != nil {
			t.Fatal(err)
		}
		cert, _, err = k.Certificate()
		if err != nil || cert.Mask.Count() != 5 {
			t.Fatal(cert.Mask, err)
		}
		if err := m.committee.Verify([]byte("block"), cert); err != nil {
			t.Error(err)
		}
	})
}

func seatsOf(s int) []int {
	seats := make([]int, s)
	for i := range seats {
		seats[i] = i
	}
	return seats
}
