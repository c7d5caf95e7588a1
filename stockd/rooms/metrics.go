package rooms

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of the rooms that this node owns. Labels are names of rooms, which ops enter, and fixed words.
type metrics struct {
	rooms *Rooms

	syncs, calls, restarts, storeErrors *prometheus.CounterVec
	store                               *prometheus.HistogramVec
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ticketrush_room_"+name, help, labels, nil)
}

var (
	ownedDesc   = desc("owned", "Rooms that this node owns: 1 while it decides, 0 while it does not.", "room")
	edgesDesc   = desc("edges", "Edges that have synced within ten seconds.", "room")
	insideDesc  = desc("inside", "Slots taken.", "room")
	mostDesc    = desc("max_active", "Slots in all.", "room")
	waitingDesc = desc("waiting", "Places behind the frontier, whether their holders are still there or not.", "room")
	rateDesc    = desc("rate", "Passes per second that the room allows.", "room")
	showDesc    = desc("show_ratio", "Share of people who come when they are called.", "room")
	grantedDesc = desc("granted", "Passes issued in this edition.", "room")
	drawDesc    = desc("draw_waits", "1 while the draw of the lobby waits for its beacon's value: nobody is let in; the room's description says why.", "room")
	strainDesc  = desc("strain", "How hard this node works, 0 to 1; from 0.8 on rooms with an automatic rate let fewer in.")
)

func newMetrics(reg prometheus.Registerer, r *Rooms) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ticketrush_room_" + name, Help: help}, labels)
	}
	m := &metrics{
		rooms:       r,
		syncs:       counter("syncs_total", "Syncs of edges, by how they ended.", "room", "result"),
		calls:       counter("calls_total", "What edges and ops asked of the room's owner beside syncs, by how it ended.", "room", "call", "result"),
		restarts:    counter("restarts_total", "How often a room's owner ended by itself and began anew; look at the log.", "room"),
		storeErrors: counter("store_errors_total", "Batches that the ledger did not take at once; while this grows nobody is let in.", "room"),
		store: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ticketrush_room_store_seconds", Help: "Time to store one batch of the room's log.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12),
		}, []string{"room"}),
	}
	if reg == nil {
		return m, nil
	}
	var problems []error
	for _, c := range []prometheus.Collector{m.syncs, m.calls, m.restarts, m.storeErrors, m.store, m} {
		problems = append(problems, reg.Register(c))
	}
	return m, errors.Join(problems...)
}

// Describe names what is read when it is asked for.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ownedDesc, edgesDesc, insideDesc, mostDesc, waitingDesc, rateDesc, showDesc, grantedDesc, drawDesc, strainDesc} {
		to <- d
	}
}

// Collect reads it.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(strainDesc, m.rooms.strain())
	for _, t := range m.rooms.here() {
		s := t.state()
		owned := 1.0
		if s.NotReady != "" {
			owned = 0
		}
		gauge(ownedDesc, owned, s.Room)
		gauge(edgesDesc, float64(len(s.Edges)), s.Room)
		gauge(insideDesc, float64(s.Inside), s.Room)
		gauge(mostDesc, float64(s.MaxActive), s.Room)
		gauge(waitingDesc, float64(s.Waiting), s.Room)
		gauge(rateDesc, s.Rate, s.Room)
		gauge(showDesc, s.ShowRate, s.Room)
		gauge(grantedDesc, float64(s.Granted), s.Room)
		waits := 0.0
		if s.DrawWaits != "" {
			waits = 1
		}
		gauge(drawDesc, waits, s.Room)
	}
}
