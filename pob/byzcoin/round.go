package byzcoin

import (
	"time"

	"ios/chain"
	"ios/chain/cosi"
)

// round is the proposal of the installed view for the next height, with the
// votes on it.
type round struct {
	prop  *Proposal
	hash  chain.Hash
	first bool // no prepare certificate binds it

	refused bool // we do not prepare it
	wrong   bool // our root differs
	voted   [2]bool
	tallies [2]tally
	sent    time.Time // when we last sent something of it
}

// tally is the votes of one phase. The leader gathers all, an inner node those
// of its leaves since it last passed some on.
type tally struct {
	gather *cosi.Collector
	seen   cosi.Mask // who sent us something
	many   cosi.Mask // who sent us others' shares
	passed cosi.Mask // whose shares we passed on
	share  *cosi.Signature
	cert   *Certified
	began  time.Time
}

// lock is a block with a prepare certificate.
type lock struct {
	cert    Certified
	content Content
}

func (m *Machine) newRound(p *Proposal) *round {
	r := &round{prop: p, hash: p.block(), sent: m.now}
	r.first = m.bound == nil || p.Header.Height != m.base+1
	for i := range r.tallies {
		t := &r.tallies[i]
		t.gather = cosi.NewCollector(m.cfg.Committee, chain.VoteBytes(&p.Header, r.hash, p.View, chain.Phase(i+1)))
		t.seen, t.many, t.passed = cosi.NewMask(m.s), cosi.NewMask(m.s), cosi.NewMask(m.s)
	}
	r.tallies[0].began = m.now
	return r
}

func (r *round) tally(phase chain.Phase) *tally { return &r.tallies[phase-1] }

// phase is what the round is at.
func (r *round) phase() chain.Phase {
	if r.tallies[0].cert == nil {
		return chain.Prepare
	}
	return chain.Commit
}

// tryPropose makes the leader's next block.
func (m *Machine) tryPropose() bool {
	if m.round != nil || !m.canVote() || m.leader() != m.me || m.best != nil || m.height < m.base {
		return false
	}
	if m.bound != nil && m.height == m.base {
		if len(m.bound.Refs) == 0 {
			return false // lost with a restart of the only one who had it
		}
		m.propose(m.bound.Header, m.bound.Refs)
		return true
	}
	refs, missing := m.list()
	if len(missing) > 0 {
		m.want(missing)
	}
	if len(refs) == 0 {
		return false
	}
	if due := m.proposed.Add(m.pace()); m.now.Before(due) {
		m.timer(timerPropose, due)
		return false
	}
	h := chain.Header{
		Chain: m.cfg.ChainID, Shard: m.cfg.Shard, Epoch: m.cfg.Epoch, Batch: m.cfg.Batch,
		Height: m.height + 1, Parent: m.hash, Bodies: chain.RefsHash(refs),
	}
	bodies := make([]*chain.Body, len(refs))
	for i := range refs {
		bodies[i] = m.find(&refs[i]).body
	}
	m.revert()
	h.Outcomes = m.cfg.App.Execute(&h, bodies)
	m.open = h.Hash()
	m.propose(h, refs)
	return true
}

// pace is how long after the last proposal the next one comes. A round that
// took long on a busy machine is followed by a longer pause, in which more work
// gathers: fewer blocks and votes, and larger batches, for the same work.
func (m *Machine) pace() time.Duration {
	gap := m.cfg.Policy.MinGap
	return max(gap, min(2*m.took, 4*gap))
}

// propose signs a block and sends it. The record is that of our prepare vote:
// after a restart we propose and prepare nothing else in the view.
func (m *Machine) propose(h chain.Header, refs []chain.BodyRef) {
	p := &Proposal{View: m.view, Header: h, Refs: refs}
	p.Signature = m.cfg.Key.Sign(proposalBytes(p))
	m.proposed, m.voted = m.now, p
	m.persist(RecordVote, p.AppendTo(nil))
	m.round = m.newRound(p)
	m.send(p, m.fan()...)
	m.armTree()
}

