package atomix

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"ios/chain"
	"ios/chain/utxo"
)

var be = binary.BigEndian

// State is the ledger of one shard. It is changed by Execute, Revert and
// Finalize only, and belongs to one goroutine.
type State struct {
	params *chain.Params
	shard  chain.ShardID

	coins   *utxo.Set
	open    map[chain.TxID]*record
	locked  map[chain.OutPoint]chain.TxID // which open transfer holds an input
	decided map[chain.TxID]Decision
	height  uint64 // of the last final block
	epoch   uint64 // of the last final block
	began   uint64 // height of the first block of that epoch
	base    uint64 // what the genesis allocated here
	sums    sums
	between map[uint64]Net // by expiry

	exec execution
	// broken is set when an undo fails, which only a fault of memory can cause.
	broken error
}

// sums are the counters that every audit compares with a recount.
type sums struct {
	value  uint64 // coins, locked inputs and fees
	locked uint64 // inputs in open transfers
	fees   uint64
}

// Decision is how a transaction across shards was closed.
type Decision struct {
	Outcome chain.Outcome // Rejected, Committed or Aborted
	Told    uint64        // height of the block whose outcomes tell the other shards
	Closed  uint64        // height of the block that closed it
	Expiry  uint64
}

// NewState makes an empty ledger. The seed is random and secret, see [utxo.New].
func NewState(p *chain.Params, shard chain.ShardID, seed [16]byte) *State {
	return &State{
		params: p, shard: shard,
		coins:   utxo.New(seed),
		open:    make(map[chain.TxID]*record),
		locked:  make(map[chain.OutPoint]chain.TxID),
		decided: make(map[chain.TxID]Decision),
		between: make(map[uint64]Net),
	}
}

// Genesis puts the shard's part of the genesis allocations into an empty ledger.
func (s *State) Genesis(allocations []chain.Output) error {
	if s.height != 0 || s.coins.Len() != 0 {
		return fmt.Errorf("atomix: the ledger of shard %d is not empty", s.shard)
	}
	tx := chain.AllocationTx(s.params.ChainID)
	for i := range allocations {
		a := &allocations[i]
		if a.Owner.Shard(s.params.Shards) != s.shard {
			continue
		}
		sum, carry := bits.Add64(s.base, a.Amount, 0)
		if carry != 0 {
			return chain.Rule(chain.ErrGenesis, "the allocations add up to more than 64 bits hold")
		}
		s.base = sum
		s.coins.Add(chain.OutPoint{Tx: tx, Index: uint32(i)}, utxo.Coin{Owner: a.Owner, Amount: a.Amount})
	}
	s.sums.value = s.base
	return nil
}

// Shard is the ledger's shard.
func (s *State) Shard() chain.ShardID { return s.shard }

// Height is the height of the last final block.
func (s *State) Height() uint64 { return s.height }

// Coins is the set of coins, for reading. It is that of the open execution while
// there is one; see [State.Owned] for what is final.
func (s *State) Coins() *utxo.Set { return s.coins }

// Status is what the shard finally recorded for a transaction across shards.
type Status struct {
	Outcome chain.Outcome
	Told    uint64 // height of the block whose outcomes tell the other shards
	Closed  uint64 // height of the block that closed it, 0 while it is open
	Expiry  uint64
	// Again: who shows in a block of this epoch that it waits for the answer is
	// answered anew; 0 if nobody is. It was told in an earlier epoch, and may
	// convince nobody by now.
	Again uint64
}

// Status tells what the shard recorded for a transaction across shards up to the
// last final block; an open execution does not show.
func (s *State) Status(id chain.TxID) (Status, bool) {
	if r := s.finalRecord(id); r != nil {
		return Status{Outcome: chain.Accepted, Told: s.finalTold(id, r.told), Expiry: r.tx.Expiry}, true
	}
	if d, ok := s.decided[id]; ok && d.Closed <= s.height {
		st := Status{Outcome: d.Outcome, Told: s.finalTold(id, d.Told), Closed: d.Closed, Expiry: d.Expiry}
		if st.Told < s.began {
			st.Again = s.epoch
		}
		return st, true
	}
	return Status{}, false
}

// finalRecord is what was open after the last final block.
func (s *State) finalRecord(id chain.TxID) *record {
	if r := s.open[id]; r != nil {
		if r.opened <= s.height {
			return r
		}
		return nil
	}
	if d, ok := s.decided[id]; ok && d.Closed > s.height {
		return s.Final().past.closed[id]
	}
	return nil
}

// finalTold is the height of the final block that last told the others, where told
// may be that of the open execution.
func (s *State) finalTold(id chain.TxID, told uint64) uint64 {
	if told <= s.height {
		return told
	}
	return s.Final().past.toldAt[id]
}

// OpenTx is a transaction that is open as of the last final block.
func (s *State) OpenTx(id chain.TxID) (*chain.Tx, bool) {
	if r := s.finalRecord(id); r != nil {
		return r.tx, true
	}
	return nil, false
}

// OpenRecords are the open transactions by ascending id. No execution may be
// open.
func (s *State) OpenRecords() []Opened {
	list := make([]Opened, 0, len(s.open))
	for _, r := range s.open {
		list = append(list, Opened{Tx: r.tx, Told: r.told, Yes: r.yes})
	}
	slices.SortFunc(list, func(a, b Opened) int { return bytes.Compare(a.Tx.ID[:], b.Tx.ID[:]) })
	return list
}
