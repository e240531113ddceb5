package byzcoin

import (
	"errors"
	"slices"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/sig"
)

func verifySig(key *sig.PublicKey, msg []byte, s *[64]byte) bool { return sig.Verify(key, msg, s) }

// vote signs the round's block in a phase and sends the share up. What binds us
// to it is persisted before.
func (m *Machine) vote(phase chain.Phase) {
	r := m.round
	t := r.tally(phase)
	r.voted[phase-1] = true
	share, err := m.cfg.Cosign(chain.VoteBytes(&r.prop.Header, r.hash, r.prop.View, phase))
	if err != nil {
		m.halt("our collective signing key fails: " + err.Error())
		return
	}
	t.share = &share
	if m.leader() == m.me {
		t.gather.AddShare(m.me, share)
		return
	}
	if m.tree.inner && !m.tree.direct {
		t.gather.AddShare(m.me, share)
		m.passUp(phase, false)
		return
	}
	m.sendShare(phase, m.parent())
}

func (m *Machine) sendShare(phase chain.Phase, to int) {
	r := m.round
	mask := cosi.NewMask(m.s)
	mask.Set(m.me)
	m.send(m.shareOf(phase, cosi.Contribution{Mask: mask, Sig: *r.tally(phase).share}), to)
}

func (m *Machine) shareOf(phase chain.Phase, c cosi.Contribution) *Share {
	r := m.round
	return &Share{Height: r.prop.Header.Height, View: r.prop.View, Phase: phase, Block: r.hash, Votes: c}
}

func (m *Machine) onShare(from int, s *Share) {
	r := m.round
	switch {
	case s.Height <= m.height:
		m.showFinal(from, s.Height)
		return
	case s.View < m.view:
		m.showView(&m.peers[from], m.cfg.Members[from])
		return
	case s.View > m.view || s.Height > m.height+1 || r == nil:
		m.keep(from, s, s.Height, s.View)
		return
	case s.Block != r.hash || m.leader() != m.me && !m.tree.inner:
		return // for another proposal of the leader's, or in the wrong place
	}
	if !m.mayGive(from, s.Votes.Mask) {
		m.accuse(from, FaultShare, true, nil, "sent the shares of %v seats that it does not speak for", s.Votes.Mask)
		return
	}
	t := r.tally(s.Phase)
	if t.cert != nil {
		if t.seen.Has(from) {
			m.send(t.cert, from) // it sent its share again: the certificate was lost
		}
		t.seen.Set(from)
		return
	}
	t.seen.Set(from)
	if s.Votes.Mask.Count() > 1 || !s.Votes.Mask.Has(from) {
		t.many.Set(from)
	}
	if err := t.gather.Add(from, s.Votes); err != nil && !errors.Is(err, cosi.ErrOverlap) {
		if t.many.Has(from) && errors.Is(err, cosi.ErrSignature) {
			m.bypass(from) // a leaf below may be the one, again
			return
		}
		m.accuse(from, FaultShare, true, nil, "sent a share that is none: %v", err)
		return
	}
	if m.leader() != m.me {
		m.passUp(s.Phase, false)
	}
}

// tryCertify makes the certificate of a phase, as the leader, once a quorum has
// voted. All shares are checked at once.
func (m *Machine) tryCertify(phase chain.Phase) bool {
	r := m.round
	if r == nil || m.leader() != m.me || r.prop.View != m.view {
		return false
	}
	t := r.tally(phase)
	if t.cert != nil || t.gather.Count() < m.q || phase == chain.Commit && r.tallies[0].cert == nil {
		return false
	}
	cert, culprits, err := t.gather.Certificate()
	for _, seat := range culprits {
		if m.tree.on && t.many.Has(seat) {
			m.bypass(seat) // a leaf below may be the one: it will tell
		} else {
			m.accuse(seat, FaultShare, true, nil, "sent a share for height %d, view %d, that does not verify", r.prop.Header.Height, r.prop.View)
		}
	}
	if err != nil {
		return false
	}
	c := &Certified{Height: r.prop.Header.Height, Block: r.hash, Cert: chain.Certificate{View: r.prop.View, Phase: phase, Certificate: cert}}
	t.cert = c
	m.verified.add(c)
	m.send(c, m.fan()...)
	r.sent = m.now
	if phase == chain.Commit {
		m.onDecided(c)
	} else {
		r.tallies[1].began = m.now
		m.armTree()
	}
	return true
}

