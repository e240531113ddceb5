package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"connectrpc.com/connect"

	"ios/chain"
	"ios/node/api/ledgerpb"
)

// Error is what a Client returns for a refusal or an endpoint that cannot be
// reached. errors.Is finds the kind.
type Error struct {
	Kind     chain.ErrorKind
	Text     string
	Next     string // what to do about it
	Endpoint string // whom the client asked
}

// ErrUnreachable is the kind of an endpoint that gave no answer.
const ErrUnreachable chain.ErrorKind = "unreachable"

// ErrInternal is the kind of a fault of the validator's own.
const ErrInternal chain.ErrorKind = "internal"

// Error is the kind, the sentence, and the next step.
func (e *Error) Error() string {
	s := string(e.Kind) + ": " + e.Text
	if e.Endpoint != "" {
		s = e.Endpoint + ": " + s
	}
	if e.Next != "" {
		s += "; " + e.Next
	}
	return s
}

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

// nextSteps says what a client does about a refusal.
var nextSteps = map[chain.ErrorKind]string{
	ErrNotFound:         "ask another validator, or later",
	ErrNotYet:           "ask again after the next block",
	ErrPruned:           "ask a validator that keeps old blocks",
	ErrBusy:             "wait a moment and ask again, or ask another validator of the shard",
	ErrSlow:             "read faster, or ask for summaries, and go on from the last height",
	ErrRequest:          "correct the request",
	ErrStopping:         "ask another validator of the shard",
	ErrInternal:         "look into the validator's log",
	ErrUnreachable:      "check that the validator runs and that the address is right",
	chain.ErrFull:       "wait a moment and submit again",
	chain.ErrNotReady:   "ask another validator of the shard, or see its status for what it waits for",
	chain.ErrTooLarge:   "split it up",
	chain.ErrWrongShard: "ask a validator of the right shard",
	chain.ErrWrongChain: "use the genesis file of this network",
	chain.ErrExpired:    "make and sign it anew",
	chain.ErrSpent:      "refresh the coins and build the transaction anew",
	chain.ErrUnknown:    "wait until the transaction that makes the output is final, or refresh the coins",
	chain.ErrLocked:     "wait for the outcome of the transfer that holds it",
	chain.ErrFee:        "pay a higher fee",
	chain.ErrAddress:    "check the address for typing errors and for its network",
}

// NextStep is what a client does about a refusal of the kind; empty if there
// is nothing general to say.
func NextStep(kind chain.ErrorKind) string { return nextSteps[kind] }

// describe finds the kind and the sentence of an error of the backend or of
// the server itself.
func describe(err error) (chain.ErrorKind, string) {
	var rule *chain.RuleError
	var kind chain.ErrorKind
	switch {
	case errors.As(err, &rule):
		return rule.Kind, rule.Text
	case errors.As(err, &kind):
		return kind, err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return chain.ErrNotReady, "the validator could not answer in time"
	case errors.Is(err, context.Canceled):
		return ErrStopping, "the request was given up"
	}
	return ErrInternal, err.Error()
}

// codeOf is connect's code for a kind.
func codeOf(kind chain.ErrorKind) connect.Code {
	switch kind {
	case ErrBusy, ErrSlow, chain.ErrFull, chain.ErrTooLarge:
		return connect.CodeResourceExhausted
	case ErrNotFound, ErrNotYet, ErrPruned:
		return connect.CodeNotFound
	case chain.ErrNotReady, ErrStopping, ErrUnreachable:
		return connect.CodeUnavailable
	case ErrInternal:
		return connect.CodeInternal
	case chain.ErrSpent, chain.ErrUnknown, chain.ErrLocked, chain.ErrDecided, chain.ErrExpired:
		return connect.CodeFailedPrecondition
	}
	return connect.CodeInvalidArgument
}

// httpStatus is the status of a refusal outside connect.
func httpStatus(kind chain.ErrorKind) int {
	switch codeOf(kind) {
	case connect.CodeResourceExhausted:
		if kind == chain.ErrTooLarge {
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusTooManyRequests
	case connect.CodeNotFound:
		return http.StatusNotFound
	case connect.CodeUnavailable:
		return http.StatusServiceUnavailable
	case connect.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func detailOf(err error) *ledgerpb.ErrorDetail {
	kind, text := describe(err)
	return &ledgerpb.ErrorDetail{Kind: string(kind), Text: text, NextStep: NextStep(kind)}
}

// wireError is err as it goes to the client.
func wireError(err error) *connect.Error {
	d := detailOf(err)
	ce := connect.NewError(codeOf(chain.ErrorKind(d.Kind)), errors.New(d.Kind+": "+d.Text))
	if detail, err := connect.NewErrorDetail(d); err == nil {
		ce.AddDetail(detail)
	}
	return ce
}

// clientError is an error of connect as the client's caller sees it.
func clientError(endpoint string, err error) error {
	if err == nil {
		return nil
	}
	if ctx := contextCause(err); ctx != nil {
		return ctx
	}
	var known *Error
	var rule *chain.RuleError
	var ce *connect.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &rule): // an answer that makes no sense
		return &Error{Kind: rule.Kind, Text: rule.Text, Next: "ask another validator", Endpoint: endpoint}
	case !errors.As(err, &ce):
		var call *url.Error
		if errors.As(err, &call) { // which repeats the endpoint
			err = call.Err
		}
		return &Error{Kind: ErrUnreachable, Text: err.Error(), Next: NextStep(ErrUnreachable), Endpoint: endpoint}
	}
	for _, d := range ce.Details() {
		if v, verr := d.Value(); verr == nil {
			if ed, ok := v.(*ledgerpb.ErrorDetail); ok {
				return &Error{Kind: chain.ErrorKind(ed.Kind), Text: ed.Text, Next: ed.NextStep, Endpoint: endpoint}
			}
		}
	}
	kind := kindOf(ce.Code())
	if kind != ErrBusy && !connect.IsWireError(err) {
		kind = ErrUnreachable // nobody answered: the connection broke, say
	}
	return &Error{Kind: kind, Text: ce.Message(), Next: NextStep(kind), Endpoint: endpoint}
}

// kindOf is the kind of an answer without a detail.
func kindOf(code connect.Code) chain.ErrorKind {
	switch code {
	case connect.CodeUnavailable, connect.CodeUnknown, connect.CodeAborted:
		return ErrUnreachable
	case connect.CodeResourceExhausted:
		return ErrBusy
	case connect.CodeInternal, connect.CodeDataLoss, connect.CodeUnimplemented:
		return ErrInternal
	}
	return ErrRequest
}

// contextCause is context.Canceled or DeadlineExceeded if that is what err
// comes from on this side.
func contextCause(err error) error {
	for _, c := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, c) {
			return c
		}
	}
	return nil
}
