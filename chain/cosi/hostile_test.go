package cosi_test

import (
	"errors"
	"slices"
	"testing"

	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"pgregory.net/rapid"
)

func TestCertificatesThatMustNotConvince(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 7) // f = 2, q = 5
		msg := []byte("block")
		good := m.sum(t, "block", 0, 1, 2, 3, 4)
		if err := m.committee.Verify(msg, cosi.Certificate(good)); err != nil {
			t.Fatal(err)
		}
		few := m.sum(t, "block", 0, 1, 2, 3)
		outsider := gather(t, scheme, 8)
		for what, c := range map[string]struct {
			mask cosi.Mask
			sig  cosi.Signature
			want error
		}{
			"below quorum":              {few.Mask, few.Sig, cosi.ErrQuorum},
			"nobody":                    {cosi.NewMask(7), good.Sig, cosi.ErrQuorum},
			"no mask":                   {cosi.Mask{}, good.Sig, cosi.ErrMask},
			"a seat that did not sign":  {maskOf(7, 0, 1, 2, 3, 4, 5), good.Sig, cosi.ErrSignature},
			"a seat that did, left out": {maskOf(7, 0, 1, 2, 3, 5), good.Sig, cosi.ErrSignature},
			"a smaller committee":       {maskOf(6, 0, 1, 2, 3, 4), good.Sig, cosi.ErrMask},
			"a larger committee":        {maskOf(8, 0, 1, 2, 3, 4), good.Sig, cosi.ErrMask},
			"another message":           {good.Mask, m.sum(t, "other", 0, 1, 2, 3, 4).Sig, cosi.ErrSignature},
			"an outsider for a member":  {maskOf(7, 0, 1, 2, 3, 4), outsider.sum(t, "block", 0, 1, 2, 3, 7).Sig, cosi.ErrSignature},
			"no signature":              {good.Mask, cosi.Signature{}, cosi.ErrPoint},
			"the neutral element":       {good.Mask, cosi.Signature{0xc0}, cosi.ErrPoint},
		} {
			wantErr(t, m.committee.Verify(msg, cosi.Certificate{Mask: c.mask, Sig: c.sig}), c.want, what)
		}
		wantErr(t, m.committee.VerifyShare(0, msg, m.share(t, 1, "block")), cosi.ErrSignature, "a share of another seat")
		wantErr(t, m.committee.VerifyShare(7, msg, m.share(t, 1, "block")), cosi.ErrSeat, "no such seat")
		wantErr(t, m.committee.VerifyShare(-1, msg, m.share(t, 1, "block")), cosi.ErrSeat, "a negative seat")
		if err := m.committee.VerifyShare(6, msg, m.share(t, 6, "block")); err != nil {
			t.Error(err)
		}
	})
}

func TestContributionsThatAreRefusedOnArrival(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 9)
		k := cosi.NewCollector(m.committee, []byte("block"))
		_, err := k.Aggregate()
		wantErr(t, err, cosi.ErrQuorum, "the sum of nothing")
		if err := k.Add(2, m.sum(t, "block", 1, 2, 3)); err != nil {
			t.Fatal(err)
		}
		sig := m.share(t, 3, "block")
		wantErr(t, k.AddShare(3, sig), cosi.ErrOverlap, "a share that is in a sum already")
		wantErr(t, k.Add(4, m.sum(t, "block", 3, 4)), cosi.ErrOverlap, "masks with a seat in common")
		wantErr(t, k.Add(4, cosi.Contribution{Mask: cosi.NewMask(9), Sig: sig}), cosi.ErrMask, "of nobody")
		wantErr(t, k.Add(4, cosi.Contribution{Mask: maskOf(8, 4), Sig: sig}), cosi.ErrMask, "of another committee")
		wantErr(t, k.Add(4, cosi.Contribution{Mask: maskOf(9, 4), Sig: cosi.Signature{0x80, 1}}), cosi.ErrPoint, "no point")
		wantErr(t, k.Add(9, cosi.Contribution{Mask: maskOf(9, 4), Sig: sig}), cosi.ErrSeat, "from a stranger")
		wantErr(t, k.Add(-1, cosi.Contribution{Mask: maskOf(9, 4), Sig: sig}), cosi.ErrSeat, "from seat -1")
		wantErr(t, k.AddShare(9, sig), cosi.ErrSeat, "a stranger's share")
		if k.Count() != 3 || !slices.Equal(k.Mask().Members(), []int{1, 2, 3}) {
			t.Errorf("refused contributions count: %v", k.Mask().Members())
		}
	})
}

