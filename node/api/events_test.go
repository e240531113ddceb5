package api

import (
	"context"
	"errors"
	"net"
	"reflect"
	"testing"
	"time"

	"ios/chain"
)

var errEnough = errors.New("enough")

// collect follows until n blocks have come.
func collect(t *testing.T, c *Client, want Follow, n int) (blocks []*BlockEvent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if want.Lost == nil {
		want.Lost = func(err error) { t.Logf("the stream broke: %v", err) }
	}
	err := c.Follow(ctx, want, func(ev Event) error {
		if ev.Block != nil {
			blocks = append(blocks, ev.Block)
		}
		if len(blocks) == n {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("%d of %d blocks, then %v", len(blocks), n, err)
	}
	return blocks
}

func TestEventsFromAHeightThenLive(t *testing.T) {
	r := serve(t, Limits{WindowBlocks: 4})
	for range 10 {
		r.Publish(0, r.backend.block(3))
	}
	c := r.client(t, ClientConfig{})
	done := make(chan []*BlockEvent)
	go func() { done <- collect(t, c, Follow{From: 2}, 20) }()
	for range 11 {
		r.Publish(0, r.backend.block(2))
	}
	blocks := <-done
	for i, b := range blocks {
		want := *r.backend.blocks[i+1]
		want.Recorded = want.Outcomes.Len()
		if len(b.Skipped) == 0 {
			b.Skipped = nil
		}
		if !reflect.DeepEqual(*b, want) {
			t.Fatalf("event %d:\n%+v\n%+v", i, *b, want)
		}
	}
	id, o := blocks[0].Outcomes.At(1)
	if id != (chain.TxID{2, 1}) || chain.Outcome(o) != chain.Committed {
		t.Fatalf("%s %d", id, o)
	}
}

func TestSummariesLeaveTheOutcomesOut(t *testing.T) {
	r := serve(t, Limits{})
	r.Publish(0, r.backend.block(5))
	b := collect(t, r.client(t, ClientConfig{}), Follow{From: 1, Summary: true}, 1)[0]
	if b.Recorded != 5 || len(b.Outcomes) != 0 {
		t.Fatalf("%+v", b)
	}
}

func TestAStreamFromNowBeginsAtTheTip(t *testing.T) {
	r := serve(t, Limits{Heartbeat: 10 * time.Millisecond})
	for range 3 {
		r.backend.block(1) // final before the server started: not in its window
	}
	c := r.client(t, ClientConfig{})
	started := make(chan uint64, 100)
	var first *BlockEvent
	done := make(chan error)
	go func() {
		done <- c.Follow(t.Context(), Follow{}, func(ev Event) error {
			if ev.Block == nil {
				select {
				case started <- ev.Tip:
				default:
				}
				return nil
			}
			first = ev.Block
			return errEnough
		})
	}()
	if tip := <-started; tip != 3 {
		t.Fatalf("the tip is %d", tip)
	}
	<-started // a heartbeat
	r.Publish(0, r.backend.block(1))
	if err := <-done; !errors.Is(err, errEnough) || first.Height != 4 {
		t.Fatalf("%v, %+v", err, first)
	}
}

// Whoever waits for a height far ahead is told where the chain ends, not what it
// asked for.
func TestHeartbeatsTellWhereTheChainEnds(t *testing.T) {
	r := serve(t, Limits{Heartbeat: 5 * time.Millisecond})
	for range 3 {
		r.backend.block(1) // final before the server started
	}
	beats := 0
	err := r.client(t, ClientConfig{}).Follow(t.Context(), Follow{From: 1000}, func(ev Event) error {
		if ev.Block != nil || ev.Tip != 3 {
			t.Errorf("%+v", ev)
			return errEnough
		}
		if beats++; beats == 5 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
}

func TestAStreamGoesOnAfterARestart(t *testing.T) {
	r := serve(t, Limits{})
	r.Publish(0, r.backend.block(1))
	c := r.client(t, ClientConfig{})
	heights, lost := make(chan uint64, 10), make(chan error, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- c.Follow(ctx, Follow{From: 1, Lost: func(err error) { lost <- err }}, func(ev Event) error {
			if ev.Block != nil {
				heights <- ev.Block.Height
			}
			return nil
		})
	}()
	if h := <-heights; h != 1 {
		t.Fatal(h)
	}
	r.Close(t.Context())
	if err := <-lost; !errors.Is(err, ErrStopping) {
		t.Fatalf("the reason of the end: %v", err)
	}
	r.backend.block(1)
	again, err := NewServer(Config{Listen: r.Addr(), Backend: r.backend, Log: r.quiet.log})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close(t.Context())
	again.Publish(0, r.backend.block(1))
	if a, b := <-heights, <-heights; a != 2 || b != 3 {
		t.Fatalf("%d, %d after the restart", a, b)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestPrunedBlocksAreSaidToBe(t *testing.T) {
	r := serve(t, Limits{})
	r.backend.pruned = 5
	for range 9 {
		r.backend.block(1)
	}
	err := r.client(t, ClientConfig{}).Follow(t.Context(), Follow{From: 3}, func(Event) error { return nil })
	if !errors.Is(err, ErrPruned) {
		t.Fatal(err)
	}
}

// TestAGapIsFilledFromTheBackend: a validator that fetched blocks in bulk does
// not publish them; a subscriber gets them all the same.
func TestAGapIsFilledFromTheBackend(t *testing.T) {
	r := serve(t, Limits{WindowBlocks: 2})
	r.Publish(0, r.backend.block(1))
	c := r.client(t, ClientConfig{})
	seen := make(chan struct{}, 1)
	done := make(chan []uint64)
	go func() {
		var heights []uint64
		c.Follow(t.Context(), Follow{From: 1}, func(ev Event) error {
			if ev.Block == nil {
				return nil
			}
			heights = append(heights, ev.Block.Height)
			if len(heights) == 1 {
				seen <- struct{}{}
			}
			if ev.Block.Height == 9 {
				return errEnough
			}
			return nil
		})
		done <- heights
	}()
	<-seen
	for range 7 {
		r.backend.block(1)
	}
	r.Publish(0, r.backend.block(1))
	if got := <-done; !reflect.DeepEqual(got, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Fatalf("%v", got)
	}
	if r.lines(string(ErrSlow)) != 0 {
		t.Fatal("a gap was taken for a slow reader")
	}
}

// TestASlowReaderIsCutOff: one subscriber stops reading while blocks go on. It
// is cut off and named in one line; another one gets everything.
func TestASlowReaderIsCutOff(t *testing.T) {
	r := serve(t, Limits{WindowBlocks: 8, WindowBytes: 1 << 30, Write: 200 * time.Millisecond})
	r.Publish(0, r.backend.block(1))
	slow, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	slow.(*net.TCPConn).SetReadBuffer(4096)
	body := "\x00\x00\x00\x00\x02\x08\x01" // an envelope around EventsRequest{from: 1}
	if _, err := slow.Write([]byte("POST /ios.v1.Ledger/Events HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+proto\r\nConnect-Protocol-Version: 1\r\nContent-Length: 7\r\n\r\n" + body)); err != nil {
		t.Fatal(err)
	}
	got := make(chan uint64, 10_000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go r.client(t, ClientConfig{}).Follow(ctx, Follow{From: 1}, func(ev Event) error {
		if ev.Block != nil {
			got <- ev.Block.Height
		}
		return nil
	})
	<-got
	eventually(t, "the slow reader is cut off", func() bool {
		r.Publish(0, r.backend.block(4000)) // 132 kB
		<-got
		return r.lines(string(ErrSlow)) == 1
	})
}

// TestEventsAreEncodedOnce: the second subscriber costs a copy.
func TestEventsAreEncodedOnce(t *testing.T) {
	f := &frame{block: newFake().block(1000)}
	a, err := f.encoded(false, false)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := f.encoded(false, false)
	if &a[0] != &b[0] {
		t.Fatal("it was encoded again")
	}
	codec, buf := frameCodec{name: "proto"}, make([]byte, 0, 64<<10)
	m := &outbound{frame: f}
	if n := testing.AllocsPerRun(100, func() {
		if out, err := codec.MarshalAppend(buf, m); err != nil || len(out) != len(a) {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Fatalf("%v allocations for a copy", n)
	}
}
