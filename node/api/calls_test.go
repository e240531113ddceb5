package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"ios/chain"
)

func TestEveryCallComesThrough(t *testing.T) {
	r := serve(t, Limits{})
	c := r.client(t, ClientConfig{})
	ctx := t.Context()
	id := chain.TxID{1, 2, 3}
	r.backend.txs[id] = []byte("transaction")
	r.backend.block(1)

	res, err := c.Submit(ctx, []byte{1, 0xff, 3})
	if err != nil || res.Accepted != 2 || len(res.Refused) != 1 || res.Refused[0].Index != 1 || !errors.Is(res.Refused[0].Err(), chain.ErrSpent) {
		t.Fatalf("submit: %+v, %v", res, err)
	}
	if err := c.Carry(ctx, []byte("bundle")); err != nil || string(r.backend.carried[0]) != "bundle" {
		t.Fatalf("carry: %v", err)
	}
	if err := c.Carry(ctx, []byte{0xff}); !errors.Is(err, chain.ErrProof) || !strings.Contains(err.Error(), "a forged proof") {
		t.Fatalf("a forged proof: %v", err)
	}
	want := Outcome{State: StateCommitted, Height: 7, Time: time.Unix(1, 2), Involved: []chain.ShardID{0, 3}, Reason: "because", Proof: []byte("proof")}
	if got, err := c.Outcome(ctx, id, true); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("outcome: %+v, %v", got, err)
	}
	if got, err := c.Outcome(ctx, chain.TxID{9}, true); err != nil || got.State != StateUnknown {
		t.Fatalf("an unknown transaction: %+v, %v", got, err)
	}
	if raw, err := c.Tx(ctx, id); err != nil || string(raw) != "transaction" {
		t.Fatalf("tx: %q, %v", raw, err)
	}
	if _, err := c.Bundle(ctx, id, 1); !errors.Is(err, ErrNotFound) {
		t.Fatalf("bundle: %v", err)
	}
	if raw, err := c.Block(ctx, 1); err != nil || raw[0] != 1 {
		t.Fatalf("block: %v, %v", raw, err)
	}
	if _, err := c.Block(ctx, 2); !errors.Is(err, ErrNotYet) {
		t.Fatalf("a block to come: %v", err)
	}
	got, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := r.backend.Status(ctx); !reflect.DeepEqual(got, want) {
		t.Fatalf("status:\n%+v\n%+v", got, want)
	}
}

func TestCoinsComePageByPage(t *testing.T) {
	r := serve(t, Limits{})
	for i := range 2500 {
		r.backend.coins = append(r.backend.coins, Coin{chain.OutPoint{Tx: chain.TxID{byte(i >> 8), byte(i)}, Index: uint32(i)}, uint64(i + 1)})
	}
	c := r.client(t, ClientConfig{})
	owner := chain.Address{7}.Text(chain.PrefixTest)
	p, err := c.Coins(t.Context(), owner, 10_000)
	if err != nil || !p.Done || p.Height != 9 || !reflect.DeepEqual(p.Coins, r.backend.coins) {
		t.Fatalf("%d coins, done %v, %v", len(p.Coins), p.Done, err)
	}
	if p, err = c.Coins(t.Context(), owner, 1500); err != nil || p.Done || len(p.Coins) != 1500 {
		t.Fatalf("limited to 1500: %d coins, done %v, %v", len(p.Coins), p.Done, err)
	}
	if _, err := c.Coins(t.Context(), chain.Address{7}.Text(chain.PrefixMain), 10); !errors.Is(err, chain.ErrAddress) {
		t.Fatalf("an address of another network: %v", err)
	}
}

