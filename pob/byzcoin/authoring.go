package byzcoin

import "ios/chain"

// bodyOverhead is what a body takes besides its payload.
const bodyOverhead = 32 + 2 + 8 + 4 + 2 + 8 + 4 + 64

func (m *Machine) onAuthor(e *Author) {
	number, err := m.mayAuthor(len(e.Payload))
	if err != nil {
		m.deliver(Authored{Tag: e.Tag, Err: err})
		return
	}
	b := &chain.Body{
		Chain: m.cfg.ChainID, Shard: m.cfg.Shard, Epoch: m.cfg.Epoch, Batch: m.cfg.Batch,
		Author: m.cfg.Members[m.me], Number: number, Payload: e.Payload, Content: e.Content,
	}
	b.SignBody(m.cfg.Key)
	sl := m.slotOf(m.me, number)
	sl.main = &copyOf{body: b, checked: true}
	sl.spread, sl.sends = m.now, 1
	m.ackRun(m.me)
	m.sendAll(&Body{b})
	m.deliver(Authored{Number: number, Hash: b.Hash, Tag: e.Tag})
}

// mayAuthor is the number of our next body.
func (m *Machine) mayAuthor(payload int) (uint64, error) {
	switch {
	case m.me < 0:
		return 0, chain.Rule(chain.ErrNotReady, "we have no seat in the committee of epoch %d, batch %d", m.cfg.Epoch, m.cfg.Batch)
	case m.ended != nil:
		return 0, chain.Rule(chain.ErrNotReady, "term %v has ended, and its successor has not begun here; try again", m.term())
	case m.status.halted:
		return 0, chain.Rule(chain.ErrNotReady, "the state differs from the certified one; restore this validator")
	case !m.status.synced:
		return 0, chain.Rule(chain.ErrNotReady, "not in step with the committee yet; try again")
	case payload+bodyOverhead > m.cfg.Policy.MaxBodyBytes:
		return 0, chain.Rule(chain.ErrTooLarge, "a payload of %d bytes, at most %d fit into a body", payload, m.cfg.Policy.MaxBodyBytes-bodyOverhead)
	}
	a := &m.authors[m.me]
	number := a.acked + 1
	if number-a.final > uint64(m.cfg.Policy.Window) {
		return 0, chain.Rule(chain.ErrFull, "%d bodies wait to become final, no more are possible; try again", m.cfg.Policy.Window)
	}
	if sl := a.slots[number]; sl != nil && sl.main != nil {
		// Somebody has a body of ours that our log does not have.
		return 0, chain.Rule(chain.ErrNotReady, "others hold a body %d of ours that is not in our log; wait until it is final", number)
	}
	return number, nil
}

// retryBodies sends our bodies again that are not held, ever more rarely.
func (m *Machine) retryBodies() {
	if m.me < 0 {
		return
	}
	a := &m.authors[m.me]
	for n := a.final + 1; n <= a.acked; n++ {
		sl := a.slots[n]
		if sl.held != nil || m.now.Sub(sl.spread) < m.cfg.Policy.RetryInterval<<min(sl.sends, 5)/2 {
			continue
		}
		sl.spread = m.now
		sl.sends++
		m.send(&Body{sl.main.body}, m.lacking(sl, sl.main.body.Hash)...)
	}
}
