package byzcoin

import (
	"testing"
	"time"
)

// Certificates of the next blocks of a term are checked together; a wrong one
// vouches for none of them, and is not looked for again and again.
func TestCertificatesOfTheNextBlocks(t *testing.T) {
	d := newDynasty(t, 4, reigns("0123 0123"), 1, calm)
	d.traffic(20 * time.Millisecond)
	d.net.RunFor(400 * time.Millisecond)
	d.turns(10*time.Millisecond, 1)
	d.eventually("the second term", d.at1(1), time.Second)
	end := d.top
	d.eventually("blocks of it", func() bool { return d.top > end+2 }, time.Second)
	first := uint64(0) // of the second term
	var log []fetched
	for h := uint64(1); h <= d.top; h++ {
		b := *d.blocks[h]
		log = append(log, fetched{SyncBlock: SyncBlock{Block: &b}})
		if first == 0 && b.Header.Term() == d.terms[1] {
			first = h
		}
	}
	if first < 6 {
		t.Fatalf("only %d blocks", d.top)
	}
	fresh := func() *Machine {
		c, err := NewChain(d.config(d.ids[0], &realm{terms: d.terms}))
		must(t, err)
		return c.m
	}
	known := func(m *Machine) (n uint64) {
		for i := range log {
			b := log[i].Block
			if m.verified.has(&Certified{b.Header.Height, b.Header.Hash(), b.Cert}) {
				n++
			}
		}
		return n
	}
	m := fresh()
	m.vouch(log)
	if got, want := known(m), min(first-1, maxVouched); got != want {
		t.Errorf("%d certificates are known, want those of the first term: %d", got, want)
	}
	m = fresh()
	good := log[3].Block.Cert.Sig
	log[3].Block.Cert.Sig = log[4].Block.Cert.Sig
	m.vouch(log)
	if got := known(m); got != 0 {
		t.Errorf("%d certificates are known beside a wrong one", got)
	}
	log[3].Block.Cert.Sig = good
	m.vouch(log)
	if got := known(m); got != 0 {
		t.Errorf("%d certificates are checked together again", got)
	}
}
