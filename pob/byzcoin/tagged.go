package byzcoin

import (
	"ios/chain"
	"ios/internal/sm"
)

// The messages of a [Chain], besides those that fetch blocks.
type (
	// Tagged carries a message between the members of one term's committee.
	Tagged struct {
		Term chain.Term
		Msg  sm.Message
	}

	// Where asks whether the receiver is in a later term than the sender.
	Where struct {
		Term   chain.Term // of the sender's next block
		Height uint64     // of its last one
	}

	// Ahead answers Where, or a message of an older term, if the sender is in a
	// later one. It proves nothing: who believes it has blocks to ask for.
	Ahead struct {
		Term   chain.Term
		Height uint64
	}
)

// AppendTo appends the canonical encoding.
func (t *Tagged) AppendTo(dst []byte) []byte {
	return t.Msg.AppendTo(t.Term.AppendTo(append(dst, kindTagged)))
}

// AppendTo appends the canonical encoding.
func (w *Where) AppendTo(dst []byte) []byte {
	return be.AppendUint64(w.Term.AppendTo(append(dst, kindWhere)), w.Height)
}

// AppendTo appends the canonical encoding.
func (a *Ahead) AppendTo(dst []byte) []byte {
	return be.AppendUint64(a.Term.AppendTo(append(dst, kindAhead)), a.Height)
}

// Tag puts a message into what it travels in between the chains of two members:
// a Tagged, unless it belongs to no term.
func Tag(term chain.Term, msg sm.Message) sm.Message {
	switch msg.(type) {
	case *Fetch, *SyncReply, *FetchHeaders, *Headers, *Tagged, *Where, *Ahead:
		return msg
	}
	return &Tagged{term, msg}
}

// Untag takes a message out again.
func Untag(msg sm.Message) sm.Message {
	if t, ok := msg.(*Tagged); ok {
		return t.Msg
	}
	return msg
}

// free reports whether a message belongs to no term.
func free(kind byte) bool {
	switch kind {
	case kindFetch, kindSyncReply, kindFetchHeaders, kindHeaders, kindTagged, kindWhere, kindAhead:
		return true
	}
	return false
}

func decodeTagged(r *chain.Reader) (sm.Message, error) {
	t := &Tagged{Term: r.Term()}
	rest := r.Rest()
	if err := r.Close(); err != nil {
		return nil, err
	}
	if len(rest) > 0 && free(rest[0]) {
		return nil, chain.Rule(chain.ErrEncoding, "a message of kind %d behind a term", rest[0])
	}
	var err error
	if t.Msg, err = Decode(rest); err != nil {
		return nil, err
	}
	return t, nil
}
