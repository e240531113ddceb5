package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"

	"ios/chain"
	"ios/node/api/ledgerpb"
)

// SubmitPath takes a POST whose body is the concatenated transactions and
// nothing else. The answer is an encoded SubmitResponse, or an error as JSON
// with kind, text and next_step. It does what the Submit call does for a quarter
// less, and the body goes to the backend without another copy.
const SubmitPath = "/v1/submit"

const (
	typeBinary = "application/octet-stream"
	typeProto  = "application/proto"
)

func (s *Server) plainSubmit(w http.ResponseWriter, r *http.Request) {
	m := s.metrics.plain
	start := s.quiet.now()
	b, done, err := s.admit(r, &s.submits, MaxSubmitBytes)
	if err != nil {
		m.refuse(err)
		s.note(remoteHost(r), err)
		writePlainError(w, err)
		return
	}
	defer done()
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.Submit)
	defer cancel()
	res, err := s.submit(ctx, remoteHost(r), b.data)
	if err != nil {
		m.refuse(err)
		writePlainError(w, err)
		return
	}
	answer, err := proto.Marshal(submitToWire(res))
	if err != nil {
		writePlainError(w, err)
		return
	}
	h := w.Header()
	h["Content-Type"] = headerProto
	h["Content-Length"] = []string{strconv.Itoa(len(answer))}
	w.Write(answer)
	m.done(start)
}

var headerProto = []string{typeProto}

// submit hands transactions to the backend and counts what became of them.
func (s *Server) submit(ctx context.Context, host string, raw []byte) (SubmitResult, error) {
	switch {
	case len(raw) == 0:
		return SubmitResult{}, chain.Rule(ErrRequest, "a submission without transactions")
	case len(raw) > MaxSubmitBytes:
		return SubmitResult{}, chain.Rule(chain.ErrTooLarge, "%d bytes of transactions, at most %d are allowed", len(raw), MaxSubmitBytes)
	}
	res, err := s.backend.Submit(ctx, raw)
	if err != nil {
		s.note(host, err)
		return SubmitResult{}, err
	}
	s.metrics.accepted.Add(float64(res.Accepted))
	if len(res.Refused) > 0 {
		s.metrics.refused.Add(float64(len(res.Refused)))
		first := &res.Refused[0]
		s.quiet.warn(string(first.Kind), host, "transactions refused, the first: "+first.Text)
	}
	return res, nil
}

// note logs what was the validator's or a hostile client's fault.
func (s *Server) note(host string, err error) {
	kind, text := describe(err)
	switch kind {
	case ErrNotFound, ErrNotYet, ErrPruned, ErrStopping:
		return
	}
	s.quiet.warn(string(kind), host, text)
}

func submitToWire(res SubmitResult) *ledgerpb.SubmitResponse {
	out := &ledgerpb.SubmitResponse{Accepted: uint32(res.Accepted)}
	if len(res.Refused) > 0 {
		out.Refused = make([]*ledgerpb.Refusal, len(res.Refused))
		for i := range res.Refused {
			f := &res.Refused[i]
			out.Refused[i] = &ledgerpb.Refusal{Index: uint32(f.Index), Kind: string(f.Kind), Text: f.Text}
		}
	}
	return out
}

// plainError is the JSON form of an error outside connect.
type plainError struct {
	Kind     string `json:"kind"`
	Text     string `json:"text"`
	NextStep string `json:"next_step,omitempty"`
}

func writePlainError(w http.ResponseWriter, err error) {
	d := detailOf(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(httpStatus(chain.ErrorKind(d.Kind)))
	json.NewEncoder(w).Encode(plainError{d.Kind, d.Text, d.NextStep})
}
