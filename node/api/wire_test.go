package api

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"ios/node/api/ledgerpb"
)

// FuzzAnswers: a client takes whatever a hostile server sends, and what it
// accepts keeps the types' promises.
func FuzzAnswers(f *testing.F) {
	ev := newFake().block(2)
	st, _ := newFake().Status(f.Context())
	for _, m := range []proto.Message{
		&ledgerpb.EventsResponse{Event: &ledgerpb.EventsResponse_Block{Block: blockEventToWire(ev, false)}},
		statusToWire(st), outcomeToWire(&Outcome{State: StateAborted}),
		coinsToWire(&CoinsPage{Coins: []Coin{{Amount: 1}}}), submitToWire(SubmitResult{Refused: []Refusal{{Index: 1}}}),
	} {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var event ledgerpb.EventsResponse
		if proto.Unmarshal(raw, &event) == nil {
			if e, err := eventFromWire(&event); err == nil && e.Block != nil {
				for i := range e.Block.Outcomes.Len() {
					e.Block.Outcomes.At(i)
				}
				for i := range e.Block.Skipped.Len() {
					e.Block.Skipped.At(i)
				}
			}
		}
		var outcome ledgerpb.OutcomeResponse
		if proto.Unmarshal(raw, &outcome) == nil {
			if o, err := outcomeFromWire(&outcome); err == nil && o.State.Recorded() != o.State.Outcome().Valid() {
				t.Fatalf("state %d and outcome %d", o.State, o.State.Outcome())
			}
		}
		var status ledgerpb.StatusResponse
		if proto.Unmarshal(raw, &status) == nil {
			statusFromWire(&status)
		}
		var coins ledgerpb.CoinsResponse
		if proto.Unmarshal(raw, &coins) == nil {
			coinsFromWire(&coins)
		}
		var submitted ledgerpb.SubmitResponse
		if proto.Unmarshal(raw, &submitted) == nil {
			refusalsFromWire(&submitted)
		}
	})
}

// TestStatesAndOutcomesAgree in both directions.
func TestStatesAndOutcomesAgree(t *testing.T) {
	for s := range stateEnd {
		if o := s.Outcome(); o.Valid() && (StateOf(o) != s || s.String() != o.String()) || o.Valid() != s.Recorded() {
			t.Errorf("state %v, outcome %v", s, o)
		}
	}
}
