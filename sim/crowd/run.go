package crowd

import (
	"time"

	"ticketrush/room"
)

// Result is what came of a run.
type Result struct {
	Config     Config
	Violations int
	Fails      []string // the first ones
	Course     uint64   // a hash: the same for the same configuration
	Simulated  time.Duration

	Admitted, GaveUp, SoldOut, Waiting int
	MostInside, Looks                  int
	Late, Codes, Tabs, Asked           int
	Faults                             map[string]int
	Arrivals                           int     // whose order was checked
	Inversions                         int     // beyond the stated bounds
	BoundP50, BoundMax                 float64 // ms
	Tau, TauSlow                       float64
	Classes                            []Class
	RateWindows                        int
	RateP50, RateError, RateOver       float64
}

// Class is how a class fared.
type Class struct {
	Name     string
	Admitted int
	P50, P99 float64 // of the wait, in seconds
	Jain     float64
}

// In any ten seconds there may be so much more than the rate, as a share and in passes.
const (
	overMax    = 0.02
	overPasses = 5
)

// Run simulates one sale.
func Run(cfg Config) (*Result, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	w := newWorld(cfg)
	w.run()
	return w.result(), nil
}

func (w *World) result() *Result {
	c := &w.check
	r := &Result{
		Config: w.cfg, Simulated: time.Duration(w.now) * time.Millisecond, MostInside: c.most, Looks: c.looks, Late: c.late, Tabs: c.tabs, Asked: c.asked, Faults: c.faults,
		Tau: kendall(w.line(false)), TauSlow: kendall(w.line(true)),
	}
	for _, class := range []room.Class{room.ClassArrival, room.ClassSlow} {
		n, of, p50, most := w.inversions(class)
		r.Inversions += n
		r.Arrivals += of
		r.BoundMax = max(r.BoundMax, most)
		if class == room.ClassArrival {
			r.BoundP50 = p50
		}
		if n > 0 {
			c.fail("%d people have a higher rank than somebody who came later by more than both stated bounds", n)
		}
	}
	for _, n := range c.codes {
		r.Codes += n
	}
	for i := range w.people {
		switch p := &w.people[i]; {
		case p.granted > 0:
			r.Admitted++
		case p.state == gaveUp:
			r.GaveUp++
		case p.state == toldSoldOut:
			r.SoldOut++
		default:
			r.Waiting++
		}
	}
	for _, class := range []struct {
		name   string
		of     func(*person) bool
		tenths bool
	}{
		{"priority", func(p *person) bool { return p.class == room.ClassPriority }, false},
		{"lobby", func(p *person) bool { return p.lobby }, true},
		{"arrival", func(p *person) bool { return p.class == room.ClassArrival && !p.lobby }, false},
		{"slow lane", func(p *person) bool { return p.class == room.ClassSlow }, false},
	} {
		n, p50, p99 := w.waits(class.of)
		r.Classes = append(r.Classes, Class{class.name, n, p50, p99, w.evenness(class.of, class.tenths)})
	}
	r.RateWindows, r.RateP50, r.RateError, r.RateOver = w.rateError()
	if over := r.RateOver * w.cfg.Rate * rateWindow; over > overMax*w.cfg.Rate*rateWindow+overPasses {
		c.fail("%.0f passes more than the rate in ten seconds", over)
	}
	r.Violations, r.Fails, r.Course = c.failed, c.fails, w.course.Sum64()
	return r
}
