package cosi_test

import (
	"fmt"
	"slices"
	"testing"

	"ios/chain/cosi"
)

// manySigned are certificates of blocks by different quorums.
func manySigned(t testing.TB, m *members, n int) (list []cosi.Signed) {
	t.Helper()
	s := len(m.keys)
	for i := range n {
		seats := slices.DeleteFunc(seatsOf(s), func(seat int) bool { return seat == i%3 && i%4 > 0 })
		msg := fmt.Sprint("block ", i)
		list = append(list, cosi.Signed{Msg: []byte(msg), Cert: cosi.Certificate(m.sum(t, msg, seats...))})
	}
	return list
}

// Many certificates are right together if each of them is, and not otherwise: also
// not if what is wrong with two of them adds up to nothing.
func TestManyCertificatesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, scheme cosi.Scheme) {
		m := gather(t, scheme, 7)
		good := manySigned(t, m, 9)
		if err := m.committee.VerifyAll(nil); err != nil {
			t.Error(err)
		}
		for _, n := range []int{1, 2, 9} {
			if err := m.committee.VerifyAll(good[:n]); err != nil {
				t.Errorf("%d that are right: %v", n, err)
			}
		}
		few, outsider := m.sum(t, "block 3", 0, 1, 2), gather(t, scheme, 8)
		for what, c := range map[string]struct {
			change func(list []cosi.Signed)
			want   error
		}{
			"two signatures of one set of seats swapped": {func(l []cosi.Signed) {
				l[0].Cert.Sig, l[4].Cert.Sig = l[4].Cert.Sig, l[0].Cert.Sig
			}, cosi.ErrSignature},
			"two signatures of two sets swapped": {func(l []cosi.Signed) {
				l[1].Cert.Sig, l[2].Cert.Sig = l[2].Cert.Sig, l[1].Cert.Sig
			}, cosi.ErrSignature},
			"two messages swapped":     {func(l []cosi.Signed) { l[0].Msg, l[8].Msg = l[8].Msg, l[0].Msg }, cosi.ErrSignature},
			"another message":          {func(l []cosi.Signed) { l[8].Msg = []byte("other") }, cosi.ErrSignature},
			"a seat that did not sign": {func(l []cosi.Signed) { l[5].Cert.Mask = maskOf(7, seatsOf(7)...) }, cosi.ErrSignature},
			"an outsider": {func(l []cosi.Signed) {
				l[4].Cert.Sig = outsider.sum(t, "block 4", 0, 1, 2, 3, 4, 5, 7).Sig
			}, cosi.ErrSignature},
			"below quorum":        {func(l []cosi.Signed) { l[3].Cert = cosi.Certificate(few) }, cosi.ErrQuorum},
			"a larger committee":  {func(l []cosi.Signed) { l[3].Cert.Mask = maskOf(8, 0, 1, 2, 3, 4) }, cosi.ErrMask},
			"no signature":        {func(l []cosi.Signed) { l[6].Cert.Sig = cosi.Signature{} }, cosi.ErrPoint},
			"the neutral element": {func(l []cosi.Signed) { l[6].Cert.Sig = cosi.Signature{0xc0} }, cosi.ErrPoint},
		} {
			list := slices.Clone(good)
			c.change(list)
			wantErr(t, m.committee.VerifyAll(list), c.want, what)
		}
	})
}

// BenchmarkVerifyAll is what a certificate costs among 32.
func BenchmarkVerifyAll(b *testing.B) {
	m := gather(b, cosi.BLS{}, 4)
	var list []cosi.Signed
	for i := range 32 {
		msg := fmt.Sprint("block ", i)
		list = append(list, cosi.Signed{Msg: []byte(msg), Cert: cosi.Certificate(m.sum(b, msg, 0, 1+i%3, 1+(i+1)%3))})
	}
	for b.Loop() {
		if err := m.committee.VerifyAll(list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(list)), "µs/certificate")
}
