package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	"ios/chain"
	"ios/node/api/ledgerpb"
)

// Submit hands over concatenated canonical transactions, at most MaxSubmitBytes
// and MaxSubmitTxs of them, and waits until each is accepted or refused. When
// it returns an error nothing is known of them; they may be submitted again.
// The client does not keep raw.
func (c *Client) Submit(ctx context.Context, raw []byte) (SubmitResult, error) {
	if len(raw) > MaxSubmitBytes {
		return SubmitResult{}, chain.Rule(chain.ErrTooLarge, "a submission of %d bytes, at most %d are allowed", len(raw), MaxSubmitBytes)
	}
	return call(ctx, c, func(ctx context.Context) (SubmitResult, error) { return c.submitOnce(ctx, raw) })
}

func (c *Client) submitOnce(ctx context.Context, raw []byte) (SubmitResult, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+SubmitPath, bytes.NewReader(raw))
	if err != nil {
		return SubmitResult{}, &Error{Kind: ErrRequest, Text: err.Error(), Next: "correct the endpoint's URL", Endpoint: c.url}
	}
	req.Header["Content-Type"] = headerBinary
	res, err := c.http.Do(req)
	if err != nil {
		return SubmitResult{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer))
	if err != nil {
		return SubmitResult{}, err
	}
	if res.StatusCode != http.StatusOK {
		return SubmitResult{}, c.plainFault(res, answer)
	}
	var m ledgerpb.SubmitResponse
	if err := proto.Unmarshal(answer, &m); err != nil {
		return SubmitResult{}, fmt.Errorf("the answer is no SubmitResponse: %w", err)
	}
	return refusalsFromWire(&m), nil
}

// longestAnswer has room for 4,096 refusals with long sentences.
const longestAnswer = 1 << 20

var headerBinary = []string{typeBinary}

func (c *Client) plainFault(res *http.Response, answer []byte) error {
	var e plainError
	if err := json.Unmarshal(answer, &e); err != nil || e.Kind == "" {
		return &Error{Kind: ErrUnreachable, Text: "the answer is " + res.Status + ": something else serves there", Next: NextStep(ErrUnreachable), Endpoint: c.url}
	}
	return &Error{Kind: chain.ErrorKind(e.Kind), Text: e.Text, Next: e.NextStep, Endpoint: c.url}
}