// list takes held bodies for a block, one of each author in turn, and says which
// ones we would list if we had them.
func (m *Machine) list() (refs, missing []chain.BodyRef) {
	bytes, limit := 0, min(chain.MaxRefs, m.s*m.cfg.Policy.Quota)
	stopped := cosi.NewMask(m.s)
	first := int((m.height + 1) % uint64(m.s)) // nobody is always first
	for turn := 1; turn <= m.cfg.Policy.Quota; turn++ {
		for i := range m.s {
			seat := (first + i) % m.s
			if stopped.Has(seat) {
				continue
			}
			a := &m.authors[seat]
			sl := a.slots[a.final+uint64(turn)]
			if sl == nil || sl.held == nil {
				stopped.Set(seat)
				continue
			}
			c := sl.find(sl.held.Hash)
			if c == nil {
				missing = append(missing, *sl.held)
			}
			if c == nil || !c.checked || bytes+len(c.body.Raw) > m.cfg.Policy.MaxBlockBytes || len(refs) == limit {
				stopped.Set(seat)
				continue
			}
			bytes += len(c.body.Raw)
			refs = append(refs, *sl.held)
		}
	}
	return refs, missing
}

// onProposal takes the proposal of the installed view for the next height; its
// signature is what counts, not who passed it on.
func (m *Machine) onProposal(from int, p *Proposal) {
	h := &p.Header
	if h.Chain != m.cfg.ChainID || h.Shard != m.cfg.Shard || h.Term() != m.term() ||
		len(p.Refs) == 0 || len(p.Refs) > m.s*m.cfg.Policy.Quota {
		m.accuse(from, FaultMessage, true, nil, "sent a proposal of %d bodies for height %d of shard %d, epoch %d, batch %d", len(p.Refs), h.Height, h.Shard, h.Epoch, h.Batch)
		return
	}
	switch {
	case h.Height <= m.height:
		m.showFinal(from, h.Height)
		return
	case p.View < m.view:
		m.showView(&m.peers[from], m.cfg.Members[from])
		return
	case p.View > m.view || h.Height > m.height+1:
		m.keep(from, p, h.Height, p.View)
		return
	}
	leader := m.leader()
	if m.round != nil && m.round.hash == p.block() {
		m.resend(from) // it is sent again because a share is missing
		return
	}
	if !verifySig(&m.cfg.Keys[leader], proposalBytes(p), &p.Signature) {
		m.accuse(from, FaultMessage, true, nil, "sent a proposal for height %d that the leader of view %d did not sign", h.Height, p.View)
		return
	}
	if m.round != nil {
		m.twoProposals(leader, m.round.prop, p)
		return
	}
	if v := m.voted; v != nil && v.View == p.View && v.block() != p.block() {
		m.twoProposals(leader, v, p)
		return
	}
	m.round = m.newRound(p)
	m.replay = true
	if m.tree.inner && from == leader {
		m.send(p, m.fan()...)
	}
	if text := m.faultOf(p); text != "" {
		m.round.refused = true
		m.accuse(leader, FaultProposal, false, &Evidence{Fault: FaultProposal, First: p.AppendTo(nil)}, "proposed a block at height %d, view %d, that breaks a rule: %s", h.Height, p.View, text)
		m.suspect("the leader's proposal breaks a rule")
	}
}

// faultOf is what is wrong with a proposal for the next height, for all to see
// who have the chain below.
func (m *Machine) faultOf(p *Proposal) string {
	switch {
	case p.Header.Parent != m.hash:
		return "it stands on another block"
	case m.bound != nil && m.height == m.base && p.block() != m.boundTo:
		return "the view must propose block " + m.boundTo.Short() + " again"
	case !m.ordered(p.Refs):
		return "its bodies are not in the order of their authors, or too many"
	}
	return ""
}

// ordered wants every author's bodies to follow the last final one without gaps,
// and no more of them than the quota.
func (m *Machine) ordered(refs []chain.BodyRef) bool {
	counts := make([]int, m.s)
	for i := range refs {
		seat, ok := m.seats[refs[i].Author]
		if !ok {
			return false
		}
		counts[seat]++
		if counts[seat] > m.cfg.Policy.Quota || refs[i].Number != m.authors[seat].final+uint64(counts[seat]) {
			return false
		}
	}
	return true
}

