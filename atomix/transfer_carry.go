package atomix

import (
	"errors"

	"ios/chain"
)

// fetch begins to bring the shard of v an answer that it may lack: that of
// another shard, each in turn. It is false when no other shard has one.
func (t *Transfer) fetch(v *view) bool {
	if v.outcome == 0 && t.decisive == TransferAbort {
		return false // it would only lock what is to be given back
	}
	for range t.involved {
		v.source = (v.source + 1) % len(t.involved)
		from := t.views[t.involved[v.source]]
		if from == v || from.outcome == 0 || (v.outcome == 0 && !from.outcome.Yes()) {
			continue
		}
		p := t.pick(from)
		t.begin(v, fetching, p, FetchBundle{p, v.shard})
		return true
	}
	return false
}

func (t *Transfer) fetched(ev *Fetched) {
	v := t.waitsFor(fetching, ev.Dest, ev.Peer)
	if v == nil {
		return
	}
	if ev.Err != nil || ev.Bundle == nil {
		v.quiet++
		t.rest(v)
		return
	}
	b, err := t.complete(ev)
	if errors.Is(err, chain.ErrNotReady) {
		v.quiet++
		t.rest(v)
		return
	} else if err != nil {
		t.lied(ev.Peer, err)
		t.rest(v)
		return
	}
	p := t.pick(v)
	t.begin(v, carrying, p, Carry{p, b})
}

// complete checks a bundle and puts the transaction into it, which the
// destination may not know; all others are left out.
func (t *Transfer) complete(ev *Fetched) (*chain.Bundle, error) {
	b := ev.Bundle
	if err := b.CheckOrigin(t.cfg.Params, ev.Dest); err != nil {
		return nil, err
	}
	if b.Header.Shard != ev.Shard {
		return nil, chain.Rule(chain.ErrWrongShard, "a proof of shard %d from shard %d", b.Header.Shard, ev.Shard)
	}
	if err := b.VerifyPath(); err != nil {
		return nil, err
	}
	committee, err := t.committee(ev.Shard, b.Header.Term())
	if err != nil {
		return nil, err
	}
	if err := b.Cert.Verify(committee, &b.Header, b.Header.Hash()); err != nil {
		return nil, err
	}
	for i := range b.Segment.Entries {
		if b.Segment.Entries[i].ID == t.cfg.Tx.ID {
			return &chain.Bundle{Header: b.Header, Cert: b.Cert, Place: b.Place, Segment: b.Segment, Txs: []chain.Tx{*t.cfg.Tx}}, nil
		}
	}
	return nil, chain.Rule(chain.ErrProof, "a proof that does not show %s", t.cfg.Tx.ID.Short())
}

func (t *Transfer) carried(ev *Carried) {
	v := t.waitsFor(carrying, ev.Shard, ev.Peer)
	if v == nil {
		return
	}
	if ev.Err != nil {
		t.failed(v)
		return
	}
	t.rest(v)
}
