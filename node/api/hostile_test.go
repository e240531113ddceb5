package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"ios/chain"
)

// dial opens a bare connection and sends text on it.
func dial(t testing.TB, address, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// answer reads one response.
func answer(t testing.TB, c net.Conn) (int, string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

const plainHead = "POST " + SubmitPath + " HTTP/1.1\r\nHost: x\r\n"

// TestABodyOf100MBIsRefusedUnread: the answer comes before the body does.
func TestABodyOf100MBIsRefusedUnread(t *testing.T) {
	r := serve(t, Limits{})
	for name, head := range map[string]string{
		"plain":   plainHead,
		"connect": "POST /ios.v1.Ledger/Submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\n",
		"coins":   "POST /ios.v1.Ledger/Coins HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n",
	} {
		c := dial(t, r.Addr(), head+"Content-Length: 100000000\r\n\r\n")
		code, body := answer(t, c)
		if (code != http.StatusRequestEntityTooLarge && code != http.StatusTooManyRequests) || !strings.Contains(body, "too_large") || !strings.Contains(body, "100000000 bytes") {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if n := r.bytes.used.Load(); n != 0 {
		t.Errorf("%d bytes are still booked", n)
	}
}

// TestABodyWithoutEndIsCutOff: a chunked body says nothing of its length.
func TestABodyWithoutEndIsCutOff(t *testing.T) {
	r := serve(t, Limits{})
	c := dial(t, r.Addr(), plainHead+"Transfer-Encoding: chunked\r\n\r\n")
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat("x", 64<<10))
	sent := 0
	for range 1600 { // 100 MB
		n, err := io.WriteString(c, chunk)
		if sent += n; err != nil {
			break
		}
	}
	if sent > 16<<20 {
		t.Errorf("%d bytes were taken", sent)
	}
	eventually(t, "the refusal is logged once", func() bool { return r.lines(string(chain.ErrTooLarge)) == 1 })
	eventually(t, "nothing is booked", func() bool { return r.bytes.used.Load() == 0 })
}

// TestHalfOpenRequestsPushEachOtherOut: thousands of requests that never end
// their header, or their body. The connections are bounded, a client at work
// is served all the while, and the log has one line.
func TestHalfOpenRequestsPushEachOtherOut(t *testing.T) {
	for _, half := range []struct {
		name, text string
		times      int
	}{
		{"header", "POST /v1/submit HTTP/1.1\r\nHost:", 10_000},
		{"body", plainHead + "Content-Length: 1000000\r\n\r\nabc", 2000},
	} {
		t.Run(half.name, func(t *testing.T) {
			r := serve(t, Limits{Connections: 200})
			c := r.client(t, ClientConfig{Attempts: 1})
			before := heap()
			var open []net.Conn
			for i := range half.times {
				open = append(open, dialQuiet(t, r.Addr(), half.text))
				if len(open) == 1000 { // as many of our own file descriptors
					open[0].Close()
					open = open[1:]
				}
				if i%500 == 0 {
					if res, err := c.Submit(t.Context(), []byte{1}); err != nil || res.Accepted != 1 {
						t.Fatalf("after %d half-open requests: %v", i, err)
					}
				}
			}
			if n := r.conns.openNow(); n > 200 {
				t.Errorf("%d connections are open", n)
			}
			if n := r.lines("connections"); n != 1 {
				t.Errorf("%d lines in the log", n)
			}
			if grown := int64(heap()) - int64(before); grown > 32<<20 {
				t.Errorf("%d bytes more on the heap", grown)
			}
			for _, c := range open {
				c.Close()
			}
			eventually(t, "all bytes are given back", func() bool { return r.bytes.used.Load() == 0 })
		})
	}
}

func dialQuiet(t testing.TB, address, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, text)
	return c
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestABodyThatDawdlesIsRefused(t *testing.T) {
	r := serve(t, Limits{Body: 50 * time.Millisecond, Header: 50 * time.Millisecond})
	c := dial(t, r.Addr(), plainHead+"Content-Length: 1000\r\n\r\nabc")
	if code, body := answer(t, c); code != http.StatusBadRequest || !strings.Contains(body, "did not arrive within 50ms") {
		t.Errorf("body: %d %s", code, body)
	}
	c = dial(t, r.Addr(), "POST /v1/submit HTTP/1.1\r\nHo")
	if b, err := io.ReadAll(c); err != nil {
		t.Errorf("header: %q, %v", b, err)
	}
}

func TestALongCallOutlivesTheBodysDeadline(t *testing.T) {
	r := serve(t, Limits{Body: 50 * time.Millisecond})
	r.backend.hold, r.backend.entered = make(chan struct{}), make(chan struct{}, 1)
	time.AfterFunc(200*time.Millisecond, func() { close(r.backend.hold) })
	if res, err := r.client(t, ClientConfig{Attempts: 1}).Submit(t.Context(), []byte{1}); err != nil || res.Accepted != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
}

func TestGarbageIsRefusedWithTheReason(t *testing.T) {
	r := serve(t, Limits{})
	defer http.DefaultClient.CloseIdleConnections()
	do := func(method, path, ctype, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, r.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", ctype)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	for _, c := range []struct {
		method, path, ctype, body string
		code                      int
		says                      string
	}{
		{"POST", "/ios.v1.Ledger/Submit", "application/proto", "\xff\xff\xff", 400, "invalid_argument"},
		{"POST", "/ios.v1.Ledger/Submit", "application/proto", "", 400, "without transactions"},
		{"POST", "/ios.v1.Ledger/Events", "application/connect+proto", "\x00\x00\x00\x00\x03\xff\xff\xff", 200, "invalid_argument"},
		{"POST", "/ios.v1.Ledger/Events", "application/connect+proto", "\x00\x7f\xff\xff\xff", 200, "error"},
		{"GET", "/ios.v1.Ledger/Submit", "application/proto", "", 405, ""},
		{"POST", "/ios.v1.Ledger/Submit", "text/plain", "x", 415, ""},
		{"POST", "/ios.v1.Ledger/Nothing", "application/proto", "", 404, ""},
		{"GET", SubmitPath, "", "", 405, ""},
		{"POST", SubmitPath, "", "", 400, "without transactions"},
		{"POST", "/ios.v1.Ledger/Bundle", "application/json", `{"id":"` + strings.Repeat("00", 32) + `","dest":70000}`, 400, "there is no shard 70000"},
		{"POST", "/ios.v1.Ledger/Coins", "application/json", `{"owner":"` + strings.Repeat("z", 3000) + `"}`, 400, "bad_address"},
		{"POST", "/ios.v1.Ledger/Coins", "application/json", `{"owner":"` + chain.Address{}.Text(chain.PrefixTest) + `","after":"AAAA"}`, 400, "3 bytes"},
	} {
		if code, body := do(c.method, c.path, c.ctype, c.body); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s %s %.40q: %d %s; %d with %q is wanted", c.method, c.path, c.body, code, body, c.code, c.says)
		}
	}
}

func TestTooManyAtATimeAreRefused(t *testing.T) {
	r := serve(t, Limits{Submits: 2})
	r.backend.hold, r.backend.entered = make(chan struct{}), make(chan struct{}, 2)
	c := r.client(t, ClientConfig{Attempts: 1})
	done := make(chan error, 2)
	for range 2 {
		go func() { _, err := c.Submit(t.Context(), []byte{1}); done <- err }()
		<-r.backend.entered
	}
	if _, err := c.Submit(t.Context(), []byte{1}); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "2 submissions are being served") {
		t.Errorf("the third: %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("another kind of call: %v", err)
	}
	close(r.backend.hold)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Submit(t.Context(), []byte{1}); err == nil {
		<-r.backend.entered
	} else {
		t.Errorf("after the others: %v", err)
	}
}

func TestBytesOfAllBodiesAreBounded(t *testing.T) {
	r := serve(t, Limits{BodyBytes: 100 << 10})
	r.backend.hold, r.backend.entered = make(chan struct{}), make(chan struct{}, 2)
	c := r.client(t, ClientConfig{Attempts: 1})
	done := make(chan error, 1)
	go func() { _, err := c.Submit(t.Context(), make([]byte, 80<<10)); done <- err }()
	<-r.backend.entered
	if _, err := c.Submit(t.Context(), make([]byte, 80<<10)); !errors.Is(err, ErrBusy) {
		t.Errorf("beyond the bound: %v", err)
	}
	close(r.backend.hold)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestASubmissionHasATime(t *testing.T) {
	r := serve(t, Limits{Submit: 30 * time.Millisecond})
	r.backend.hold, r.backend.entered = make(chan struct{}), make(chan struct{}, 1)
	_, err := r.client(t, ClientConfig{Attempts: 1}).Submit(t.Context(), []byte{1})
	if !errors.Is(err, chain.ErrNotReady) || !strings.Contains(err.Error(), "could not answer in time") {
		t.Fatal(err)
	}
}

func TestTenThousandRefusalsAreOneLine(t *testing.T) {
	r := serve(t, Limits{})
	now := time.Now()
	for range 10_000 {
		r.quiet.warn("bad_signature", "10.0.0.1", "transactions refused")
	}
	r.quiet.now = func() time.Time { return now.Add(2 * quietEvery) }
	r.quiet.warn("bad_signature", "10.0.0.1", "transactions refused")
	entries := r.log.AllEntries()
	if len(entries) != 2 || entries[1].Data["omitted"] != 9999 {
		t.Fatalf("%d lines, the last: %v", len(entries), entries[len(entries)-1].Data)
	}
	for i := range 100_000 {
		r.quiet.warn("x", fmt.Sprint(i), "from many hosts")
	}
	if len(r.quiet.seen) > quietKeys+1 {
		t.Fatalf("%d hosts are remembered", len(r.quiet.seen))
	}
}

func TestClosingEndsStreamsAndWaitsForCalls(t *testing.T) {
	r := serve(t, Limits{})
	r.backend.hold, r.backend.entered = make(chan struct{}), make(chan struct{}, 1)
	c := r.client(t, ClientConfig{Attempts: 1})
	connected, lost, sent := make(chan struct{}), make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := c.stream(t.Context(), &Follow{From: 1}, func(Event) error { close(connected); return nil })
		lost <- err
	}()
	<-connected
	go func() { _, err := c.Submit(t.Context(), []byte{1}); sent <- err }()
	<-r.backend.entered
	closed := make(chan error)
	go func() { closed <- r.Close(t.Context()) }()
	if err := <-lost; !errors.Is(err, ErrStopping) {
		t.Errorf("the stream: %v", err)
	}
	close(r.backend.hold)
	if err := <-sent; err != nil {
		t.Errorf("the call: %v", err)
	}
	if err := <-closed; err != nil || r.Err() != nil {
		t.Errorf("closing: %v, %v", err, r.Err())
	}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	r := serve(t, Limits{Heartbeat: 900 * time.Millisecond, Write: 600 * time.Millisecond, Submit: 600 * time.Millisecond})
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p}
	defer tr.CloseIdleConnections()
	c := r.client(t, ClientConfig{HTTP: &http.Client{Transport: tr}, Attempts: 1})
	if res, err := c.Submit(t.Context(), []byte{1}); err != nil || res.Accepted != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	// A stream outlives the deadline of its last write while nothing is written.
	end := time.Now().Add(2500 * time.Millisecond)
	err := c.Follow(t.Context(), Follow{Lost: func(err error) { t.Errorf("the stream broke: %v", err) }}, func(Event) error {
		if time.Now().After(end) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
}
