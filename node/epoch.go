package node

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ios/chain"
	"ios/internal/sm"
	"ios/node/api"
	"ios/node/epochs"
	"ios/node/onetnet"
	"ios/node/validator"
	"ios/pob/byzcoin"
	"ios/transepoch"
	"ios/transepoch/identity"
)

// epochsDir has the records of epochs, in the data directory.
const epochsDir = "epochs"

// loadEpochs goes from the genesis to the newest epoch on disk.
func (n *Node) loadEpochs() (err error) {
	if n.records, err = openEpochStore(subdir(n.cfg.DataDir, epochsDir)); err != nil {
		return err
	}
	return n.records.load(n.net.book)
}

// NewEpoch takes the record of the next epoch, if it is proven, and tells the
// chains. A record that is known already is none. It may be called from any
// goroutine, and does not wait for the chains.
func (n *Node) NewEpoch(r *epochs.Record) error {
	n.turning.Lock()
	defer n.turning.Unlock()
	added, err := n.net.book.Add(r)
	if err != nil || !added {
		return err
	}
	n.log.Infof("epoch %d has begun", r.Number)
	if err := n.records.put(r); err != nil {
		// The identity chain has it, too, or whoever sent it.
		n.log.Errorf("the record of epoch %d is not on disk: %v", r.Number, err)
	}
	if err := n.wire.SetPeers(n.net.peers()); err != nil {
		n.log.Errorf("the validators of epoch %d cannot all be reached: %v", r.Number, err)
	}
	for _, x := range n.runners() {
		for _, ev := range x.owner.news() {
			go x.post(ev) // those that it has heard before are none to it
		}
	}
	if n.net.ends() {
		n.work.Go(n.retireKeys)
		n.work.Go(n.move)
	}
	return nil
}

// Epoch implements api.Backend.
func (n *Node) Epoch(_ context.Context, number uint64) (*epochs.Record, error) {
	if now := n.net.book.Number(); number > now {
		return nil, chain.Rule(api.ErrNotYet, "the current epoch is %d", now)
	}
	r, err := n.records.get(number)
	if errors.Is(err, chain.ErrNotReady) { // NewEpoch is about to store it
		n.turning.Lock()
		r, err = n.records.get(number)
		n.turning.Unlock()
	}
	return r, err
}

// toldEpochs is of how many epochs, the current one and those before, a chain is
// told: one that is behind enters them one after the other.
const toldEpochs = 3

// news implements owner: the epochs, and who should have the shard's newest
// blocks.
func (m *member) news() (list []sm.Event) {
	w := m.node.net
	now := w.book.Number()
	for e := now - min(now, toldEpochs) + 1; e <= now; e++ {
		if e < 2 {
			continue // the shard begins with it
		}
		known, err := m.epochKnown(e)
		if err != nil {
			m.log.Errorf("epoch %d: %v", e, err)
			continue
		}
		list = append(list, known)
	}
	if now > 1 {
		list = append(list, byzcoin.CommitteesChanged{}, byzcoin.SourcesChanged{Sources: w.others(m.chain)})
	}
	return list
}

func (m *member) epochKnown(number uint64) (ev validator.EpochKnown, err error) {
	if ev.Plan, err = m.node.net.book.Plan(number); err != nil {
		return ev, err
	}
	r, err := m.node.records.get(number)
	if err != nil {
		return ev, err
	}
	ev.Block, err = r.Block()
	return ev, err
}

// plan is that of an epoch, or nil.
func (w *network) plan(epoch uint64) *transepoch.Plan {
	p, err := w.book.Plan(epoch)
	if err != nil {
		return nil
	}
	return p
}

// name is what a validator is called.
func (w *network) name(id chain.ValidatorID) string {
	if v, ok := w.book.Current().Validator(id); ok {
		return v.Name
	}
	if int(id) < len(w.genesis.Validators) {
		return w.genesis.Validators[id].Name
	}
	return fmt.Sprint("validator ", id)
}

// shardsOf are the shards in which a validator has or gets a seat in the current
// epoch.
func (w *network) shardsOf(id chain.ValidatorID) (list []chain.ShardID) {
	for s := range chain.ShardID(w.params.Shards) {
		if seats, err := w.book.Seats(s); err == nil && slices.Contains(seats, id) {
			list = append(list, s)
		}
	}
	return list
}

// shardOf is the first shard of a validator.
func (w *network) shardOf(id chain.ValidatorID) chain.ShardID {
	if list := w.shardsOf(id); len(list) > 0 {
		return list[0]
	}
	return 0
}

// others are who can have a seat in a shard, without ourselves.
func (w *network) others(shard chain.ShardID) []chain.ValidatorID {
	seats, err := w.book.Seats(shard)
	if shard == chain.IdentityShard {
		seats, err = w.everybody(), nil
	}
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(seats, func(id chain.ValidatorID) bool { return id == w.self })
}

// everybody is the members of the current epoch.
func (w *network) everybody() (ids []chain.ValidatorID) {
	now := w.book.Current()
	for i := range now.Members {
		ids = append(ids, now.Members[i].ID)
	}
	return ids
}

// peers are the validators of the current epoch, and those with a seat in a
// shard: one that is stalled keeps its committee, also when a member has left the
// registry.
func (w *network) peers() (list []onetnet.Peer) {
	book := w.book.Snapshot()
	add := func(v *identity.Member) {
		if !slices.ContainsFunc(list, func(p onetnet.Peer) bool { return p.ID == v.ID }) {
			list = append(list, onetnet.Peer{ID: v.ID, Public: v.Identity[:], Address: v.Address})
		}
	}
	now := book.Current()
	for i := range now.Members {
		add(&now.Members[i])
	}
	for i := range now.Outgoing {
		add(&now.Outgoing[i])
	}
	for s := range chain.ShardID(w.params.Shards) {
		seats, _, err := epochs.Seats(book, s)
		if err != nil {
			continue // its plan is forgotten: nobody votes there any more
		}
		for _, id := range seats {
			if v, ok := epochs.Who(book, s, id); ok {
				add(v)
			}
		}
	}
	return list
}
