package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
)

// Clients send a validator garbage, endless bodies, requests without end and
// forged signatures: they are refused with the reason, others are served at
// their rate, memory stays bounded and the log short.
func TestHostileClients(t *testing.T) {
	n := startNetwork(t, 1, 4)
	load := startTraffic(t, n, trafficConfig{owners: 4, coins: 16, batch: 16, pace: 500 * time.Millisecond})
	victim := n.members(0)[0]
	w := watch(t, n, load, victim)
	url, address := n.urls[victim], strings.TrimPrefix(n.urls[victim], "http://")

	w.under(t, "garbage", func(stop <-chan struct{}) { garbage(t, url, address) })
	w.under(t, "bodies of 100 MB", func(stop <-chan struct{}) { bigBodies(t, url) })
	w.under(t, "10,000 half-open requests", func(stop <-chan struct{}) { halfOpen(t, address, 10_000, stop) })
	w.under(t, "10,000 bad signatures", func(stop <-chan struct{}) { badSignatures(t, n, victim, 10_000) })
	load.stop(t, time.Minute)
	verify(t, n, load)
}

// garbage sends bytes that mean nothing, on bare connections and in requests.
func garbage(t *testing.T, url, address string) {
	noise := rand.NewChaCha8([32]byte{1})
	for range 200 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		b := make([]byte, 4096)
		noise.Read(b)
		c.Write(b)
		c.Close()
	}
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	post := func(path, kind string, body []byte) (int, string) {
		res, err := client.Post(url+path, kind, bytes.NewReader(body))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return 0, ""
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		return res.StatusCode, string(text)
	}
	for i := range 1000 {
		b := make([]byte, 1+i*7)
		noise.Read(b)
		code, text := post(api.SubmitPath, "application/octet-stream", b)
		if code != http.StatusBadRequest || !strings.Contains(text, string(chain.ErrEncoding)) {
			t.Errorf("random bytes submitted: %d %s", code, text)
			return
		}
		for _, path := range []string{"Submit", "Carry", "Coins", "Outcome", "Bundle"} {
			if code, text := post("/ios.v1.Ledger/"+path, "application/proto", b); code < 400 || code >= 500 || text == "" {
				t.Errorf("random bytes to %s: %d %s", path, code, text)
				return
			}
		}
	}
}

// bigBodies sends bodies of 100 MB, announced or not.
func bigBodies(t *testing.T, url string) {
	const size = 100 << 20
	for i := range 20 {
		body := &counting{left: size}
		req, err := http.NewRequest(http.MethodPost, url+api.SubmitPath, body)
		if err != nil {
			t.Error(err)
			return
		}
		if i%2 == 0 {
			req.ContentLength = size
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
		res, err := client.Do(req)
		if err == nil {
			text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
			res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(text), string(chain.ErrTooLarge)) {
				t.Errorf("a body of 100 MB: %s %s", res.Status, text)
			}
		}
		if taken := size - body.taken(); taken > 16<<20 {
			t.Errorf("the validator took %d bytes of the body (%v)", taken, err)
		}
	}
}

// counting is a body of zeros that knows how much of it was taken.
type counting struct {
	mu   sync.Mutex
	left int
}

func (c *counting) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(b), c.left)
	if n == 0 {
		return 0, io.EOF
	}
	clear(b[:n])
	c.left -= n
	return n, nil
}

func (c *counting) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// halfOpen begins requests, half of them in the header and half in the body,
// and leaves them so.
func halfOpen(t *testing.T, address string, count int, stop <-chan struct{}) {
	conns := make([]net.Conn, 0, count)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range count {
		text := "POST " + api.SubmitPath + " HTTP/1.1\r\nHost: x\r\n"
		if i%2 == 0 {
			text += "Content-Length: 100000\r\n\r\nabc"
		}
		c, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			t.Errorf("connection %d: %v", i, err)
			return
		}
		io.WriteString(c, text)
		conns = append(conns, c)
	}
	<-stop
}

// badSignatures submits transactions whose witnesses do not verify, in batches
// and alone, from several clients at a time.
func badSignatures(t *testing.T, n *network, victim chain.ValidatorID, count int) {
	var clients sync.WaitGroup
	const many = 4
	for k := range many {
		clients.Go(func() {
			c := api.NewClient(n.urls[victim], api.ClientConfig{})
			defer c.Close()
			key := keyIn(fmt.Sprint("forger", k), 0, n.params.Shards)
			for at := 0; at < count/many; {
				size := 1
				if at%2 == 0 {
					size = 499
				}
				var raw []byte
				for i := range size {
					coin := chain.Input{OutPoint: chain.OutPoint{Tx: chain.TxID{byte(k), byte(at), byte(at >> 8), byte(i), byte(i >> 8)}}, Owner: addressOf(key), Amount: 5}
					tx := pay(n.params, coin, key, addressOf(key))
					tx.Witnesses[0].Signature[3] ^= 1
					n.params.Seal(tx)
					raw = append(raw, tx.Raw...)
				}
				at += size
				res, err := c.Submit(context.Background(), raw)
				if errors.Is(err, api.ErrBusy) || errors.Is(err, chain.ErrFull) {
					continue
				}
				if err != nil || res.Accepted != 0 || len(res.Refused) != size || res.Refused[0].Kind != chain.ErrSignature {
					t.Errorf("%d transactions with bad signatures: %v, %+v", size, err, res)
					return
				}
			}
		})
	}
	clients.Wait()
}

// A client opens event streams and reads none of them: they are cut off with
// the reason, and other readers get every block.
func TestSlowReadersAreCutOff(t *testing.T) {
	soak(t)
	n := startNetwork(t, 1, 4)
	load := startTraffic(t, n, trafficConfig{owners: 8, coins: 256, batch: 256})
	load.more(t, 1000, 20*time.Second)
	victim := n.members(0)[0]
	before := n.proc(victim).memory(t, "VmRSS")
	address := strings.TrimPrefix(n.urls[victim], "http://")
	var slow []net.Conn
	for range 32 {
		slow = append(slow, subscribe(t, address))
	}
	await(t, time.Minute, func() string {
		if n.logged(victim, string(api.ErrSlow)) == 0 {
			return "no slow reader was cut off"
		}
		return ""
	})
	for i, c := range slow {
		c.SetDeadline(time.Now().Add(30 * time.Second))
		b, err := io.ReadAll(c)
		if errors.Is(err, syscall.EAGAIN) || ctxTimeout(err) {
			t.Errorf("stream %d still goes on after %d bytes: %v", i, len(b), err)
		}
		c.Close()
	}
	if lines := n.logged(victim, string(api.ErrSlow)); lines > 2 {
		t.Errorf("%d lines were logged of slow readers", lines)
	}
	if after := n.proc(victim).memory(t, "VmRSS"); after-before > maxGrowth {
		t.Errorf("memory grew from %d MB to %d MB", before>>20, after>>20)
	}
	load.stop(t, time.Minute)
	verify(t, n, load)
}

func ctxTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// subscribe opens an event stream from the first block with a small window,
// and reads nothing.
func subscribe(t *testing.T, address string) net.Conn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	request := []byte{0, 0, 0, 0, 2, 8, 1} // EventsRequest{from: 1} in connect's envelope
	fmt.Fprintf(c, "POST /ios.v1.Ledger/Events HTTP/1.1\r\nHost: x\r\nContent-Type: application/connect+proto\r\nConnect-Protocol-Version: 1\r\nContent-Length: %d\r\n\r\n%s", len(request), request)
	return c
}
