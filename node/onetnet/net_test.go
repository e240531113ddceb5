package onetnet

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ios/internal/sm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// arrival is one message as a handler saw it.
type arrival struct {
	from sm.NodeID
	data []byte
}

// node is a validator under test: its transport and what it received.
type node struct {
	*Net
	cfg Config

	mu      sync.Mutex
	arrived []arrival
	changed chan struct{} // closed and replaced at each arrival
}

func (nd *node) handle(from sm.NodeID, payload []byte) {
	nd.mu.Lock()
	defer nd.mu.Unlock()
	nd.arrived = append(nd.arrived, arrival{from, payload})
	close(nd.changed)
	nd.changed = make(chan struct{})
}

// from returns what arrived from one sender, in order.
func (nd *node) from(id sm.NodeID) [][]byte {
	nd.mu.Lock()
	defer nd.mu.Unlock()
	var out [][]byte
	for _, a := range nd.arrived {
		if a.from == id {
			out = append(out, a.data)
		}
	}
	return out
}

// patience is how long a condition that will hold may take on a busy machine.
const patience = 20 * time.Second

// until waits until a condition holds, looking again at every arrival.
func (nd *node) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		nd.mu.Lock()
		changed := nd.changed
		nd.mu.Unlock()
		if holds() {
			return
		}
		poll := time.NewTimer(2 * time.Millisecond)
		select {
		case <-ctx.Done():
			poll.Stop()
			t.Fatalf("validator %d waited in vain until %s; its peers: %+v", nd.cfg.Self, what, nd.Stats())
		case <-changed:
		case <-poll.C:
		}
		poll.Stop()
	}
}

// mesh makes n validators that know each other, not yet started.
func mesh(t testing.TB, n int) []*node {
	t.Helper()
	nodes := make([]*node, n)
	peers := make([]Peer, n)
	for i := range nodes {
		secret, public, err := GenerateIdentity()
		if err != nil {
			t.Fatal(err)
		}
		nd := &node{changed: make(chan struct{})}
		nd.cfg = Config{
			Self: sm.NodeID(i), Secret: secret, Chain: [32]byte{1}, Listen: freeAddress(t), Handler: nd.handle,
			RedialMin: 5 * time.Millisecond, RedialMax: 50 * time.Millisecond,
		}
		nodes[i], peers[i] = nd, Peer{ID: nd.cfg.Self, Public: public, Address: nd.cfg.Listen}
	}
	for _, nd := range nodes {
		nd.cfg.Peers = peers
	}
	return nodes
}

// freeAddress returns a loopback address that nobody listens on. It is below the
// ports that systems give to connections, so that none takes it meanwhile.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		l.Close()
		return address
	}
	t.Fatal("no free port between 10000 and 30000")
	return ""
}

