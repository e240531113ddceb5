package onetnet

import (
	"bytes"
	"crypto/ed25519"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	onetlog "go.dedis.ch/onet/v3/log"

	"ios/internal/sm"
)

// Each fault in a configuration is refused with a sentence that names it.
func TestConfigurationIsChecked(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	smallOrder := make([]byte, keySize)
	smallOrder[0] = 1 // the neutral element
	_, strange, _ := GenerateIdentity()
	noPoint := make([]byte, keySize) // half of all encodings are none
	for suite.Point().UnmarshalBinary(noPoint) == nil {
		noPoint[0]++
	}
	for want, spoil := range map[string]func(*Config){
		taken.Addr().String(): func(c *Config) { c.Listen = taken.Addr().String() },
		"write it as host:port": func(c *Config) {
			c.Listen = "7000"
		},
		"no handler":          func(c *Config) { c.Handler = nil },
		"cannot hold":         func(c *Config) { c.QueueBytes = 1000 },
		"negative duration":   func(c *Config) { c.DropMin = -1 },
		"raise Silence":       func(c *Config) { c.Silence = time.Second },
		"secret of 31 bytes":  func(c *Config) { c.Secret = c.Secret[1:] },
		"not a reduced":       func(c *Config) { c.Secret = bytes.Repeat([]byte{255}, keySize) },
		"secret is zero":      func(c *Config) { c.Secret = make([]byte, keySize) },
		"identity of 5 bytes": func(c *Config) { c.Peers[1].Public = []byte("short") },
		"is not a point":      func(c *Config) { c.Peers[1].Public = noPoint },
		"small order":         func(c *Config) { c.Peers[1].Public = smallOrder },
		"listed twice":        func(c *Config) { c.Peers[2].ID = 1 },
		"have one identity":   func(c *Config) { c.Peers[2].Public = c.Peers[1].Public },
		"check the secret":    func(c *Config) { c.Peers[0].Public = strange },
		"missing port":        func(c *Config) { c.Peers[1].Address = "127.0.0.1" },
	} {
		cfg := mesh(t, 3)[0].cfg
		cfg.Peers = append([]Peer(nil), cfg.Peers...)
		spoil(&cfg)
		n, err := New(cfg)
		if err == nil {
			n.Close()
			t.Errorf("accepted, want an error about %q", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

// An identity signs so that any Ed25519 implementation agrees.
func TestIdentitySignsEd25519(t *testing.T) {
	secret, public, err := GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	id, err := parseIdentity(secret)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("a transcript")
	signature, err := id.Sign(nil, message, noHash)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(public, message, signature) || ed25519.Verify(public, []byte("another"), signature) {
		t.Error("the signature is not an Ed25519 signature of the message")
	}
}

var noHash = &ed25519.Options{}

// onet's own log lines go to the transport's log and nowhere else.
func TestOnetLogsAreBridged(t *testing.T) {
	var out lines
	log := logrus.New()
	log.SetOutput(&out)
	nd := mesh(t, 1)[0]
	nd.cfg.Log = log
	nd.start(t)
	onetlog.OutputToBuf()
	defer onetlog.OutputToOs()
	onetlog.Error("a failure inside")
	onetlog.Info("some chatter")
	onetlog.LLvl1("louder chatter")
	if direct := onetlog.GetStdOut() + onetlog.GetStdErr(); direct != "" {
		t.Errorf("printed past the log: %q", direct)
	}
	if !strings.Contains(out.String(), "a failure inside") || strings.Contains(out.String(), "chatter") {
		t.Errorf("the log has %q", out.String())
	}
}

// What a flood of faults would log is one line a second with a count.
func TestLogsAreLimited(t *testing.T) {
	var out lines
	log := logrus.New()
	log.SetOutput(&out)
	nodes := mesh(t, 2)
	nodes[0].cfg.Log = log
	nodes[0].start(t)
	start := time.Now()
	for range 1000 {
		nodes[0].Send(sm.NodeID(9), []byte("x"))
	}
	lines := strings.Count(out.String(), "refused to send")
	if most := 1 + int(time.Since(start)/time.Second); lines < 1 || lines > most {
		t.Errorf("%d lines, want 1 to %d:\n%s", lines, most, out.String())
	}
}

// lines is a buffer for a log that many goroutines write.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
