package api

import (
	"context"
	"math"
	"net/http"
	"strings"
	"time"

	"ticketrush/stockd/node"
	"ticketrush/stockd/shed"

	"github.com/prometheus/client_golang/prometheus"
)

// gating is how the requests of a route are let in.
type gating struct {
	class shed.Class
	open  bool // past the gate: what watches a node must see it most when it is full
	read  bool // counts against the limit of reads
}

var (
	openly  = gating{open: true}
	browse  = gating{class: shed.Browse, read: true}
	hold    = gating{class: shed.Hold}
	look    = gating{class: shed.Look, read: true}
	buy     = gating{class: shed.Buy}
	operate = gating{class: shed.Operate}
)

// let runs a request of a route when the gate lets it in. Its place is free again as soon as its answer begins: how fast a client reads is not the
// others' business, and streams last for hours.
func (s *server) let(rt route, w *recorder, r *http.Request) error {
	if rt.open {
		return rt.serve(s, w, r)
	}
	if rt.class == shed.Hold || rt.class == shed.Buy {
		if err := s.takeBody(w, r); err != nil {
			return err
		}
	}
	arrived := time.Now()
	leave, err := s.enter(r.Context(), rt.class)
	if err != nil {
		return err
	}
	defer leave()
	w.begun = leave
	if strings.HasSuffix(rt.path, "/stream") {
		return rt.serve(s, w, r)
	}
	ctx, cancel := detached(r.Context())
	defer cancel()
	return rt.serve(s, w, r.WithContext(node.Arrived(ctx, arrived)))
}

// elapsed is the gate's clock.
func (s *server) elapsed() time.Duration { return time.Since(s.began) }

// enter waits for a place, for as long as the class may. leave gives it back and may be called more than once.
func (s *server) enter(ctx context.Context, class shed.Class) (leave func(), err error) {
	arrived := s.elapsed()
	ticket, why := s.Gate.Enter(class, arrived)
	if ticket == nil {
		return nil, s.tooMuch(class, why)
	}
	if ticket.Ready() != nil {
		why = s.await(ctx, ticket, class.Patience())
	}
	if why != shed.Admitted {
		return nil, s.tooMuch(class, why)
	}
	s.metrics.waited.WithLabelValues(class.String()).Observe((s.elapsed() - arrived).Seconds())
	return func() { s.Gate.Leave(ticket, s.elapsed()) }, nil
}

func (s *server) await(ctx context.Context, ticket *shed.Ticket, patience time.Duration) shed.Reason {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ticket.Ready():
		return ticket.Decided()
	case <-timer.C:
		return s.Gate.GiveUp(ticket, shed.Age, s.elapsed())
	case <-ctx.Done():
		why := s.Gate.GiveUp(ticket, shed.Gone, s.elapsed())
		if why == shed.Admitted { // a place came at the same moment: to whoever is next
			s.Gate.Leave(ticket, s.elapsed())
		}
		return shed.Gone
	}
}

// overloadRetryMax is the longest time that a client is asked to stay away, before jitter.
const overloadRetryMax = 5 * time.Second

// tooMuch is the refusal. The smaller the share of its class, the longer a client shall stay away: when one of ten is let in, who was refused asks ten
// times until it is, and those questions shall not be a flood of their own.
func (s *server) tooMuch(class shed.Class, why shed.Reason) *problem {
	share := s.Gate.Numbers(s.elapsed()).Share[class]
	wait := min(time.Duration(math.Round(float64(overloadRetry)/max(share, 0.01))), overloadRetryMax)
	detail := "More is asked for than can be served just now. Repeat the request with the same key."
	if why == shed.Age {
		detail = "It has waited too long for its turn. Repeat the request with the same key."
	}
	return refuse(kindOverloaded, detail).after(jitter(wait))
}

// gateMetrics reads the gate's numbers when they are asked for.
type gateMetrics struct{ *server }

var (
	shedTotal = prometheus.NewDesc("stockd_shed_total", "Requests that were refused because too many came, by class and reason.", []string{"class", "reason"}, nil)
	shedShare = prometheus.NewDesc("stockd_shed_share", "The part of a class that is let in, 1 when nothing is refused.", []string{"class"}, nil)
	shedLine  = prometheus.NewDesc("stockd_shed_waiting", "Requests that wait for a place, by class.", []string{"class"}, nil)
	shedBusy  = prometheus.NewDesc("stockd_shed_busy", "Requests at work, of those that browse and of all others.", []string{"pool"}, nil)
	shedAge   = prometheus.NewDesc("stockd_shed_oldest_seconds", "Age of the oldest request that waits for a place.", nil, nil)
)

// Describe names the metrics.
func (m gateMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{shedTotal, shedShare, shedLine, shedBusy, shedAge} {
		to <- d
	}
}

// Collect reads them.
func (m gateMetrics) Collect(to chan<- prometheus.Metric) {
	n := m.Gate.Numbers(m.elapsed())
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, c := range shed.Classes() {
		gauge(shedShare, n.Share[c], c.String())
		gauge(shedLine, float64(n.Waiting[c]), c.String())
		for _, why := range shed.Reasons() {
			to <- prometheus.MustNewConstMetric(shedTotal, prometheus.CounterValue, float64(n.Shed[c][why]), c.String(), why.String())
		}
	}
	gauge(shedBusy, float64(n.Busy[0]), "reads")
	gauge(shedBusy, float64(n.Busy[1]), "work")
	gauge(shedAge, n.Oldest.Seconds())
}
