package node

import (
	"context"
	"fmt"

	"ios/chain"
	"ios/node/api"
)

var (
	_ api.Backend = (*Node)(nil)
	_ api.Shard   = (*member)(nil)
)

// Shard implements api.Backend.
func (n *Node) Shard(want *chain.ShardID) (api.Shard, error) {
	m := n.newest()
	if want != nil {
		m = n.member(*want)
	}
	switch {
	case m != nil:
		return m, nil
	case want != nil:
		return nil, n.notHere(*want)
	}
	return nil, chain.Rule(chain.ErrNotReady, "the validator takes part in no shard; use another one")
}

// ID implements api.Shard.
func (m *member) ID() chain.ShardID { return m.chain }

// notHere refuses what is about a shard that does not run here.
func (n *Node) notHere(shard chain.ShardID) error {
	return chain.Rule(chain.ErrWrongShard, "this validator does not take part in shard %d; ask one that does", shard)
}

// Coins implements api.Backend.
func (n *Node) Coins(ctx context.Context, owner chain.Address, after *chain.OutPoint, max int) (api.CoinsPage, error) {
	shard := owner.Shard(n.net.params.Shards)
	if m := n.member(shard); m != nil {
		return m.Coins(ctx, owner, after, max)
	}
	return api.CoinsPage{}, chain.Rule(chain.ErrWrongShard, "the address lives in shard %d, in which this validator does not take part", shard)
}

// Carry implements api.Backend.
func (n *Node) Carry(ctx context.Context, raw []byte) error {
	b, err := n.net.params.DecodeBundle(raw)
	if err != nil {
		return err
	}
	if m := n.member(b.Segment.Dest); m != nil {
		return m.carry(ctx, b)
	}
	return n.notHere(b.Segment.Dest)
}

// Ready implements api.Backend: one shard that serves is enough to be asked.
func (n *Node) Ready() (reasons []string) {
	list := n.members()
	for _, m := range list {
		reason := m.ready()
		if reason == "" {
			return nil
		}
		if len(list) > 1 {
			reason = fmt.Sprintf("shard %d: %s", m.chain, reason)
		}
		reasons = append(reasons, reason)
	}
	if reasons == nil {
		reasons = []string{api.NoShard}
	}
	return reasons
}

// memberships are the shards that run here.
func (n *Node) memberships() (list []api.Membership) {
	for _, m := range n.members() {
		in := api.Membership{Shard: m.chain, Height: m.view.at()}
		in.Phase, in.Reason = m.view.phaseAndReason()
		m.transition(&in)
		list = append(list, in)
	}
	return list
}