func TestPlainJSONOverPost(t *testing.T) {
	r := serve(t, Limits{})
	post := func(path, body string) (int, map[string]any) {
		t.Helper()
		res, err := http.Post(r.URL()+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		defer http.DefaultClient.CloseIdleConnections()
		m := make(map[string]any)
		if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, m
	}
	if code, m := post("/ios.v1.Ledger/Status", "{}"); code != 200 || m["name"] != "v3" {
		t.Fatalf("%d %v", code, m)
	}
	code, m := post("/ios.v1.Ledger/Tx", `{"id":"zz"}`)
	details, _ := m["details"].([]any)
	if code != 400 || m["code"] != "invalid_argument" || len(details) != 1 {
		t.Fatalf("%d %v", code, m)
	}
	if code, m := post("/ios.v1.Ledger/Tx", `{"id":`); code != 400 || m["code"] != "invalid_argument" {
		t.Fatalf("broken JSON: %d %v", code, m)
	}
}

func TestHealthReadinessAndMetrics(t *testing.T) {
	r := serve(t, Limits{})
	get := func(path string) (int, string) {
		t.Helper()
		res, err := http.Get(r.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		defer http.DefaultClient.CloseIdleConnections()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Fatalf("healthz: %d", code)
	}
	if code, body := get("/readyz"); code != 200 || !strings.Contains(body, `"ready":true`) {
		t.Fatalf("readyz: %d %s", code, body)
	}
	r.backend.reasons = []string{"replaying its log, 12 %"}
	if code, body := get("/readyz"); code != 503 || !strings.Contains(body, "replaying its log, 12 %") {
		t.Fatalf("readyz: %d %s", code, body)
	}
	if _, err := r.client(t, ClientConfig{}).Submit(t.Context(), []byte{1, 2, 0xff}); err != nil {
		t.Fatal(err)
	}
	_, body := get("/metrics")
	for _, want := range []string{"ios_api_transactions_accepted_total 2", "ios_api_transactions_refused_total 1", `ios_api_requests_total{call="submit"} 1`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the metrics:\n%s", want, body)
		}
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	r := serve(t, Limits{})
	_, err := NewServer(Config{Listen: r.Addr(), Backend: r.backend})
	if err == nil || !strings.Contains(err.Error(), r.Addr()) || !strings.Contains(err.Error(), "free the port") {
		t.Fatalf("%v", err)
	}
}

func TestClientTriesAgainWhileTheServerIsBusy(t *testing.T) {
	r := serve(t, Limits{})
	r.backend.refusal = chain.Rule(chain.ErrFull, "the mempool has no room")
	c := r.client(t, ClientConfig{Attempts: 3})
	if _, err := c.Submit(t.Context(), []byte{1}); !errors.Is(err, chain.ErrFull) || r.backend.submits != 3 {
		t.Fatalf("%d attempts, %v", r.backend.submits, err)
	}
	r.backend.refusal = chain.Rule(chain.ErrEncoding, "garbage")
	if _, err := c.Submit(t.Context(), []byte{1}); !errors.Is(err, chain.ErrEncoding) || r.backend.submits != 4 {
		t.Fatalf("a refusal for good was repeated: %d, %v", r.backend.submits, err)
	}
}

func TestClientNamesADeadEndpoint(t *testing.T) {
	r := serve(t, Limits{})
	url := r.URL()
	r.Close(t.Context())
	c := NewClient(url, ClientConfig{Attempts: 2})
	for name, f := range map[string]func() error{
		"submit": func() error { _, err := c.Submit(t.Context(), []byte{1}); return err },
		"status": func() error { _, err := c.Status(t.Context()); return err },
	} {
		err := f()
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), url) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
}

// A line submits one thing after the other over one connection, gets refusals
// as a Client does, and connects again when the server has closed it.
func TestALine(t *testing.T) {
	r := serve(t, Limits{Idle: 50 * time.Millisecond})
	l, err := r.client(t, ClientConfig{}).Line()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 3 {
		res, err := l.Submit(t.Context(), []byte{1, 0xff, 1})
		if err != nil || res.Accepted != 2 || len(res.Refused) != 1 || res.Refused[0].Index != 1 {
			t.Fatalf("submission %d: %d accepted, refused %v, %v", i, res.Accepted, res.Refused, err)
		}
	}
	if _, err := l.Submit(t.Context(), nil); !errors.Is(err, ErrRequest) {
		t.Errorf("an empty submission: %v", err)
	}
	if n := r.conns.openNow(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	eventually(t, "the idle connection is closed", func() bool { return r.conns.openNow() == 0 })
	if _, err := l.Submit(t.Context(), []byte{1}); err != nil {
		t.Errorf("after the server has closed the connection: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fresh, _ := r.client(t, ClientConfig{}).Line()
	if _, err := fresh.Submit(ctx, []byte{1}); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrUnreachable) {
		t.Errorf("a cancelled submission: %v", err)
	}
	r.Close(t.Context())
	if _, err := l.Submit(t.Context(), []byte{1}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a server that has gone: %v", err)
	}
}
