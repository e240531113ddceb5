package byzcoin

import (
	"slices"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/internal/sm"
)

// solo is one machine by itself; the test plays the others.
type solo struct {
	t       *testing.T
	c       *cluster // for the keys
	seat    int
	m       *Machine
	now     time.Time
	records []sm.Persist
	sent    []sm.Message
}

func newSolo(t *testing.T, size, seat int) *solo {
	s := &solo{t: t, c: newCluster(t, size, options{seed: 1}), seat: seat, now: time.Unix(5000, 0)}
	s.restart()
	return s
}

// restart builds the machine from its records and synchronizes it.
func (s *solo) restart() {
	cfg := s.c.config(s.c.ids[s.seat])
	cfg.App = &ledger{}
	m, err := Restore(cfg, nil, slices.Values(s.records))
	must(s.t, err)
	s.m, s.sent = m, nil
	s.now = s.now.Add(time.Second)
	s.step(Start{})
	for seat := range s.c.ids {
		s.receive(seat, &Answer{Nonce: m.status.nonce, View: m.view, Height: m.height})
	}
	if !m.status.synced {
		s.t.Fatal("not synced")
	}
}

func (s *solo) step(ev sm.Event) {
	for _, e := range s.m.Step(s.now, ev) {
		switch e := e.(type) {
		case sm.Persist:
			s.records = append(s.records, e)
		case sm.Send:
			s.sent = append(s.sent, e.Msg)
		case Check:
			s.step(Checked{Hash: e.Body.Hash})
		}
	}
}

func (s *solo) receive(from int, msg sm.Message) {
	if from != s.seat {
		s.step(sm.Receive{From: s.c.ids[from], Msg: msg})
	}
}

// wait passes time, with the timers that fall due.
func (s *solo) wait(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(5 * time.Millisecond)
		for kind := range timerKinds {
			if due := s.m.timers[kind]; !due.IsZero() && !due.After(s.now) {
				s.step(sm.Fire{Key: sm.TimerKey{Kind: kind}})
			}
		}
	}
}

func (s *solo) body(author int, number uint64, payload string) chain.BodyRef {
	b := &chain.Body{Chain: s.c.cfg.ChainID, Shard: s.c.cfg.Shard, Epoch: s.c.cfg.Epoch, Batch: s.c.cfg.Batch, Author: s.c.ids[author], Number: number, Payload: []byte(payload)}
	b.SignBody(s.c.keys[author])
	s.receive(author, &Body{b})
	return b.Ref()
}

// proposal is one for the machine's next height, signed by the leader of view.
func (s *solo) proposal(view uint64, refs ...chain.BodyRef) *Proposal {
	h := chain.Header{
		Chain: s.c.cfg.ChainID, Shard: s.c.cfg.Shard, Epoch: s.c.cfg.Epoch, Batch: s.c.cfg.Batch,
		Height: s.m.height + 1, Parent: s.m.hash,
	}
	return s.c.forge(&Proposal{View: view, Header: h}, refs, s.m.cfg.App.(*ledger).state, func(ref chain.BodyRef) []byte { return s.m.find(&ref).body.Payload })
}

// certified is a certificate of seats for a proposal.
func (s *solo) certified(p *Proposal, phase chain.Phase, seats ...int) *Certified {
	vote := chain.VoteBytes(&p.Header, p.block(), p.View, phase)
	col := cosi.NewCollector(s.c.cfg.Committee, vote)
	for _, seat := range seats {
		share, err := s.c.sign[seat](vote)
		must(s.t, err)
		must(s.t, col.AddShare(seat, share))
	}
	cert, _, err := col.Certificate()
	must(s.t, err)
	return &Certified{p.Header.Height, p.block(), chain.Certificate{View: p.View, Phase: phase, Certificate: cert}}
}

// shares are the votes that it sent since the last call.
func (s *solo) shares() (list []*Share) {
	for _, msg := range s.sent {
		if share, ok := msg.(*Share); ok {
			list = append(list, share)
		}
	}
	s.sent = nil
	return list
}

func TestVoteBindsAcrossARestart(t *testing.T) {
	s := newSolo(t, 4, 2)
	a, b := s.body(1, 1, "a"), s.body(3, 1, "b")
	first, second := s.proposal(0, a), s.proposal(0, b)
	s.receive(0, first)
	if votes := s.shares(); len(votes) != 1 || votes[0].Block != first.block() {
		t.Fatalf("no vote for the first proposal: %v", votes)
	}
	s.restart()
	s.receive(0, second)
	s.wait(time.Second)
	for _, v := range s.shares() {
		if v.Block != first.block() {
			t.Fatal("it votes for a second block of the view after a restart")
		}
	}
}

func TestVoteForTheSameBlockIsRepeatedAfterARestart(t *testing.T) {
	s := newSolo(t, 4, 2)
	p := s.proposal(0, s.body(1, 1, "a"))
	s.receive(0, p)
	s.restart()
	s.shares()
	s.receive(0, p)
	if votes := s.shares(); len(votes) == 0 || votes[0].Block != p.block() {
		t.Fatal("it does not repeat its vote")
	}
}