func (m *Machine) onCertified(from int, c *Certified) {
	if c.Height <= m.height {
		return
	}
	if c.Cert.Phase == chain.Commit {
		if m.verify(from, c) {
			m.peers[from].height = max(m.peers[from].height, c.Height)
			m.passDown(from, c)
			m.onDecided(c)
		}
		return
	}
	r := m.round
	if c.Cert.View < m.view {
		return
	}
	if c.Cert.View > m.view || c.Height > m.height+1 || r == nil {
		m.keep(from, c, c.Height, c.Cert.View)
		return
	}
	t := r.tally(chain.Prepare)
	if t.cert != nil || !m.verify(from, c) {
		return
	}
	if c.Block != r.hash {
		// The leader showed us another block than those who prepared.
		m.suspect("the leader shows different blocks to different members")
		return
	}
	t.cert = c
	m.passDown(from, c)
}

// passDown forwards a certificate that came from the leader to our leaves.
func (m *Machine) passDown(from int, c *Certified) {
	if m.tree.inner && from == m.leader() {
		m.send(c, m.fan()...)
	}
}

// tryCommit locks a block with a prepare certificate and votes to commit it.
func (m *Machine) tryCommit() bool {
	r := m.round
	if r == nil || r.voted[1] || r.prop.View != m.view || r.tallies[0].cert == nil {
		return false
	}
	if r.wrong {
		m.halt("a quorum certifies another outcome of the next block than ours")
		return true
	}
	if !m.canVote() || m.best != nil {
		return false
	}
	m.lock = &lock{*r.tallies[0].cert, Content{r.prop.Header, r.prop.Refs}}
	m.persist(RecordLock, appendContents(m.lock.cert.appendBody(nil), []Content{m.lock.content}))
	m.vote(chain.Commit)
	return true
}

// onDecided takes a verified commit certificate.
func (m *Machine) onDecided(c *Certified) {
	if c.Height <= m.height {
		return
	}
	if c.Height == m.height+1 && m.next == nil {
		m.next = c
	}
	if m.best == nil || c.Height > m.best.Height {
		m.best = c
		m.bestAt = m.now
	}
}

// contentOf is a block for the next height, if we have seen it.
func (m *Machine) contentOf(hash chain.Hash) *Content {
	switch {
	case m.round != nil && m.round.hash == hash:
		return &Content{m.round.prop.Header, m.round.prop.Refs}
	case m.lock != nil && m.lock.cert.Block == hash:
		return &m.lock.content
	case m.voted != nil && m.voted.block() == hash:
		return &Content{m.voted.Header, m.voted.Refs}
	case m.bound != nil && m.boundTo == hash && len(m.bound.Refs) > 0:
		return m.bound
	}
	return nil
}

// tryFinalize makes the next block final if it has a commit certificate and
// everything is here.
func (m *Machine) tryFinalize() bool {
	if m.next == nil {
		return false
	}
	content := m.contentOf(m.next.Block)
	if content == nil {
		return false
	}
	bodies := m.gather(content.Refs, false) // a quorum has checked them
	if bodies == nil {
		return false
	}
	b := &chain.Block{Header: content.Header, Refs: content.Refs, Cert: m.next.Cert}
	m.finalize(b, m.next.Block, bodies, false)
	return true
}

// finalize executes a certified block, unless that has been done, and makes it
// permanent. Its bodies are stored.
func (m *Machine) finalize(b *chain.Block, hash chain.Hash, bodies []*chain.Body, synced bool) bool {
	if !m.execute(&b.Header, hash, bodies) {
		m.halt("executing the certified block " + hash.Short() + " gives another root than a quorum's")
		return false
	}
	m.storeLast(bodies)
	m.persist(RecordFinal, b.AppendTo(nil))
	m.cfg.App.Finalize(b)
	m.open = chain.Hash{}
	if m.round != nil && m.leader() == m.me {
		m.took = m.now.Sub(m.proposed)
	}
	m.advance(b, hash)
	m.status.progress = m.now
	m.deliver(Final{Block: b, Bodies: bodies, Synced: synced})
	if m.end(b); m.ended != nil {
		m.late = synced
		m.tellFollowers()
		return true
	}
	for i := range b.Refs {
		m.ackRun(m.seats[b.Refs[i].Author])
	}
	m.checkSynced()
	m.tellFollowers()
	return true
}

