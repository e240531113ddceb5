package node

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ios/chain"
	"ios/node/validator"
)

// metrics is what a Prometheus scrape sees besides the API's own figures. What
// the node counts anyway is read when it is asked for.
type metrics struct {
	node     *Node
	blocks   *prometheus.CounterVec
	outcomes *prometheus.CounterVec
	skipped  *prometheus.CounterVec
	gap      *prometheus.HistogramVec
	strays   prometheus.Counter
}

func newMetrics(n *Node) *metrics {
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"shard"}, more...))
	}
	return &metrics{
		node:     n,
		blocks:   counter("ios_final_blocks_total", "Blocks that became final."),
		outcomes: counter("ios_outcomes_total", "Outcomes that the shard recorded.", "outcome"),
		skipped:  counter("ios_skipped_total", "Transactions in final blocks that had no effect.", "reason"),
		gap: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ios_block_gap_seconds", Help: "Time between two final blocks.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 14)}, []string{"shard"}),
		strays: prometheus.NewCounter(prometheus.CounterOpts{Name: "ios_stray_messages_total", Help: "Messages for chains that do not run here."}),
	}
}

// shardMetrics are those of one shard.
type shardMetrics struct {
	all   *metrics
	shard string
	last  time.Time // when a block was final
}

func (m *metrics) of(shard chain.ShardID) *shardMetrics {
	s := &shardMetrics{all: m, shard: chainName(shard)}
	m.blocks.WithLabelValues(s.shard) // so that it is there from the beginning
	return s
}

// forget leaves a shard out from now on.
func (s *shardMetrics) forget() {
	here := prometheus.Labels{"shard": s.shard}
	s.all.blocks.DeletePartialMatch(here)
	s.all.outcomes.DeletePartialMatch(here)
	s.all.skipped.DeletePartialMatch(here)
	s.all.gap.DeletePartialMatch(here)
}

// final counts a final block. It runs in the loop.
func (s *shardMetrics) final(d validator.Decided) {
	m := s.all
	m.blocks.WithLabelValues(s.shard).Inc()
	now := time.Now()
	if !s.last.IsZero() {
		m.gap.WithLabelValues(s.shard).Observe(now.Sub(s.last).Seconds())
	}
	s.last = now
	var counts [chain.Aborted + 1]int
	for i := range d.Report.Outcomes {
		counts[d.Report.Outcomes[i].Outcome]++
	}
	for o, c := range counts {
		if c > 0 {
			m.outcomes.WithLabelValues(s.shard, chain.Outcome(o).String()).Add(float64(c))
		}
	}
	for _, t := range d.Report.Skipped {
		m.skipped.WithLabelValues(s.shard, t.Reason.String()).Inc()
	}
}

// chainName is what labels and logs call a chain.
func chainName(id chain.ShardID) string {
	if id == chain.IdentityShard {
		return "identity"
	}
	return strconv.Itoa(int(id))
}

// chainGauge is a figure of each chain that is read when it is asked for.
type chainGauge struct {
	desc *prometheus.Desc
	read func(*runner) float64
}

func newChainGauge(name, help string, read func(*runner) float64) chainGauge {
	return chainGauge{prometheus.NewDesc(name, help, []string{"shard"}, nil), read}
}

var chainGauges = []chainGauge{
	newChainGauge("ios_height", "Height of the last final block.", func(r *runner) float64 { return float64(r.view.at()) }),
	newChainGauge("ios_view", "View of the agreement.", func(r *runner) float64 {
		r.view.mu.Lock()
		defer r.view.mu.Unlock()
		return float64(r.view.viewNo)
	}),
	newChainGauge("ios_ready", "1 when the validator votes and serves clients.", func(r *runner) float64 {
		if r.ready() == "" {
			return 1
		}
		return 0
	}),
	newChainGauge("ios_event_queue", "Events that wait for the machine.", func(r *runner) float64 { return float64(len(r.events)) }),
}

// gauge is a figure of the process.
type gauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*Node) float64
}

func newGauge(name, help string, kind prometheus.ValueType, read func(*Node) float64) gauge {
	return gauge{prometheus.NewDesc(name, help, nil, nil), kind, read}
}

var gauges = []gauge{
	newGauge("ios_cpu_seconds_total", "User and system time.", prometheus.CounterValue, func(n *Node) float64 { return n.resources().CPUSeconds }),
	newGauge("ios_resident_bytes", "Resident memory.", prometheus.GaugeValue, func(*Node) float64 { return float64(residentBytes()) }),
}

// counted are the metrics that count by themselves.
func (m *metrics) counted() []prometheus.Collector {
	return []prometheus.Collector{m.blocks, m.outcomes, m.skipped, m.gap, m.strays}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.counted() {
		c.Describe(ch)
	}
	for i := range chainGauges {
		ch <- chainGauges[i].desc
	}
	for i := range gauges {
		ch <- gauges[i].desc
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.counted() {
		c.Collect(ch)
	}
	for _, r := range m.node.runners() {
		for _, g := range chainGauges {
			ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.read(r), chainName(r.chain))
		}
	}
	for _, g := range gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, g.read(m.node))
	}
}