func (nd *node) start(t testing.TB) {
	t.Helper()
	n, err := New(nd.cfg)
	if err != nil {
		t.Fatal(err)
	}
	nd.Net = n
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

func started(t testing.TB, n int) []*node {
	t.Helper()
	nodes := mesh(t, n)
	for _, nd := range nodes {
		nd.start(t)
	}
	return nodes
}

func (nd *node) stat(id sm.NodeID) PeerStat {
	for _, s := range nd.Stats() {
		if s.ID == id {
			return s
		}
	}
	return PeerStat{}
}

// numbered is a message that tells its place.
func numbered(i, size int) []byte {
	b := make([]byte, max(size, 4))
	binary.BigEndian.PutUint32(b, uint32(i))
	for k := 4; k < len(b); k++ {
		b[k] = byte(i + k)
	}
	return b
}

func checkNumbered(messages [][]byte, sizes ...int) error {
	for i, m := range messages {
		if want := numbered(i, sizes[i%len(sizes)]); string(m) != string(want) {
			return fmt.Errorf("message %d has %d bytes and is number %d, want %d bytes", i, len(m), binary.BigEndian.Uint32(m), len(want))
		}
	}
	return nil
}

// Four validators start at once and send to each other, small and big mixed.
func TestMeshKeepsOrder(t *testing.T) {
	nodes := started(t, 4)
	const count = 36
	sizes := []int{4, 200, 40_000, 300_000, 5, 1 << 20}
	for i := range count {
		for _, from := range nodes {
			m := numbered(i, sizes[i%len(sizes)])
			for _, to := range nodes {
				if to != from {
					from.Send(to.cfg.Self, m[:2], m[2:])
				}
			}
		}
	}
	for _, to := range nodes {
		for _, from := range nodes {
			if to == from {
				continue
			}
			to.until(t, "everything arrived", func() bool { return len(to.from(from.cfg.Self)) == count })
			if err := checkNumbered(to.from(from.cfg.Self), sizes...); err != nil {
				t.Errorf("from %d to %d: %v", from.cfg.Self, to.cfg.Self, err)
			}
		}
	}
}

// A message that fits no frame arrives whole and in its place, from any number
// of parts.
func TestBigMessages(t *testing.T) {
	nodes := started(t, 2)
	sizes := []int{5 << 20, 4, maxWhole, maxWhole + 1, maxChunk + 1, MaxMessage}
	for i, size := range sizes {
		m := numbered(i, size)
		nodes[0].Send(1, m[:1], nil, m[1:size/2], m[size/2:])
	}
	nodes[1].until(t, "all arrived", func() bool { return len(nodes[1].from(0)) == len(sizes) })
	if err := checkNumbered(nodes[1].from(0), sizes...); err != nil {
		t.Error(err)
	}
}

// A validator that restarts under its address gets what is sent to it meanwhile.
func TestPeerRestarts(t *testing.T) {
	nodes := started(t, 3)
	for _, nd := range nodes[:2] {
		nd.until(t, "connected", func() bool { return nd.stat(2).Connected })
		nd.Send(2, []byte("before"))
	}
	old := nodes[2]
	old.until(t, "both were heard", func() bool { return len(old.from(0)) == 1 && len(old.from(1)) == 1 })
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	for _, nd := range nodes[:2] {
		nd.until(t, "the loss is noticed", func() bool { return !nd.stat(2).Connected })
		for i := range 100 {
			nd.Send(2, numbered(i, 200))
		}
		nd.until(t, "it tried in vain", func() bool { return nd.stat(2).LastError != "" && nd.stat(2).QueuedMessages == 100 })
	}
	again := &node{changed: make(chan struct{}), cfg: old.cfg}
	again.cfg.Handler = again.handle
	again.start(t)
	for from, nd := range nodes[:2] {
		id := sm.NodeID(from)
		again.until(t, "everything arrived", func() bool { return len(again.from(id)) == 100 })
		if err := checkNumbered(again.from(id), 200); err != nil {
			t.Errorf("from %d: %v", from, err)
		}
		if s := nd.stat(2); s.Dropped != 0 || !s.Connected {
			t.Errorf("validator %d: %+v", from, s)
		}
	}
}

// An idle connection lives on, by heartbeats from both ends.
func TestIdleConnectionsStay(t *testing.T) {
	nodes := mesh(t, 2)
	for _, nd := range nodes {
		nd.cfg.Heartbeat, nd.cfg.Silence = 20*time.Millisecond, 500*time.Millisecond
		nd.start(t)
	}
	a := nodes[0]
	a.until(t, "connected", func() bool { return a.stat(1).Connected })
	since := time.Now()
	a.until(t, "it heard for longer than silence may last", func() bool {
		return a.stat(1).LastHeard.Sub(since) > 2*a.cfg.Silence
	})
	if s := a.stat(1); s.LastErrorAt.After(since) || s.Received != 0 {
		t.Errorf("an idle connection was lost, or brought messages: %+v", s)
	}
}

// Peers come and go with the registry.
func TestSetPeers(t *testing.T) {
	nodes := mesh(t, 3)
	all := nodes[0].cfg.Peers
	nodes[0].cfg.Peers = all[:2]
	for _, nd := range nodes {
		nd.start(t)
	}
	nodes[1].Send(0, []byte("first"))
	nodes[2].Send(0, []byte("early"))
	nodes[0].until(t, "the known one is heard, the other refused", func() bool {
		return len(nodes[0].from(1)) == 1 && nodes[0].Refusals().Connections > 0
	})
	since := time.Now()
	if err := nodes[0].SetPeers(all); err != nil {
		t.Fatal(err)
	}
	nodes[0].until(t, "the new one is heard", func() bool { return len(nodes[0].from(2)) == 1 })
	if s := nodes[0].stat(1); s.LastErrorAt.After(since) {
		t.Errorf("the connection with the old peer was touched: %+v", s)
	}
	if err := nodes[0].SetPeers([]Peer{all[0], all[2]}); err != nil {
		t.Fatal(err)
	}
	nodes[1].until(t, "it is disconnected", func() bool { return !nodes[1].stat(0).Connected })
	nodes[0].Send(1, []byte("to nobody"))
	if got := nodes[0].Refusals().Sends; got != 1 {
		t.Errorf("%d messages refused, want 1", got)
	}
}

// Messages that can never be sent are refused and counted.
func TestRefusedSends(t *testing.T) {
	nd := started(t, 2)[0]
	nd.Send(0, []byte("myself"))
	nd.Send(7, []byte("nobody"))
	nd.Send(1)
	nd.Send(1, nil, []byte{})
	nd.Send(1, make([]byte, MaxMessage), []byte{1})
	if got := nd.Refusals().Sends; got != 5 {
		t.Errorf("%d messages refused, want 5", got)
	}
	if err := nd.Close(); err != nil {
		t.Fatal(err)
	}
	nd.Send(1, []byte("late"))
	nd.Drop(1, nil)
	if err := nd.SetPeers(nd.cfg.Peers); err == nil {
		t.Error("a closed transport took peers")
	}
}