func TestAWrongShareAmongSixteenIsNamed(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 16)
		k := cosi.NewCollector(m.committee, []byte("block"))
		for seat := range 16 {
			said := "block"
			if seat == 11 {
				said = "another block"
			}
			if err := k.AddShare(seat, m.share(t, seat, said)); err != nil {
				t.Fatal(err)
			}
		}
		cert, culprits, err := k.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(culprits, []int{11}) || !slices.Equal(cert.Mask.Absent(), []int{11}) {
			t.Errorf("culprits %v, absent %v", culprits, cert.Mask.Absent())
		}
		if err := m.committee.Verify([]byte("block"), cert); err != nil {
			t.Error(err)
		}
		// The culprit is heard again, but pays for its own check.
		wantErr(t, k.AddShare(11, m.share(t, 11, "another block")), cosi.ErrSignature, "wrong again")
		if err := k.AddShare(11, m.share(t, 11, "block")); err != nil {
			t.Error(err)
		}
		cert, culprits, err = k.Certificate()
		if err != nil || len(culprits) > 0 || cert.Mask.Count() != 16 {
			t.Errorf("all right now: %v, %v, %v", cert.Mask, culprits, err)
		}
	})
}

func TestTooManyWrongSharesLeaveNoQuorumYet(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 4)
		k := cosi.NewCollector(m.committee, []byte("block"))
		add := func(seat int, said string) {
			t.Helper()
			if err := k.AddShare(seat, m.share(t, seat, said)); err != nil {
				t.Fatal(err)
			}
		}
		add(0, "block")
		add(1, "lie")
		add(2, "block")
		_, culprits, err := k.Certificate()
		wantErr(t, err, cosi.ErrQuorum, "two of four")
		if !slices.Equal(culprits, []int{1}) || k.Count() != 2 {
			t.Errorf("culprits %v, %d left", culprits, k.Count())
		}
		add(3, "block")
		cert, culprits, err := k.Certificate()
		if err != nil || len(culprits) > 0 || m.committee.Verify([]byte("block"), cert) != nil {
			t.Errorf("three of four: %v, %v", culprits, err)
		}
	})
}

func TestARoundInATree(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 13)
		root := cosi.NewCollector(m.committee, []byte("block"))
		for _, subtree := range [][]int{{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}} {
			inner := cosi.NewCollector(m.committee, []byte("block"))
			for _, leaf := range subtree {
				said := "block"
				if leaf == 7 {
					said = "lie"
				}
				if err := inner.AddShare(leaf, m.share(t, leaf, said)); err != nil {
					t.Fatal(err)
				}
			}
			sum, err := inner.Aggregate()
			if err != nil {
				t.Fatal(err)
			}
			if !sum.Mask.Within(maskOf(13, subtree...)) || sum.Mask.Within(maskOf(13, subtree[1:]...)) {
				t.Errorf("the sum of %v is of %v", subtree, sum.Mask.Members())
			}
			if err := root.Add(subtree[0], sum); err != nil {
				t.Fatal(err)
			}
			if subtree[0] == 5 {
				// The inner node that checks finds out who it was.
				if culprits := inner.Settle(); !slices.Equal(culprits, []int{7}) || inner.Count() != 3 {
					t.Errorf("inner node names %v, keeps %d", culprits, inner.Count())
				}
			}
		}
		if err := root.AddShare(0, m.share(t, 0, "block")); err != nil {
			t.Fatal(err)
		}
		// Nine are left: a quorum of 13 with f = 4.
		cert, culprits, err := root.Certificate()
		if err != nil || !slices.Equal(culprits, []int{5}) {
			t.Fatalf("culprits %v, %v", culprits, err)
		}
		if !slices.Equal(cert.Mask.Absent(), []int{5, 6, 7, 8}) || m.committee.Verify([]byte("block"), cert) != nil {
			t.Errorf("certificate of %v", cert.Mask.Members())
		}
		// The subtree falls back to a star.
		for _, leaf := range []int{5, 6, 8} {
			if err := root.AddShare(leaf, m.share(t, leaf, "block")); err != nil {
				t.Fatal(err)
			}
		}
		cert, culprits, err = root.Certificate()
		if err != nil || len(culprits) > 0 || !slices.Equal(cert.Mask.Absent(), []int{7}) || m.committee.Verify([]byte("block"), cert) != nil {
			t.Errorf("after the fall-back: %v, %v, %v", cert.Mask.Absent(), culprits, err)
		}
	})
}

