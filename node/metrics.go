package node

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ios/chain"
	"ios/node/validator"
)

// metrics is what a Prometheus scrape sees besides the API's own figures. What
// the node counts anyway is read when it is asked for.
type metrics struct {
	node     *Node
	blocks   prometheus.Counter
	outcomes *prometheus.CounterVec
	skipped  *prometheus.CounterVec
	gap      prometheus.Histogram
	last     time.Time

	mu       sync.Mutex
	measured time.Time // when disk was
	disk     uint64
}

func newMetrics(n *Node) *metrics {
	return &metrics{
		node:     n,
		blocks:   prometheus.NewCounter(prometheus.CounterOpts{Name: "ios_final_blocks_total", Help: "Blocks that became final."}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ios_outcomes_total", Help: "Outcomes that the shard recorded."}, []string{"outcome"}),
		skipped:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ios_skipped_total", Help: "Transactions in final blocks that had no effect."}, []string{"reason"}),
		gap: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ios_block_gap_seconds", Help: "Time between two final blocks.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 14)}),
	}
}

// final counts a final block. It runs in the loop.
func (m *metrics) final(d validator.Decided) {
	m.blocks.Inc()
	now := time.Now()
	if !m.last.IsZero() {
		m.gap.Observe(now.Sub(m.last).Seconds())
	}
	m.last = now
	var counts [chain.Aborted + 1]int
	for i := range d.Report.Outcomes {
		counts[d.Report.Outcomes[i].Outcome]++
	}
	for o, c := range counts {
		if c > 0 {
			m.outcomes.WithLabelValues(chain.Outcome(o).String()).Add(float64(c))
		}
	}
	for _, s := range d.Report.Skipped {
		m.skipped.WithLabelValues(s.Reason.String()).Inc()
	}
}

// gauge is a figure that is read when it is asked for.
type gauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*Node) float64
}

func newGauge(name, help string, kind prometheus.ValueType, read func(*Node) float64) gauge {
	return gauge{prometheus.NewDesc(name, help, nil, nil), kind, read}
}

var gauges = []gauge{
	newGauge("ios_height", "Height of the last final block.", prometheus.GaugeValue, func(n *Node) float64 {
		n.view.mu.Lock()
		defer n.view.mu.Unlock()
		return float64(n.view.height)
	}),
	newGauge("ios_view", "View of the agreement.", prometheus.GaugeValue, func(n *Node) float64 {
		n.view.mu.Lock()
		defer n.view.mu.Unlock()
		return float64(n.view.viewNo)
	}),
	newGauge("ios_ready", "1 when the validator votes and serves clients.", prometheus.GaugeValue, func(n *Node) float64 {
		if len(n.Ready()) == 0 {
			return 1
		}
		return 0
	}),
	newGauge("ios_event_queue", "Events that wait for the machine.", prometheus.GaugeValue, func(n *Node) float64 { return float64(len(n.events)) }),
	newGauge("ios_cpu_seconds_total", "User and system time.", prometheus.CounterValue, func(n *Node) float64 { return n.resources().CPUSeconds }),
	newGauge("ios_resident_bytes", "Resident memory.", prometheus.GaugeValue, func(*Node) float64 { return float64(residentBytes()) }),
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.blocks.Describe(ch)
	m.outcomes.Describe(ch)
	m.skipped.Describe(ch)
	m.gap.Describe(ch)
	for i := range gauges {
		ch <- gauges[i].desc
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.blocks.Collect(ch)
	m.outcomes.Collect(ch)
	m.skipped.Collect(ch)
	m.gap.Collect(ch)
	for _, g := range gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, g.read(m.node))
	}
}

// diskSize is the size of the data directory, walked at most every 10 seconds.
func (m *metrics) diskSize(d *disk) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.measured) > 10*time.Second {
		m.disk, m.measured = d.size(), time.Now()
	}
	return m.disk
}

// residentBytes is the process's resident memory; 0 where the system does not
// tell.
func residentBytes() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}
