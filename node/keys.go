package node

import (
	"ios/chain/cosi"
	"ios/chain/sig"
	"ios/node/council"
	"ios/pob/byzcoin"
)

// Keys are found by the signing key that a term or an epoch has for us: while keys are
// being replaced, chains differ in which ones count.

// keys finds all that a signing key stands for. The home is read when it is not known
// yet, so that a process takes new keys up by itself.
func (n *Node) keys(signing sig.PublicKey) (council.Keys, bool) {
	k, err := n.cfg.Keys.Find(signing)
	if err != nil {
		if now, _ := n.net.book.Signing(n.net.self); now == signing { // not of a term long ago, in the log
			n.log.Errorf("we are registered with keys that are not here, and take no part with them: %v", err)
		}
		return council.Keys{}, false
	}
	vote, err := cosi.BLS{}.Public(k.Cosi)
	if err != nil {
		n.log.Errorf("the key for votes: %v", err)
		return council.Keys{}, false
	}
	cosign := func(msg []byte) (cosi.Signature, error) { return cosi.BLS{}.Sign(k.Cosi, msg) }
	return council.Keys{Voice: byzcoin.Voice{Key: k.Signing, Cosign: cosign, Vote: vote}, VRF: k.VRF, PVSS: k.PVSS}, true
}

func (n *Node) voice(signing sig.PublicKey) (byzcoin.Voice, bool) {
	k, ok := n.keys(signing)
	return k.Voice, ok
}

// retireKeys deletes the keys that no chain needs any more in which we have a seat.
func (n *Node) retireKeys() {
	book, self := n.net.book.Snapshot(), n.net.self
	now := book.Current()
	own, ok := now.Validator(self)
	if !ok || n.cfg.Keys.Len() == 1 {
		return
	}
	since := max(now.Number, 2) - 1
	for _, s := range n.net.shardsOf(self) {
		plan, err := book.ShardPlan(s)
		if err != nil {
			return
		}
		since = min(since, plan.Epoch)
	}
	for _, m := range n.members() {
		since = min(since, m.epoch.Load())
	}
	used := make(map[sig.PublicKey]bool)
	for e := since; e < now.Number; e++ {
		rec, err := book.Record(e)
		if err != nil {
			return
		}
		if v, ok := rec.Validator(self); ok {
			used[v.Signing] = v.Signing != own.Signing
		}
	}
	gone, err := n.cfg.Keys.Retire(own.Signing, func(key sig.PublicKey) bool { return used[key] })
	if err != nil {
		n.log.Errorf("old keys are not deleted: %v", err)
	} else if gone > 0 {
		n.log.Infof("new keys count in all chains; %d older ones are deleted", gone)
	}
}