// The search names exactly who is wrong, in whatever order things come and
// however often it is asked, as checking every share would.
func TestTheSearchNamesAllAndOnlyTheWrong(t *testing.T) {
	scheme := cositest.New("search")
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, 40).Draw(rt, "size")
		m := gather(t, scheme, size)
		lies := rapid.SliceOfN(rapid.Bool(), size, size).Draw(rt, "lies")
		order := rapid.Permutation(seatsOf(size)).Draw(rt, "order")
		k := cosi.NewCollector(m.committee, []byte("block"))
		var named, wrong, right []int
		for _, seat := range order {
			said := "block"
			if lies[seat] {
				said = "lie"
				wrong = append(wrong, seat)
			} else {
				right = append(right, seat)
			}
			if err := k.AddShare(seat, m.share(t, seat, said)); err != nil {
				rt.Fatal(err)
			}
			if rapid.IntRange(0, 5).Draw(rt, "settle") == 0 {
				named = append(named, k.Settle()...)
			}
		}
		cert, culprits, err := k.Certificate()
		named = append(named, culprits...)
		if k.Count() < m.committee.Quorum() && len(named) < len(wrong) {
			named = append(named, k.Settle()...) // there was no quorum to look at
		}
		slices.Sort(named)
		slices.Sort(wrong)
		if !slices.Equal(named, wrong) {
			rt.Fatalf("named %v, wrong were %v", named, wrong)
		}
		enough := len(right) >= m.committee.Quorum()
		if enough != (err == nil) || !enough && !errors.Is(err, cosi.ErrQuorum) {
			rt.Fatalf("%d of %d are right: %v", len(right), size, err)
		}
		if enough && m.committee.Verify([]byte("block"), cert) != nil {
			rt.Fatal("the certificate does not verify")
		}
	})
}

func TestCommitteesThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 3)
		for what, keys := range map[string][]cosi.PublicKey{
			"empty":                  nil,
			"a key twice":            {m.keys[0], m.keys[1], m.keys[0]},
			"no key":                 {m.keys[0], {}},
			"the neutral element":    {m.keys[0], {0xc0}},
			"more than can be named": make([]cosi.PublicKey, cosi.MaxSeats+1),
		} {
			_, err := scheme.NewCommittee(keys)
			wantErr(t, err, cosi.ErrKey, what)
			_, err = m.committee.Derive(keys)
			wantErr(t, err, cosi.ErrKey, what+", derived")
		}
	})
}

func TestADerivedCommitteeIsTheSameAsANewOne(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		all := gather(t, scheme, 6)
		keys := []cosi.PublicKey{all.keys[5], all.keys[1], all.keys[3]}
		extra, err := scheme.Public(cositest.Secret(77))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, extra)
		derived, err := all.committee.Derive(keys)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := scheme.NewCommittee(keys)
		if err != nil {
			t.Fatal(err)
		}
		k := cosi.NewCollector(derived, []byte("block"))
		for seat, secret := range []cosi.Secret{all.secrets[5], all.secrets[1], {}, cositest.Secret(77)} {
			if seat == 2 {
				continue
			}
			sig, err := scheme.Sign(secret, []byte("block"))
			if err != nil {
				t.Fatal(err)
			}
			if err := k.AddShare(seat, sig); err != nil {
				t.Fatal(err)
			}
		}
		cert, _, err := k.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*cosi.Committee{derived, fresh} {
			if err := c.Verify([]byte("block"), cert); err != nil {
				t.Error(err)
			}
			if c.Size() != 4 || c.Seat(extra) != 3 || c.Seat(all.keys[0]) != -1 || c.Key(1) != all.keys[1] {
				t.Error("seats are mixed up")
			}
		}
		wantErr(t, all.committee.Verify([]byte("block"), cert), cosi.ErrMask, "by the other committee")
	})
}

func TestPossession(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 2)
		proof, err := scheme.Prove(m.secrets[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := scheme.VerifyPossession(m.keys[0], proof); err != nil {
			t.Fatal(err)
		}
		wantErr(t, scheme.VerifyPossession(m.keys[1], proof), cosi.ErrSignature, "somebody else's proof")
		wantErr(t, scheme.VerifyPossession(m.keys[0], m.share(t, 0, string(m.keys[0][:]))), cosi.ErrSignature, "a share on the key")
		wantErr(t, m.committee.VerifyShare(0, m.keys[0][:], proof), cosi.ErrSignature, "a proof as a share on the key")
		wantErr(t, scheme.VerifyPossession(m.keys[0], cosi.Signature{0xc0}), cosi.ErrPoint, "the neutral proof")
		wantErr(t, scheme.VerifyPossession(cosi.PublicKey{0xc0}, cosi.Signature{0xc0}), cosi.ErrKey, "the neutral key")
		wantErr(t, scheme.VerifyPossession(cosi.PublicKey{}, proof), cosi.ErrKey, "no key")
	})
}
