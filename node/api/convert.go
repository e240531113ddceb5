package api

import (
	"time"

	"ios/chain"
	"ios/node/api/ledgerpb"
)

// Conversions between the types of this package and those on the wire. What
// comes from the wire is checked.

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromUnixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}

func coinsToWire(p *CoinsPage) *ledgerpb.CoinsResponse {
	out := &ledgerpb.CoinsResponse{Height: p.Height, Coins: make([]*ledgerpb.Coin, len(p.Coins))}
	for i := range p.Coins {
		c := &p.Coins[i]
		out.Coins[i] = &ledgerpb.Coin{Tx: c.Tx.String(), Index: c.Index, Amount: c.Amount}
	}
	if !p.Done && len(p.Coins) > 0 {
		out.Next = encodeCursor(p.Coins[len(p.Coins)-1].OutPoint)
	}
	return out
}

func coinsFromWire(m *ledgerpb.CoinsResponse) (CoinsPage, error) {
	p := CoinsPage{Height: m.Height, Done: len(m.Next) == 0, Coins: make([]Coin, len(m.Coins))}
	for i, c := range m.Coins {
		tx, err := parseID(c.Tx)
		if err != nil {
			return p, chain.Rule(chain.ErrEncoding, "coin %d of the answer: %v", i, err)
		}
		p.Coins[i] = Coin{OutPoint: chain.OutPoint{Tx: tx, Index: c.Index}, Amount: c.Amount}
	}
	return p, nil
}

func outcomeToWire(o *Outcome) *ledgerpb.OutcomeResponse {
	out := &ledgerpb.OutcomeResponse{
		State: ledgerpb.State(o.State), Height: o.Height, Time: unixNano(o.Time), Reason: o.Reason, Proof: o.Proof,
	}
	for _, s := range o.Involved {
		out.Involved = append(out.Involved, uint32(s))
	}
	return out
}

func outcomeFromWire(m *ledgerpb.OutcomeResponse) (Outcome, error) {
	o := Outcome{State: State(m.State), Height: m.Height, Time: fromUnixNano(m.Time), Reason: m.Reason, Proof: m.Proof}
	if m.State < 0 || m.State >= ledgerpb.State(stateEnd) {
		return o, chain.Rule(chain.ErrEncoding, "unknown state %d in the answer", m.State)
	}
	for _, s := range m.Involved {
		if s >= chain.MaxShards {
			return o, chain.Rule(chain.ErrEncoding, "unknown shard %d in the answer", s)
		}
		o.Involved = append(o.Involved, chain.ShardID(s))
	}
	return o, nil
}

func refusalsFromWire(m *ledgerpb.SubmitResponse) SubmitResult {
	res := SubmitResult{Accepted: int(m.Accepted)}
	for _, f := range m.Refused {
		res.Refused = append(res.Refused, Refusal{Index: int(f.Index), Kind: chain.ErrorKind(f.Kind), Text: f.Text})
	}
	return res
}

func blockEventToWire(e *BlockEvent, summary bool) *ledgerpb.BlockEvent {
	m := &ledgerpb.BlockEvent{
		Height: e.Height, Hash: e.Hash.String(), Time: unixNano(e.Time), Epoch: e.Epoch, View: e.View,
		Recorded: uint32(e.Outcomes.Len()), Unapplied: uint32(e.Skipped.Len()),
	}
	if !summary {
		m.Outcomes, m.Skipped = e.Outcomes, e.Skipped
	}
	return m
}

func blockEventFromWire(m *ledgerpb.BlockEvent) (*BlockEvent, error) {
	hash, err := parseID(m.Hash)
	if err != nil {
		return nil, chain.Rule(chain.ErrEncoding, "event of block %d: %v", m.Height, err)
	}
	if len(m.Outcomes)%packedSize != 0 || len(m.Skipped)%packedSize != 0 {
		return nil, chain.Rule(chain.ErrEncoding, "event of block %d: a list of %d or %d bytes is none of pairs", m.Height, len(m.Outcomes), len(m.Skipped))
	}
	return &BlockEvent{
		Height: m.Height, Hash: hash, Time: fromUnixNano(m.Time), Epoch: m.Epoch, View: m.View,
		Recorded: int(m.Recorded), Unapplied: int(m.Unapplied),
		Outcomes: m.Outcomes, Skipped: m.Skipped,
	}, nil
}

