package byzcoin

import (
	"testing"
	"time"

	"ios/chain"
	"ios/internal/sm"
)

// signed is a body of an author that the machine has not received.
func (s *solo) signed(author int, number uint64, payload string) *chain.Body {
	b := &chain.Body{Chain: s.c.cfg.ChainID, Shard: s.c.cfg.Shard, Epoch: s.c.cfg.Epoch, Batch: s.c.cfg.Batch, Author: s.c.ids[author], Number: number, Payload: []byte(payload)}
	b.SignBody(s.c.keys[author])
	return b
}

// A runner that indexes bodies by author and number finds the final one last in
// the log, whatever else an author signed under its number and when.
func TestTheFinalBodyIsTheLastOfItsNumberInTheLog(t *testing.T) {
	s := newSolo(t, 4, 2)
	first, second := s.signed(1, 1, "first"), s.signed(1, 1, "second")
	// The check of the first takes long: meanwhile a block lists the second.
	s.m.Step(s.now, sm.Receive{From: s.c.ids[1], Msg: &Body{first}})
	ref := second.Ref()
	h := chain.Header{Chain: s.c.cfg.ChainID, Shard: s.c.cfg.Shard, Epoch: s.c.cfg.Epoch, Batch: s.c.cfg.Batch, Height: 1, Parent: s.m.hash}
	p := s.c.forge(&Proposal{Header: h}, []chain.BodyRef{ref}, chain.Hash{}, func(chain.BodyRef) []byte { return second.Payload })
	s.receive(0, p)
	s.receive(0, &Body{second})
	if votes := s.shares(); len(votes) != 1 {
		t.Fatal("it does not prepare the block with the second body")
	}
	s.step(Checked{Hash: first.Hash})
	s.receive(0, s.certified(p, chain.Commit, 0, 1, 3))
	if s.m.height != 1 {
		t.Fatal("the block is not final")
	}
	var last *chain.Body
	acked := false
	for _, r := range s.records {
		if r.Kind == RecordBody || r.Kind == RecordPulled {
			b, err := chain.DecodeBody(r.Data)
			must(t, err)
			acked = acked || r.Kind == RecordBody && b.Hash == first.Hash
			last = b
		}
	}
	if !acked {
		t.Fatal("the first body was not acked, which makes the test worthless")
	}
	if last.Hash != second.Hash {
		t.Error("the last body in the log is not the final one")
	}
	s.restart()
	if s.m.height != 1 {
		t.Error("the log does not lead to the block again")
	}
}

// A body that comes with a final block is kept and shown to others: with a
// signature that is not its author's, they would drop us for it.
func TestSynchronizedBodiesAreSigned(t *testing.T) {
	s := newSolo(t, 4, 2)
	good := s.signed(1, 1, "a")
	h := chain.Header{Chain: s.c.cfg.ChainID, Shard: s.c.cfg.Shard, Epoch: s.c.cfg.Epoch, Batch: s.c.cfg.Batch, Height: 1, Parent: s.m.hash}
	p := s.c.forge(&Proposal{Header: h}, []chain.BodyRef{good.Ref()}, chain.Hash{}, func(chain.BodyRef) []byte { return good.Payload })
	cert := s.certified(p, chain.Commit, 0, 1, 3)
	block := (&chain.Block{Header: p.Header, Refs: p.Refs, Cert: cert.Cert}).AppendTo(nil)
	reply := func(body *chain.Body) *SyncReply {
		r, err := NewSyncReply([][]byte{block}, [][][]byte{{body.Raw}})
		must(t, err)
		msg, err := Decode(r.AppendTo(nil))
		must(t, err)
		return msg.(*SyncReply)
	}
	bad := *good
	bad.Raw = append([]byte(nil), good.Raw...)
	bad.Raw[len(bad.Raw)-40] ^= 1

	s.receive(0, cert)
	s.wait(time.Second)
	if len(s.m.sync.out) != 1 {
		t.Fatal("it does not ask for the block")
	}
	liar := s.m.seats[s.m.sync.out[0].peer]
	s.receive(liar, reply(&bad))
	if s.m.height != 0 {
		t.Fatal("it takes a block with a body that its author did not sign")
	}
	if len(s.m.peers[liar].accused) != 1 {
		t.Error("it does not say who sent it")
	}
	s.wait(500 * time.Millisecond)
	if len(s.m.sync.out) != 1 || s.m.seats[s.m.sync.out[0].peer] == liar {
		t.Fatal("it does not ask another member")
	}
	s.receive(s.m.seats[s.m.sync.out[0].peer], reply(good))
	if s.m.height != 1 {
		t.Error("it does not take the block")
	}
}

// A snapshot may be wanted while a block is being voted on: the execution is
// taken back for it and repeated when the block becomes final.
func TestAnOpenExecutionIsTakenBackAndRepeated(t *testing.T) {
	s := newSolo(t, 4, 2)
	p := s.proposal(0, s.body(1, 1, "a"))
	s.receive(0, p)
	app := s.m.cfg.App.(*ledger)
	if !app.opened {
		t.Fatal("the proposal is not executed")
	}
	s.m.Revert()
	s.m.Revert()
	if app.opened {
		t.Fatal("the execution is still open")
	}
	s.receive(0, s.certified(p, chain.Prepare, 0, 1, 2))
	if votes := s.shares(); len(votes) != 2 {
		t.Errorf("%d votes after the execution was taken back", len(votes))
	}
	s.receive(0, s.certified(p, chain.Commit, 0, 1, 2))
	if s.m.height != 1 || app.state != p.Header.Outcomes || app.broken != nil {
		t.Errorf("height %d, %v", s.m.height, app.broken)
	}
}
