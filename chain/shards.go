package chain

// ShardID names a shard, or the identity chain: [IdentityShard].
type ShardID uint16

// MaxShards bounds the shards of a network, a power of two.
const MaxShards = 256

// Shards is a set of shards. The identity chain may be in it, too.
type Shards [MaxShards/64 + 1]uint64

// member is the bit of s in the set.
func member(s ShardID) ShardID {
	if s == IdentityShard {
		return MaxShards
	}
	return s
}

// Add puts s into the set.
func (m *Shards) Add(s ShardID) { s = member(s); m[s/64] |= 1 << (s % 64) }

// Remove takes s out of the set.
func (m *Shards) Remove(s ShardID) { s = member(s); m[s/64] &^= 1 << (s % 64) }

// Has reports whether s is in the set.
func (m *Shards) Has(s ShardID) bool {
	if s >= MaxShards && s != IdentityShard {
		return false
	}
	s = member(s)
	return m[s/64]>>(s%64)&1 == 1
}

// Contains reports whether all of o are in the set.
func (m *Shards) Contains(o *Shards) bool {
	for i := range m {
		if o[i]&^m[i] != 0 {
			return false
		}
	}
	return true
}

// List is the shards in ascending order, without the identity chain.
func (m *Shards) List() []ShardID {
	var list []ShardID
	for s := range ShardID(MaxShards) {
		if m.Has(s) {
			list = append(list, s)
		}
	}
	return list
}

// AppendTo appends the canonical encoding of the shards, without the identity
// chain.
func (m *Shards) AppendTo(dst []byte) []byte {
	for _, word := range m[:MaxShards/64] {
		dst = be.AppendUint64(dst, word)
	}
	return dst
}

// Shards reads what AppendTo wrote.
func (r *Reader) Shards() (m Shards) {
	for i := range m[:MaxShards/64] {
		m[i] = r.U64()
	}
	return m
}

// OnlyShard is the shard of t when it involves just one.
func (p *Params) OnlyShard(t *Tx) (ShardID, bool) {
	s := t.Inputs[0].Shard(p.Shards)
	for i := 1; i < len(t.Inputs); i++ {
		if t.Inputs[i].Shard(p.Shards) != s {
			return 0, false
		}
	}
	for i := range t.Outputs {
		if t.Outputs[i].Shard(p.Shards) != s {
			return 0, false
		}
	}
	return s, true
}

// InputShards are the shards that hold an input of t.
func (p *Params) InputShards(t *Tx) (m Shards) {
	for i := range t.Inputs {
		m.Add(t.Inputs[i].Shard(p.Shards))
	}
	return m
}

// Involved are the shards that hold an input or get an output of t.
func (p *Params) Involved(t *Tx) Shards {
	m := p.InputShards(t)
	for i := range t.Outputs {
		m.Add(t.Outputs[i].Shard(p.Shards))
	}
	return m
}

// FeeShard is where the fee of t is booked: the shard of its smallest input.
func (p *Params) FeeShard(t *Tx) ShardID {
	least := &t.Inputs[0]
	for i := 1; i < len(t.Inputs); i++ {
		if t.Inputs[i].OutPoint.Compare(least.OutPoint) < 0 {
			least = &t.Inputs[i]
		}
	}
	return least.Shard(p.Shards)
}