// tryPrepare votes for the round's block once all its bodies are here and
// executing them gives its root.
func (m *Machine) tryPrepare() bool {
	r := m.round
	if r == nil || r.voted[0] || r.refused || r.prop.View != m.view || !m.canVote() || m.best != nil || m.height < m.base {
		return false
	}
	again := m.voted != nil && m.voted.View == r.prop.View && m.voted.block() == r.hash
	bodies := m.gather(r.prop.Refs, true)
	if bodies == nil {
		return false
	}
	if !again && !m.fair(r, bodies) {
		return true
	}
	if !m.execute(&r.prop.Header, r.hash, bodies) {
		r.refused, r.wrong = true, true
		m.accuse(m.leader(), FaultOutcome, false, &Evidence{Fault: FaultOutcome, First: r.prop.AppendTo(nil)}, "proposed block %s at height %d with a root that executing it does not give", r.hash.Short(), r.prop.Header.Height)
		m.suspect("executing the leader's block gives another root")
		return true
	}
	if !again {
		m.voted = r.prop
		m.persist(RecordVote, r.prop.AppendTo(nil))
	}
	m.vote(chain.Prepare)
	return true
}

// fair reports whether the proposal may be prepared for what it lists.
func (m *Machine) fair(r *round, bodies []*chain.Body) bool {
	bytes := 0
	for _, b := range bodies {
		bytes += len(b.Raw)
	}
	if bytes > m.cfg.Policy.MaxBlockBytes {
		r.refused = true
		m.accuse(m.leader(), FaultProposal, false, nil, "proposed a block of %d bytes, at most %d are allowed", bytes, m.cfg.Policy.MaxBlockBytes)
		m.suspect("the leader's block is too large")
		return false
	}
	if seat, number, ok := m.leftOut(r, bytes); ok {
		r.refused = true
		m.accuse(m.leader(), FaultLeftOut, false, nil, "left out body %d of validator %d, which we insisted on", number, m.cfg.Members[seat])
		return false
	}
	return true
}

// leftOut finds a body that we insisted on, Δ ago, and that a first proposal
// lacks without an excuse: the quota, the size, or a proof against the author.
func (m *Machine) leftOut(r *round, bytes int) (seat int, number uint64, found bool) {
	if !r.first || m.leader() == m.me {
		return 0, 0, false
	}
	counts := make([]int, m.s)
	for i := range r.prop.Refs {
		counts[m.seats[r.prop.Refs[i].Author]]++
	}
	for seat := range m.authors {
		a := &m.authors[seat]
		number := a.final + 1 + uint64(counts[seat])
		if counts[seat] >= m.cfg.Policy.Quota || number > a.acked || a.evidence != nil {
			continue
		}
		sl := a.slots[number]
		if sl.insisted.IsZero() || m.now.Sub(sl.insisted) < m.patience() {
			continue
		}
		if bytes+len(sl.main.body.Raw) <= m.cfg.Policy.MaxBlockBytes && len(r.prop.Refs) < chain.MaxRefs {
			return seat, number, true
		}
	}
	return 0, 0, false
}

// gather returns the listed bodies once they are all here, stored and, if that
// is asked, checked. It pulls those that are missing.
func (m *Machine) gather(refs []chain.BodyRef, checked bool) []*chain.Body {
	var missing []chain.BodyRef
	ready := true
	copies := make([]*copyOf, len(refs))
	for i := range refs {
		c := m.find(&refs[i])
		copies[i] = c
		if c == nil {
			missing = append(missing, refs[i])
		} else if checked && !c.checked {
			ready = false // or never, if it is bad: then others prepare it without us
		}
	}
	if len(missing) > 0 {
		m.want(missing)
		return nil
	}
	m.want(nil)
	if !ready {
		return nil
	}
	bodies := make([]*chain.Body, len(refs))
	for i, c := range copies {
		m.store(c)
		bodies[i] = c.body
	}
	return bodies
}

// execute sees to it that the block's execution is the open one, and reports
// whether it gives the block's root.
func (m *Machine) execute(h *chain.Header, hash chain.Hash, bodies []*chain.Body) bool {
	if m.open == hash {
		return true
	}
	m.revert()
	bare := *h
	bare.Outcomes = chain.Hash{}
	if m.cfg.App.Execute(&bare, bodies) != h.Outcomes {
		m.cfg.App.Revert()
		return false
	}
	m.open = hash
	return true
}

func (m *Machine) revert() {
	if !m.open.IsZero() {
		m.cfg.App.Revert()
		m.open = chain.Hash{}
	}
}