// advance moves the chain up by a final block.
func (m *Machine) advance(b *chain.Block, hash chain.Hash) {
	m.height, m.hash = b.Header.Height, hash
	m.last = []Certified{{b.Header.Height, hash, b.Cert}}
	for i := range b.Refs {
		m.forget(m.seats[b.Refs[i].Author], b.Refs[i].Number)
	}
	m.round, m.lock, m.voted, m.next = nil, nil, nil, nil
	if m.height > m.base {
		m.bound = nil
	}
	if m.best != nil && m.best.Height <= m.height {
		m.best = nil
	}
	if m.best != nil && m.best.Height == m.height+1 {
		m.next = m.best
	}
	m.pull = pull{}
	m.fails, m.deadline = 0, time.Time{}
	clear(m.complaints) // who still has a reason says so again
	m.replay = true
}

// facts remembers which certificates were verified, so that each costs one
// pairing check.
type facts struct{ list []Certified }

const maxFacts = 64

func (f *facts) has(c *Certified) bool {
	return slices.ContainsFunc(f.list, func(o Certified) bool {
		return o.Height == c.Height && o.Block == c.Block && o.Cert.View == c.Cert.View && o.Cert.Phase == c.Cert.Phase &&
			o.Cert.Sig == c.Cert.Sig && o.Cert.Mask.Equal(c.Cert.Mask)
	})
}

func (f *facts) add(c *Certified) {
	if len(f.list) == maxFacts {
		f.list = slices.Delete(f.list, 0, maxFacts/2)
	}
	f.list = append(f.list, *c)
}

// verify checks a certificate. Whoever sends a wrong one is not believed for a
// while, so that it cannot keep us checking.
func (m *Machine) verify(from int, c *Certified) bool {
	if m.verified.has(c) {
		return true
	}
	p := &m.peers[from]
	if !p.wrongAt.IsZero() && m.now.Sub(p.wrongAt) < m.cfg.Policy.RetryInterval {
		return false
	}
	if err := c.Cert.Verify(m.cfg.Committee, m.voteHeader(c.Height), c.Block); err != nil {
		p.wrongAt = m.now
		m.accuse(from, FaultCertificate, true, nil, "sent a certificate that does not verify: %v", err)
		return false
	}
	m.verified.add(c)
	return true
}

// voteHeader has what a vote binds of a header.
func (m *Machine) voteHeader(height uint64) *chain.Header {
	return &chain.Header{Chain: m.cfg.ChainID, Shard: m.cfg.Shard, Epoch: m.cfg.Epoch, Batch: m.cfg.Batch, Height: height}
}

// resend sends our shares of the round again, to whoever asks.
func (m *Machine) resend(to int) {
	r := m.round
	if m.leader() == m.me || !m.canVote() {
		return
	}
	if m.tree.on && to != m.leader() {
		return
	}
	for phase := chain.Prepare; phase <= chain.Commit; phase++ {
		if r.tally(phase).share != nil && phase == r.phase() {
			m.sendShare(phase, to)
		}
	}
}

// retryRound sends what the round waits for again.
func (m *Machine) retryRound() {
	r := m.round
	if r == nil || r.prop.View != m.view || m.now.Sub(r.sent) < m.cfg.Policy.RetryInterval {
		return
	}
	r.sent = m.now
	phase := r.phase()
	t := r.tally(phase)
	if m.leader() != m.me {
		if t.share != nil {
			m.sendShare(phase, m.parent())
		}
		return
	}
	absent := slices.DeleteFunc(t.gather.Mask().Absent(), func(seat int) bool { return seat == m.me })
	if len(absent) == 0 {
		return
	}
	m.send(r.prop, absent...)
	if cert := r.tallies[0].cert; cert != nil {
		m.send(cert, absent...)
	}
	m.retryTree(absent)
}
