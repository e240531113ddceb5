package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ios/internal/sm"
)

// number is the only message of the test protocol.
type number uint64

func (n number) AppendTo(dst []byte) []byte { return binary.BigEndian.AppendUint64(dst, uint64(n)) }

func decode(raw []byte) (sm.Message, error) {
	if len(raw) != 8 {
		return nil, errors.New("not a number")
	}
	return number(binary.BigEndian.Uint64(raw)), nil
}

// say has a counter persist the next number and send it.
type say struct{}

// ask has it make a request to the environment.
type ask struct{}

// request is one.
type request struct{}

// reply answers it.
type reply struct{}

// counter counts: what it said is durable before it is heard.
type counter struct {
	peers []sm.NodeID
	said  uint64
	heard []number
	fired int
	asked int
}

func (c *counter) Step(now time.Time, ev sm.Event) []sm.Effect {
	switch ev := ev.(type) {
	case say:
		c.said++
		return []sm.Effect{
			sm.Persist{Kind: 1, Data: binary.BigEndian.AppendUint64(nil, c.said)},
			sm.Send{To: c.peers, Msg: number(c.said)},
			sm.Deliver{Value: c.said},
		}
	case sm.Receive:
		c.heard = append(c.heard, ev.Msg.(number))
	case sm.Fire:
		c.fired++
		return []sm.Effect{sm.SetTimer{Key: ev.Key, At: now.Add(time.Second)}}
	case ask:
		return []sm.Effect{request{}}
	case reply:
		c.asked++
	}
	return nil
}

type fixture struct {
	net       *Network
	counters  map[sm.NodeID]*counter
	delivered map[sm.NodeID]uint64
}

func newFixture(seed uint64, faults Faults, check func(*fixture) error) *fixture {
	f := &fixture{counters: map[sm.NodeID]*counter{}, delivered: map[sm.NodeID]uint64{}}
	ids := []sm.NodeID{1, 2, 3}
	f.net = New(Config{
		Seed: seed, Nodes: ids, Faults: faults, Decode: decode,
		Factory: func(id sm.NodeID, now time.Time, records []sm.Persist) (sm.Machine, []sm.Effect) {
			c := &counter{}
			for _, p := range ids {
				if p != id {
					c.peers = append(c.peers, p)
				}
			}
			if n := len(records); n > 0 {
				c.said = binary.BigEndian.Uint64(records[n-1].Data)
			}
			f.counters[id] = c
			return c, []sm.Effect{sm.SetTimer{Key: sm.TimerKey{Kind: 7}, At: now.Add(time.Second)}}
		},
		Answer:    func(sm.NodeID, sm.Effect) (time.Duration, sm.Event) { return time.Second, reply{} },
		Delivered: func(id sm.NodeID, v any) { f.delivered[id] = v.(uint64) },
		Check: func() error {
			if check != nil {
				return check(f)
			}
			return nil
		},
	})
	return f
}

func TestMessagesArriveInOrderAfterTheirRecords(t *testing.T) {
	f := newFixture(1, Faults{MinDelay: 1e6, MaxDelay: 9e6, MinSync: 50e6, MaxSync: 50e6}, nil)
	for range 20 {
		f.net.Do(1, say{})
	}
	f.net.RunFor(40 * time.Millisecond)
	if n := len(f.counters[2].heard); n != 0 || f.delivered[1] != 0 {
		t.Fatalf("%d messages arrived and %d was delivered before a record was durable", n, f.delivered[1])
	}
	f.net.RunFor(100 * time.Millisecond)
	for i, n := range f.counters[2].heard {
		if n != number(i+1) {
			t.Fatalf("message %d is %d", i, n)
		}
	}
	if len(f.counters[2].heard) != 20 || len(f.net.Records(1)) != 20 || f.delivered[1] != 20 {
		t.Fatalf("%d of 20 arrived, %d records", len(f.counters[2].heard), len(f.net.Records(1)))
	}
}

// A node that says a number again after a restart has lost a record that others
// saw the consequence of.
func TestCrashLosesOnlyWhatNobodyHeard(t *testing.T) {
	lost := false
	for seed := range uint64(200) {
		f := newFixture(seed, Faults{MinDelay: 1e6, MaxDelay: 5e6, MaxSync: 10e6}, nil)
		for i := range 20 {
			f.net.After(time.Duration(i)*3*time.Millisecond, func() { f.net.Do(1, say{}) })
		}
		f.net.RunFor(time.Duration(seed%60) * time.Millisecond)
		said := f.counters[1].said
		f.net.Crash(1)
		f.net.RunFor(20 * time.Millisecond)
		f.net.Restart(1)
		c := f.counters[1]
		lost = lost || c.said < said
		if h := f.counters[2].heard; len(h) > 0 && uint64(h[len(h)-1]) > c.said {
			t.Fatalf("seed %d: %d was heard, the log ends with %d", seed, h[len(h)-1], c.said)
		}
		if f.delivered[1] > c.said {
			t.Fatalf("seed %d: %d was delivered, the log ends with %d", seed, f.delivered[1], c.said)
		}
	}
	if !lost {
		t.Error("no crash ever lost anything")
	}
}

