package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// DefaultListen is loopback: who wants to be reached from elsewhere says so.
const DefaultListen = "127.0.0.1:7700"

// Config is what a Server needs.
type Config struct {
	Listen   string // host:port; DefaultListen if empty
	Backend  Backend
	Prefix   string               // of the network's addresses
	Registry *prometheus.Registry // what /metrics shows; a new one if nil
	Log      logrus.FieldLogger   // logrus's standard logger if nil
	Limits   Limits
}

// Limits bound what clients can take. Zero values stand for the defaults.
type Limits struct {
	Connections int           // open at a time; when reached, the least proven are closed
	Header      time.Duration // for a request's header to arrive
	Body        time.Duration // for a request's body to arrive
	Idle        time.Duration // between requests on a connection
	Write       time.Duration // for the client to take an answer or one event
	Submit      time.Duration // for a submission to be decided
	Read        time.Duration // for any other call

	BodyBytes int64 // of all requests' bodies held at a time
	Waiting   int   // requests whose body has not arrived yet
	Submits   int   // at a time
	Carries   int
	Coins     int
	Reads     int // of the other calls
	Streams   int // of events

	WindowBlocks int           // recent blocks kept for subscribers
	WindowBytes  int           // and their bytes
	Heartbeat    time.Duration // between signs of life on a silent stream
}

func (l Limits) withDefaults() Limits {
	n := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	t := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	n(&l.Connections, 2048)
	t(&l.Header, 5*time.Second)
	t(&l.Body, 10*time.Second)
	t(&l.Idle, 2*time.Minute)
	t(&l.Write, 10*time.Second)
	t(&l.Submit, 30*time.Second)
	t(&l.Read, 10*time.Second)
	if l.BodyBytes <= 0 {
		l.BodyBytes = 64 << 20
	}
	n(&l.Waiting, 4096)
	n(&l.Submits, 4096)
	n(&l.Carries, 64)
	n(&l.Coins, 32)
	n(&l.Reads, 256)
	n(&l.Streams, 64)
	n(&l.WindowBlocks, 1024)
	n(&l.WindowBytes, 16<<20)
	t(&l.Heartbeat, 5*time.Second)
	return l
}
