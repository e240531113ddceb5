package onetnet

import (
	"context"
	"encoding/binary"
	"fmt"
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

// freeAddress returns a loopback address that nobody listens on. Another program
// may take it before it is used, which on a test machine nobody does.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
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
