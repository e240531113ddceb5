package api

import (
	"errors"
	"slices"
	"testing"

	"ios/chain"
	"ios/node/epochs"
)

func TestRecordsOfEpochsAreStreamed(t *testing.T) {
	r := serve(t, Limits{})
	for n := uint64(2); n <= 5; n++ {
		r.backend.epochs = append(r.backend.epochs, &epochs.Record{Number: n, Epoch: []byte{byte(n)}, Proof: make([]byte, 1<<20)})
	}
	c := r.client(t, ClientConfig{})
	var got []uint64
	take := func(rec *epochs.Record) error {
		if len(rec.Epoch) != 1 || rec.Epoch[0] != byte(rec.Number) || len(rec.Proof) != 1<<20 {
			t.Errorf("record %d came changed", rec.Number)
		}
		got = append(got, rec.Number)
		return nil
	}
	if err := c.Epochs(t.Context(), 3, take); err != nil || len(got) != 3 || got[0] != 3 {
		t.Error(got, err)
	}
	if err := c.Epochs(t.Context(), 6, take); err != nil || len(got) != 3 {
		t.Error("nothing is new, but", got, err)
	}
	if err := c.Epochs(t.Context(), 1, take); !errors.Is(err, ErrRequest) {
		t.Error("the genesis's epoch:", err)
	}
	enough := errors.New("enough")
	if err := c.Epochs(t.Context(), 2, func(*epochs.Record) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	r.backend.mu.Lock()
	r.backend.later = []uint64{4, 4} // the next two times
	r.backend.mu.Unlock()
	got = nil
	if err := c.Epochs(t.Context(), 3, take); err != nil || len(got) != 3 || got[2] != 5 {
		t.Error("a record that takes a moment:", got, err)
	}
	r.backend.mu.Lock()
	r.backend.later = slices.Repeat([]uint64{4}, 100)
	r.backend.mu.Unlock()
	if err := c.Epochs(t.Context(), 4, take); !errors.Is(err, chain.ErrNotReady) || len(r.backend.later) == 0 {
		t.Error("a record that never comes:", err)
	}
	r.backend.mu.Lock()
	r.backend.later = nil
	r.backend.epochs[1] = &epochs.Record{Number: 7}
	r.backend.mu.Unlock()
	if err := c.Epochs(t.Context(), 2, func(*epochs.Record) error { return nil }); err == nil {
		t.Error("records without order are taken")
	}
}
