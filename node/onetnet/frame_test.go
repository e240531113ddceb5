package onetnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The queue does what a plain list does, within its bounds, in the same order.
func TestQueueAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := queue{maxBytes: 3 << 20, maxItems: rapid.IntRange(1, 12).Draw(t, "items")}
		var list, taken []item
		charge := func() (n int) {
			for _, it := range list {
				n += it.charge()
			}
			return n
		}
		trim := func() (n int) {
			for len(list) > q.maxItems || len(list) > 1 && charge() > q.maxBytes {
				list = list[1:]
				n++
			}
			return n
		}
		serial := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				serial++
				size := rapid.SampledFrom([]int{1, 100, 500_000, maxWhole, maxWhole + 1, 2 << 20}).Draw(t, "size")
				it := item{parts: [][]byte{{byte(serial), byte(serial >> 8)}}, size: size}
				list = append(list, it)
				want := trim()
				if got := q.push(it); got != want {
					t.Fatalf("%d evicted, want %d", got, want)
				}
			},
			"take": func(t *rapid.T) {
				taken = append([]item(nil), q.take(nil)...)
				room := maxBatchBody
				var want []item
				for len(list) > 0 && (len(want) == 0 || batchEntryHeader+list[0].size <= room) {
					room -= batchEntryHeader + list[0].size
					want, list = append(want, list[0]), list[1:]
				}
				sameItems(t, taken, want)
			},
			"putBack": func(t *rapid.T) {
				list = append(append([]item(nil), taken...), list...)
				want := trim()
				if got := q.putBack(taken); got != want {
					t.Fatalf("%d evicted, want %d", got, want)
				}
				taken = nil
			},
			"drain": func(t *rapid.T) {
				if got := q.drain(); got != len(list) {
					t.Fatalf("%d drained, want %d", got, len(list))
				}
				list = nil
			},
			"": func(t *rapid.T) {
				sameItems(t, q.items[q.head:], list)
				if q.bytes != charge() || q.len() != len(list) {
					t.Fatalf("%d items and %d bytes, want %d and %d", q.len(), q.bytes, len(list), charge())
				}
			},
		})
	})
}

func sameItems(t *rapid.T, got, want []item) {
	if len(got) != len(want) {
		t.Fatalf("%d items, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].size != want[i].size || !bytes.Equal(got[i].parts[0], want[i].parts[0]) {
			t.Fatalf("item %d differs", i)
		}
	}
}

// A long queue that is pushed and popped in turn does not grow.
func TestQueueReusesItsSpace(t *testing.T) {
	q := queue{maxBytes: 1 << 30, maxItems: 100}
	for range 100_000 {
		q.push(item{size: 1})
	}
	if cap(q.items) > 2000 {
		t.Errorf("room for %d items after keeping 100", cap(q.items))
	}
}

// What is announced does not cost memory: only what arrived does.
func TestAssemblyGrowsWithWhatArrives(t *testing.T) {
	var a assembly
	chunk := binary.BigEndian.AppendUint32(nil, MaxMessage)
	chunk = binary.BigEndian.AppendUint32(chunk, 0)
	chunk = append(chunk, make([]byte, maxChunk)...)
	now := time.Unix(1, 0)
	if m, err := a.add(chunk, now, time.Second); m != nil || err != nil {
		t.Fatal(m, err)
	}
	if len(a.chunks) != 1 || cap(a.chunks[0]) > maxChunk+chunkHeader || cap(a.chunks) > 2 {
		t.Errorf("more than what arrived is held: %d chunks of %d bytes", cap(a.chunks), cap(a.chunks[0]))
	}
	binary.BigEndian.PutUint32(chunk[4:], maxChunk)
	if _, err := a.add(chunk, now.Add(2*time.Second), time.Second); err == nil || errors.Is(err, ErrMalformed) {
		t.Errorf("a message that comes too slowly: %v", err)
	}
}

// Small messages do not keep the frame alive in which they came.
func TestSmallMessagesAreDetached(t *testing.T) {
	frame := encodeWith(t, func(w io.Writer) error {
		return writeBatch(w, []item{
			{parts: [][]byte{make([]byte, 100)}, size: 100},
			{parts: [][]byte{make([]byte, 500_000)}, size: 500_000},
		})
	})
	body := frame[frameHeader+1:]
	messages, err := parseBatch(body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = 0xff
	}
	if messages[0][0] != 0 || messages[1][0] != 0xff {
		t.Error("want the small message copied and the big one not")
	}
}

// FuzzBatch: what parses encodes back to the same bytes.
func FuzzBatch(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 7})
	f.Add([]byte{0, 0, 0, 2, 0, 0, 0, 1, 7, 0, 0, 0, 2, 8, 9})
	f.Add([]byte{0, 0, 16, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, err := parseBatch(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		var items []item
		for _, m := range messages {
			items = append(items, item{parts: [][]byte{m}, size: len(m)})
		}
		again := encodeWith(t, func(w io.Writer) error { return writeBatch(w, items) })
		if want := frame(kindBatch, body...); !bytes.Equal(again, want) {
			t.Fatalf("%x encodes as %x", want, again)
		}
	})
}

// FuzzChunks: frames of chunks, cut out of any bytes, never panic and never
// assemble anything that encodes differently.
func FuzzChunks(f *testing.F) {
	whole := encodeWith(f, func(w io.Writer) error {
		m := make([]byte, maxWhole+1)
		return writeChunks(w, item{parts: [][]byte{m}, size: len(m)}, func() error { return nil })
	})
	f.Add(whole[frameHeader+1:frameHeader+MaxFrame], whole[2*frameHeader+MaxFrame+1:])
	f.Add([]byte{0, 32, 0, 0, 0, 0, 0, 0, 1}, []byte{0})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var a assembly
		now := time.Unix(1, 0)
		if m, err := a.add(first, now, time.Second); m != nil || err != nil {
			return
		}
		m, err := a.add(second, now, time.Second)
		if m == nil || err != nil {
			return
		}
		again := encodeWith(t, func(w io.Writer) error {
			return writeChunks(w, item{parts: [][]byte{m}, size: len(m)}, func() error { return nil })
		})
		if want := append(frame(kindChunk, first...), frame(kindChunk, second...)...); !bytes.Equal(again, want) {
			t.Fatal("two chunks encode differently")
		}
	})
}
