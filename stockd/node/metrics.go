package node

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/stockd/stock"
)

// metrics are the node's numbers. Labels come from fixed sets only.
type metrics struct {
	flush, batch, renewal prometheus.Histogram
	do                    *prometheus.HistogramVec
	waiting, oldest       prometheus.Gauge
	served                prometheus.Gauge
	misdirected, unknown  prometheus.Counter
	alarms                *prometheus.CounterVec
	deltas                prometheus.Counter
	granted, gathered     prometheus.Counter
}

var fast = []float64{.0002, .0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25, .5, 1, 2.5}

func newMetrics(reg prometheus.Registerer, n *Node) (*metrics, error) {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "stockd", Name: name, Help: help, Buckets: buckets})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "stockd", Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "stockd", Name: name, Help: help})
	}
	m := &metrics{
		flush:   histogram("flush_seconds", "Time of one flush, as the lane sees it.", fast),
		batch:   histogram("flush_operations", "Operations of a flush.", []float64{1, 2, 4, 8, 16, 32, 64, 128}),
		renewal: histogram("session_renewal_seconds", "Time of a renewal of the session; near the session's life the node stops promising.", fast),
		do: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "stockd", Name: "command_seconds", Help: "Time of a command with forwarding and commit, by how it ended.", Buckets: fast,
		}, []string{"result"}),
		waiting:     gauge("requests_waiting", "Requests that have no answer yet."),
		oldest:      gauge("request_oldest_seconds", "Age of the request that waits for longest at its owner; at queue_wait it is refused."),
		served:      gauge("partitions_served", "Partitions that this node serves."),
		misdirected: counter("misdirected_total", "Commands that came to, or were sent to, a node that does not own their partition."),
		unknown:     counter("flush_unknown_total", "Flushes whose outcome was unknown and that were sent again."),
		alarms:      prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "stockd", Name: "alarms_total", Help: "What people should look at."}, []string{"kind"}),
		deltas:      counter("availability_deltas_total", "Changes of availability that were merged."),
		granted:     counter("area_places_moved_total", "Places that this node had moved from one segment of an area to another."),
		gathered:    counter("area_gatherings_total", "How often the rest of an area was brought to its home for somebody who found too little elsewhere."),
	}
	members := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "stockd", Name: "members", Help: "Living nodes, as this one sees them."},
		func() float64 { return float64(len(n.table.ids())) })
	if reg == nil {
		return m, nil
	}
	var problems []error
	for _, c := range []prometheus.Collector{m.flush, m.batch, m.renewal, m.do, m.waiting, m.oldest, m.served, m.misdirected, m.unknown, m.alarms, m.deltas, m.granted, m.gathered, members} {
		problems = append(problems, reg.Register(c))
	}
	return m, errors.Join(problems...)
}

func resultOf(answer stock.Answer, err error) string {
	switch {
	case err != nil:
		return "error"
	case answer.Code == stock.CodeOK:
		return "ok"
	case answer.Code == stock.CodeReplay:
		return "replay"
	}
	return "refused"
}
