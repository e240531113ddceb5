package atomix

import (
	"slices"
	"testing"

	"ios/chain"
	"ios/internal/sm"
)

// shardOf plays the members of one shard, each with a way to answer, to a client's
// machine alone.
type shardOf struct {
	*talk
	ask    func(member int) Asked
	submit func(member int) Submitted
	sent   []int // to whom the transaction was submitted
	done   *Done
}

// play answers so many of the client's requests, or until it is done.
func (p *shardOf) play(requests int) {
	p.t.Helper()
	effects := p.step(StartTransfer{})
	for range requests {
		var answer sm.Event
		for _, e := range effects {
			switch e := e.(type) {
			case Ask:
				a := p.ask(e.Member)
				a.Peer = e.Peer
				answer = a
			case SubmitTx:
				p.sent = append(p.sent, e.Member)
				s := p.submit(e.Member)
				s.Peer = e.Peer
				answer = s
			case sm.Deliver:
				if d, ok := e.Value.(Done); ok {
					p.done = &d
					return
				}
			}
		}
		if answer == nil {
			effects = p.ring(0)
			continue
		}
		effects = p.step(answer)
	}
}

func onePayment(t *testing.T) *shardOf {
	w := newWorld(t, 2, 100)
	k := newTalk(t, w, w.tx([]coin{w.coin(0, 0)}, pay{w.wallet(0), 99}))
	return &shardOf{talk: k,
		ask:    func(int) Asked { return Asked{} },
		submit: func(int) Submitted { return Submitted{} },
	}
}

// A member that took the transaction, keeps it to itself and claims what the
// others do not, so that something is new each time, does not keep the client from submitting it to others.
func TestClaimsDoNotPutOffTheNextSubmission(t *testing.T) {
	p := onePayment(t)
	p.ask = func(member int) Asked {
		if member == 0 {
			return Asked{Claim: ClaimSkipped, Reason: "a lie"}
		}
		return Asked{Claim: ClaimUnknown}
	}
	p.play(60)
	if !slices.ContainsFunc(p.sent, func(m int) bool { return m != 0 }) {
		t.Fatalf("submitted to %v alone", p.sent)
	}
}

// Who took it and brought it nowhere is passed over until all others have had it,
// whatever the number of answers between two submissions is.
func TestAllMembersAreSubmittedTo(t *testing.T) {
	p := onePayment(t)
	p.play(150)
	if len(p.sent) < 2*perShard {
		t.Fatalf("submitted to %v", p.sent)
	}
	for round := 0; round+perShard <= len(p.sent); round += perShard {
		members := slices.Sorted(slices.Values(p.sent[round : round+perShard]))
		if !slices.Equal(members, []int{0, 1, 2, 3}) {
			t.Fatalf("submitted to %v", p.sent)
		}
	}
}

// The questions and the submissions must not go to two halves of the committee: the
// members that would refuse get to say so.
func TestThoseWhoAreAskedAreSubmittedTo(t *testing.T) {
	for odd := range 2 {
		p := onePayment(t)
		p.submit = func(member int) Submitted {
			if member%2 == odd {
				return Submitted{} // and it is never heard of again
			}
			return Submitted{Refused: true, Err: chain.Rule(chain.ErrSpent, "gone")}
		}
		p.play(100)
		if p.done == nil || p.done.Verdict != TransferRefuse {
			t.Fatalf("the half that refuses begins with %d: submitted to %v, %+v", 1-odd, p.sent, p.done)
		}
	}
}