func TestLinkFaults(t *testing.T) {
	run := func(faults Faults) []number {
		f := newFixture(5, faults, nil)
		for range 200 {
			f.net.Do(1, say{})
		}
		f.net.RunFor(time.Second)
		return f.counters[2].heard
	}
	if n := len(run(Faults{Loss: 0.5})); n < 50 || n > 150 {
		t.Errorf("%d of 200 arrive with a loss of a half", n)
	}
	if n := len(run(Faults{Duplicate: 0.5})); n < 250 || n > 350 {
		t.Errorf("%d of 200 arrive when a half is repeated", n)
	}
	overtaken := 0
	heard := run(Faults{MaxDelay: 50e6, Reorder: 1})
	for i := 1; i < len(heard); i++ {
		if heard[i] < heard[i-1] {
			overtaken++
		}
	}
	if overtaken < 50 {
		t.Errorf("%d of 200 are overtaken", overtaken)
	}
}

func TestPartition(t *testing.T) {
	f := newFixture(1, Faults{}, nil)
	f.net.Partition([]sm.NodeID{1, 2}, []sm.NodeID{3})
	f.net.Do(1, say{})
	f.net.RunFor(time.Second)
	if len(f.counters[2].heard) != 1 || len(f.counters[3].heard) != 0 {
		t.Fatal("the cut is not between the sides")
	}
	f.net.Heal()
	f.net.Do(1, say{})
	f.net.RunFor(time.Second)
	if len(f.counters[3].heard) != 1 {
		t.Fatal("healing did not help")
	}
}

func TestFilters(t *testing.T) {
	f := newFixture(1, Faults{}, nil)
	f.net.FilterOut(1, func(_ time.Time, to sm.NodeID, msg sm.Message) []Parcel {
		if to == 2 {
			return []Parcel{{2, msg.(number) + 100}, {3, msg.(number) + 200}}
		}
		return nil
	})
	f.net.FilterIn(3, func(_ time.Time, from sm.NodeID, msg sm.Message) []Parcel {
		return []Parcel{{3, msg}, {3, msg.(number) * 2}}
	})
	f.net.Do(1, say{})
	f.net.InjectRaw(2, 3, []byte{1})
	f.net.RunFor(time.Second)
	if got := fmt.Sprint(f.counters[2].heard, f.counters[3].heard); got != "[101] [201 402]" {
		t.Errorf("heard %s", got)
	}
	if f.net.Err() != nil {
		t.Error(f.net.Err())
	}
}

func TestTimersAndRequests(t *testing.T) {
	f := newFixture(1, Faults{}, nil)
	f.net.Do(2, ask{})
	f.net.RunFor(3500 * time.Millisecond)
	if f.counters[2].fired != 3 || f.counters[2].asked != 1 {
		t.Errorf("fired %d times, %d answers", f.counters[2].fired, f.counters[2].asked)
	}
	f.net.Do(2, ask{})
	f.net.Crash(2)
	f.net.Restart(2)
	f.net.RunFor(900 * time.Millisecond)
	if f.counters[2].fired != 0 {
		t.Error("a timer of an earlier life fires")
	}
	f.net.RunFor(time.Second)
	if f.counters[2].fired != 1 || f.counters[2].asked != 0 {
		t.Errorf("after a restart: fired %d times, %d answers", f.counters[2].fired, f.counters[2].asked)
	}
}

func TestFailureSaysHowToSeeItAgain(t *testing.T) {
	f := newFixture(77, Faults{}, func(f *fixture) error {
		if len(f.counters[3].heard) == 5 {
			return errors.New("five is too many")
		}
		return nil
	})
	for range 9 {
		f.net.Do(1, say{})
	}
	f.net.RunFor(time.Second)
	err := f.net.Err()
	if err == nil || len(f.counters[3].heard) != 5 {
		t.Fatalf("it did not stop: %v", err)
	}
	for _, want := range []string{"seed 77", "five is too many", "step ", "sim.number from 1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

func TestSameSeedSameHash(t *testing.T) {
	run := func(seed uint64) [32]byte {
		f := newFixture(seed, Mix(3), nil)
		f.net.Unleash(Chaos{Until: 5 * time.Second, Nodes: []sm.NodeID{1, 2, 3}, Every: 200 * time.Millisecond, Pause: time.Second}, Faults{})
		for i := range 100 {
			f.net.After(time.Duration(i)*50*time.Millisecond, func() { f.net.Do(sm.NodeID(1+i%3), say{}) })
		}
		f.net.RunFor(10 * time.Second)
		for id := range sm.NodeID(3) {
			if !f.net.Up(id + 1) {
				t.Errorf("node %d is not up after the chaos", id+1)
			}
		}
		return f.net.Hash()
	}
	if run(1) != run(1) {
		t.Error("one seed gives two runs")
	}
	if run(1) == run(2) {
		t.Error("two seeds give one run")
	}
}
