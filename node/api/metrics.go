package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts what the server does.
type metrics struct {
	registry *prometheus.Registry
	all      []prometheus.Collector

	requests     *prometheus.CounterVec
	refusals     *prometheus.CounterVec
	seconds      *prometheus.HistogramVec
	accepted     prometheus.Counter
	refused      prometheus.Counter
	connsRefused prometheus.Counter
	slow         prometheus.Counter
	streams      prometheus.Gauge

	plain *callMetrics
}

// callMetrics are those of one kind of call.
type callMetrics struct {
	name    string
	all     *metrics
	served  prometheus.Counter
	seconds prometheus.Observer
}

const namespace = "ios_api"

func newMetrics(registry *prometheus.Registry, s *Server) (*metrics, error) {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: namespace, Name: name, Help: help}
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(opts(name, help)))
	}
	gauge := func(name, help string, f func() float64) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts(name, help)), f)
	}
	m := &metrics{
		registry: registry,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts(opts("requests_total", "Requests served.")), []string{"call"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts(opts("refusals_total", "Requests refused before or by the call.")), []string{"call", "kind"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "request_seconds", Help: "Time from a request's header to its answer.",
			Buckets: []float64{.0005, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5, 30},
		}, []string{"call"}),
		accepted:     counter("transactions_accepted_total", "Transactions accepted."),
		refused:      counter("transactions_refused_total", "Transactions refused."),
		connsRefused: counter("connections_refused_total", "Connections closed because there were too many."),
		slow:         counter("slow_readers_total", "Event streams cut off because the client did not read."),
		streams:      prometheus.NewGauge(prometheus.GaugeOpts(opts("event_streams", "Event streams open."))),
	}
	m.all = []prometheus.Collector{
		m.requests, m.refusals, m.seconds, m.accepted, m.refused, m.connsRefused, m.slow, m.streams,
		gauge("connections", "Connections open.", func() float64 { return float64(s.conns.openNow()) }),
		gauge("body_bytes", "Bytes of request bodies held.", func() float64 { return float64(s.bytes.used.Load()) }),
		gauge("submissions", "Submissions that wait for their outcome.", func() float64 { return float64(s.submits.now.Load()) }),
	}
	for i, c := range m.all {
		if err := registry.Register(c); err != nil {
			m.all = m.all[:i]
			m.unregister()
			return nil, err
		}
	}
	m.plain = m.call(SubmitPath)
	return m, nil
}

func (m *metrics) unregister() {
	for _, c := range m.all {
		m.registry.Unregister(c)
	}
}

func (m *metrics) call(procedure string) *callMetrics {
	name := procedure[strings.LastIndexByte(procedure, '/')+1:]
	return &callMetrics{name: name, all: m, served: m.requests.WithLabelValues(name), seconds: m.seconds.WithLabelValues(name)}
}

func (c *callMetrics) done(start time.Time) {
	c.served.Inc()
	c.seconds.Observe(time.Since(start).Seconds())
}

func (c *callMetrics) refuse(err error) {
	kind, _ := describe(err)
	c.all.refusals.WithLabelValues(c.name, string(kind)).Inc()
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
