package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/room"
)

// The collectors are made once per process and registered with each configuration's registry, so that counters survive a reload. Labels are
// names of rooms from the configuration and fixed words only.
var metrics = struct {
	requests, claims, joins, handovers     *prometheus.CounterVec
	storeErrors, syncErrors                *prometheus.CounterVec
	inside, maxActive, waiting, rate, show *prometheus.GaugeVec
	drawWaits                              *prometheus.GaugeVec
	clockBound, siteP99                    *prometheus.GaugeVec
	storeSeconds                           *prometheus.HistogramVec
}{
	requests: counter("ticketrush_room_requests_total", "Requests to protected paths, by what was decided.", "room", "decision"),
	claims:   counter("ticketrush_room_claims_total", "Claims, by their result.", "room", "result"),
	joins:    counter("ticketrush_room_joins_total", "Places given.", "room"),
	handovers: counter("ticketrush_room_handovers_total",
		"Places that go from one device to another: codes given (offered), used (taken), and refused.", "room", "result"),
	storeErrors: counter("ticketrush_room_store_errors_total",
		"Batches of the room's log that storage refused; while this grows nobody is let in.", "room"),
	syncErrors: counter("ticketrush_room_sync_errors_total",
		"Syncs with the room's owner that brought no answer; while this grows nobody is let in.", "room"),
	clockBound: gauge("ticketrush_room_clock_bound_seconds",
		"How wrong this edge's idea of the owner's time may be: the order of arrival is exact to it.", "room"),
	siteP99: gauge("ticketrush_room_site_p99_seconds",
		"What 99 of 100 answers of the site took at most in the last 5 s, where the room has a latency to look at; 0: too few to say.", "room"),
	inside:    gauge("ticketrush_room_inside", "Slots taken.", "room"),
	maxActive: gauge("ticketrush_room_max_active", "Slots in all.", "room"),
	waiting:   gauge("ticketrush_room_waiting", "Places behind the frontier, whether their holders are still there or not.", "room"),
	rate:      gauge("ticketrush_room_rate", "Passes per second that the room allows.", "room"),
	drawWaits: gauge("ticketrush_room_draw_waits", "1 while the draw of the lobby waits for its beacon's value: nobody is let in; the room's description says why.", "room"),
	show:      gauge("ticketrush_room_show_ratio", "Share of people who come when they are called.", "room"),
	storeSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "ticketrush_room_store_seconds", Help: "Time to store one batch of the room's log.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12),
	}, []string{"room"}),
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

// registerMetrics enters the collectors into a configuration's registry; several apps and sites may do so.
func registerMetrics(reg *prometheus.Registry) error {
	m := &metrics
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.claims, m.joins, m.handovers, m.storeErrors, m.syncErrors, m.clockBound, m.siteP99, m.inside, m.maxActive, m.waiting, m.rate, m.show, m.drawWaits,
		m.storeSeconds,
	} {
		var already prometheus.AlreadyRegisteredError
		if err := reg.Register(c); err != nil && !errors.As(err, &already) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// gauges say how the room is. They are its owner's to show: an edge whose room is stockd's shows none, else a sum over all that is scraped would count
// one room many times.
func gauges() []*prometheus.GaugeVec {
	return []*prometheus.GaugeVec{metrics.inside, metrics.maxActive, metrics.waiting, metrics.rate, metrics.show, metrics.drawWaits}
}

// showGauges shows how the room is, where it is decided here. The caller holds the lock.
func (k *keeper) showGauges(d *room.Document) {
	if !k.owner.here() {
		return
	}
	waits := 0.0
	if k.drawWaits() != "" {
		waits = 1
	}
	for i, v := range []float64{float64(d.Inside), float64(d.MaxActive), float64(d.Waiting), d.Rate, d.ShowRate, waits} {
		gauges()[i].WithLabelValues(k.name).Set(v)
	}
}

// hideGauges takes back what showGauges showed.
func (k *keeper) hideGauges() {
	for _, g := range gauges() {
		g.DeleteLabelValues(k.name)
	}
}