func TestLeaderProposesTheSameAfterARestart(t *testing.T) {
	s := newSolo(t, 4, 0)
	ref := s.body(1, 1, "a")
	s.receive(2, &Acks{[]chain.BodyRef{ref}})
	s.wait(50 * time.Millisecond)
	sent := func() *Proposal {
		for _, msg := range s.sent {
			if p, ok := msg.(*Proposal); ok {
				return p
			}
		}
		return nil
	}
	first := sent()
	if first == nil {
		t.Fatal("it proposes nothing")
	}
	s.restart()
	other := s.body(3, 1, "b")
	for _, seat := range []int{1, 2, 3} {
		s.receive(seat, &Acks{[]chain.BodyRef{ref, other}})
	}
	s.wait(500 * time.Millisecond)
	if again := sent(); again == nil || again.block() != first.block() {
		t.Fatalf("after a restart it proposes %v", again)
	}
}

func TestLockIsShownAfterARestart(t *testing.T) {
	s := newSolo(t, 4, 2)
	p := s.proposal(0, s.body(1, 1, "a"))
	s.receive(0, p)
	s.receive(0, s.certified(p, chain.Prepare, 0, 1, 2))
	if votes := s.shares(); len(votes) != 2 || votes[1].Phase != chain.Commit {
		t.Fatalf("it does not commit: %v", votes)
	}
	s.restart()
	s.wait(2 * time.Second)
	s.receive(3, &Complaint{0, s.m.height})
	for _, msg := range s.sent {
		if v, ok := msg.(*ViewChange); ok {
			if len(v.Change.Prepared) != 1 || v.Change.Prepared[0].Block != p.block() || len(v.Prepared) != 1 {
				t.Fatal("its view change does not show the lock")
			}
			return
		}
	}
	t.Fatal("it does not leave the view")
}

func TestWhoLeftAViewVotesNoMoreInIt(t *testing.T) {
	for _, restart := range []bool{false, true} {
		s := newSolo(t, 4, 2)
		ref := s.body(1, 1, "a")
		p := s.proposal(0, ref)
		s.wait(2 * time.Second)
		s.receive(3, &Complaint{0, s.m.height})
		if s.m.joined != 1 {
			t.Fatalf("it wishes for view %d", s.m.joined)
		}
		if restart {
			s.restart()
			if s.m.joined != 1 {
				t.Fatal("it has forgotten that it left")
			}
		}
		s.shares()
		s.receive(0, p)
		s.receive(0, s.certified(p, chain.Prepare, 0, 1, 3))
		s.wait(time.Second)
		if votes := s.shares(); len(votes) > 0 {
			t.Fatalf("it votes in phase %d of a view that it left", votes[0].Phase)
		}
		s.receive(0, s.certified(p, chain.Commit, 0, 1, 3))
		if s.m.height != 1 {
			t.Error("it does not accept what is final")
		}
	}
}

func TestNobodyVotesWhileSyncing(t *testing.T) {
	s := newSolo(t, 4, 2)
	ref := s.body(1, 1, "a")
	p := s.proposal(0, ref)
	cfg := s.m.cfg
	cfg.App = &ledger{}
	m, err := Restore(cfg, nil, slices.Values(s.records))
	must(t, err)
	s.m, s.sent = m, nil
	s.step(Start{})
	s.receive(0, p)
	s.receive(0, &Answer{Nonce: m.status.nonce})
	s.wait(3 * time.Second)
	if len(s.shares()) > 0 || m.joined > 0 {
		t.Fatal("it votes before a quorum has answered")
	}
	answered := false
	s.receive(1, &Query{Nonce: 5})
	for _, msg := range s.sent {
		_, ok := msg.(*Answer)
		answered = answered || ok
	}
	if !answered {
		t.Error("it does not answer while it syncs")
	}
	s.receive(1, &Answer{Nonce: m.status.nonce})
	if len(s.shares()) == 0 {
		t.Error("it does not vote when it is synced")
	}
}

func TestQuota(t *testing.T) {
	s := newSolo(t, 4, 2)
	var refs []chain.BodyRef
	for n := range uint64(5) {
		refs = append(refs, s.body(1, n+1, "a"))
	}
	s.receive(0, s.proposal(0, refs...))
	if len(s.shares()) > 0 {
		t.Error("it prepares five bodies of an author with a quota of four")
	}
	s = newSolo(t, 4, 2)
	refs = nil
	for n := range uint64(3) {
		refs = append(refs, s.body(1, n+1, "a"))
	}
	s.receive(0, s.proposal(0, refs[0], refs[2]))
	if len(s.shares()) > 0 {
		t.Error("it prepares bodies with a gap")
	}
}

func TestWindow(t *testing.T) {
	c := newCluster(t, 4, options{seed: 1})
	c.synced()
	c.net.Crash(c.ids[1])
	c.net.Crash(c.ids[2])
	for range 20 {
		c.author(0, "x")
	}
	c.net.RunFor(100 * time.Millisecond)
	if c.authored != 16 || c.refused != 4 {
		t.Errorf("%d of 20 bodies are taken with a window of 16, %d refused", c.authored, c.refused)
	}
}