func statusToWire(s *Status) *ledgerpb.StatusResponse {
	m := &ledgerpb.StatusResponse{
		ChainId: s.ChainID.String(), Network: s.Network, Shard: uint32(s.Shard), Shards: uint32(s.Shards),
		Validator: uint32(s.Validator), Name: s.Name, Pid: int64(s.PID), Version: s.Version, Started: unixNano(s.Started),
		Phase: s.Phase, Percent: s.Percent, Reason: s.Reason, WaitsFor: s.WaitsFor, NextAction: s.NextAction,
		Height: s.Height, BlockTime: unixNano(s.BlockTime), View: s.View, Leader: uint32(s.Leader), Epoch: s.Epoch,
		Mempool: &ledgerpb.Mempool{Transactions: s.Mempool.Txs, Bytes: s.Mempool.Bytes, Capacity: s.Mempool.Capacity},
		Supply: &ledgerpb.Supply{
			Value: s.Supply.Value, Between: s.Supply.Between, Open: s.Supply.Open, Fees: s.Supply.Fees, Coins: s.Supply.Coins,
		},
		Resources: &ledgerpb.Resources{
			CpuSeconds: s.Resources.CPUSeconds, RssBytes: s.Resources.RSS,
			DiskBytes: s.Resources.Disk, Goroutines: s.Resources.Goroutines,
		},
	}
	for i := range s.Memberships {
		in := &s.Memberships[i]
		m.Memberships = append(m.Memberships, &ledgerpb.Membership{
			Shard: uint32(in.Shard), Phase: in.Phase, Reason: in.Reason, Height: in.Height,
			Epoch: in.Epoch, Batch: in.Batch, Batches: in.Batches, Absent: in.Absent, Transition: in.Transition,
		})
	}
	m.Coming = comingToWire(s.Coming)
	if f := s.Registry; f != nil {
		m.Registry = &ledgerpb.Registry{Height: f.Height, Staked: f.Staked, Unbonding: f.Unbonding, Credit: f.Credit, Due: f.Due, Between: f.Between}
	}
	for i := range s.Peers {
		p := &s.Peers[i]
		m.Peers = append(m.Peers, &ledgerpb.Peer{
			Validator: uint32(p.Validator), Name: p.Name, Shard: uint32(p.Shard), Connected: p.Connected,
			LastHeard: unixNano(p.LastHeard), QueuedBytes: p.Queued, Dropped: p.Dropped, Error: p.Error,
		})
	}
	return m
}

func statusFromWire(m *ledgerpb.StatusResponse) (*Status, error) {
	id, err := chain.ParseHash(clip(m.ChainId))
	if err != nil {
		return nil, chain.Rule(chain.ErrEncoding, "chain id of the answer: %v", err)
	}
	if m.Shard >= chain.MaxShards && m.Shard != uint32(chain.IdentityShard) || m.Shards > chain.MaxShards || m.Validator >= chain.MaxPlaces {
		return nil, chain.Rule(chain.ErrEncoding, "an answer from validator %d of shard %d of %d", m.Validator, m.Shard, m.Shards)
	}
	pool, supply, res := m.GetMempool(), m.GetSupply(), m.GetResources()
	s := &Status{
		ChainID: id, Network: m.Network, Shard: chain.ShardID(m.Shard), Shards: int(m.Shards),
		Validator: chain.ValidatorID(m.Validator), Name: m.Name, PID: int(m.Pid), Version: m.Version, Started: fromUnixNano(m.Started),
		Phase: m.Phase, Percent: m.Percent, Reason: m.Reason, WaitsFor: m.WaitsFor, NextAction: m.NextAction,
		Height: m.Height, BlockTime: fromUnixNano(m.BlockTime), View: m.View, Leader: chain.ValidatorID(m.Leader), Epoch: m.Epoch,
		Mempool: Mempool{Txs: pool.GetTransactions(), Bytes: pool.GetBytes(), Capacity: pool.GetCapacity()},
		Supply: Supply{
			Value: supply.GetValue(), Between: supply.GetBetween(), Open: supply.GetOpen(), Fees: supply.GetFees(), Coins: supply.GetCoins(),
		},
		Resources: Resources{
			CPUSeconds: res.GetCpuSeconds(), RSS: res.GetRssBytes(), Disk: res.GetDiskBytes(), Goroutines: res.GetGoroutines(),
		},
	}
	for _, in := range m.Memberships {
		if in.Shard > uint32(chain.IdentityShard) {
			return nil, chain.Rule(chain.ErrEncoding, "an answer from a validator in shard %d", in.Shard)
		}
		s.Memberships = append(s.Memberships, Membership{
			Shard: chain.ShardID(in.Shard), Phase: in.Phase, Reason: in.Reason, Height: in.Height,
			Epoch: in.Epoch, Batch: in.Batch, Batches: in.Batches, Absent: in.Absent, Transition: in.Transition,
		})
	}
	s.Coming = comingFromWire(m.Coming)
	if f := m.Registry; f != nil {
		s.Registry = &Funds{Height: f.Height, Staked: f.Staked, Unbonding: f.Unbonding, Credit: f.Credit, Due: f.Due, Between: f.Between}
	}
	for _, p := range m.Peers {
		s.Peers = append(s.Peers, Peer{
			Validator: chain.ValidatorID(p.Validator), Name: p.Name, Shard: chain.ShardID(p.Shard), Connected: p.Connected,
			LastHeard: fromUnixNano(p.LastHeard), Queued: p.QueuedBytes, Dropped: p.Dropped, Error: p.Error,
		})
	}
	return s, nil
}
