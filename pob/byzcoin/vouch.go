package byzcoin

import (
	"ios/chain"
	"ios/chain/cosi"
)

// maxVouched bounds the certificates that are checked together.
const maxVouched = maxFacts / 2

// vouch checks the certificates of the next blocks that came from logs all at
// once, which costs less than one after the other: who catches up does little else.
// If one of them is wrong, they are looked at one by one.
func (m *Machine) vouch(got []fetched) {
	for len(got) > 0 && got[0].Block.Header.Height <= m.height {
		got = got[1:]
	}
	if m.height < m.doubted {
		return
	}
	var list []Certified
	var claims []cosi.Signed
	for i := range got {
		b := got[i].Block
		h := &b.Header
		if h.Height != m.height+1+uint64(i) || h.Term() != m.term() || b.Cert.Phase != chain.Commit || len(list) == maxVouched {
			break
		}
		c := Certified{h.Height, h.Hash(), b.Cert}
		if m.verified.has(&c) {
			return // those that were checked together are not used up
		}
		list = append(list, c)
		claims = append(claims, cosi.Signed{Msg: chain.VoteBytes(m.voteHeader(c.Height), c.Block, c.Cert.View, c.Cert.Phase), Cert: c.Cert.Certificate})
	}
	if len(list) < 2 {
		return
	}
	if m.cfg.Committee.VerifyAll(claims) != nil {
		m.doubted = list[len(list)-1].Height
		return
	}
	for i := range list {
		m.verified.add(&list[i])
	}
}
