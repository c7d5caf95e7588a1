package room

// auto finds the rate by feedback: additive increase while the site is well, multiplicative decrease else.
type auto struct {
	on       bool
	min, max float64
	rate     float64 // 0 until the first tick
	pressure float64 // the worst since the last step
	next     int64
}

const (
	autoStep     = 1000 // ms between steps, and the rest after a decrease
	autoDecrease = 0.7
	pressureHigh = 0.8
)

func (a *auto) configure(set Settings) {
	a.on, a.min, a.max = set.Auto, set.RateMin, set.RateMax
	if a.on && a.rate > 0 {
		a.rate = min(max(a.rate, a.min), a.max)
	}
}

// tick makes the step that is due.
func (a *auto) tick(at int64) {
	if !a.on || at < a.next {
		return
	}
	a.next = at + autoStep
	switch {
	case a.rate == 0:
		a.rate = a.min
	case a.pressure >= pressureHigh:
		a.rate = max(a.min, a.rate*autoDecrease)
		a.next += autoStep
	default:
		a.rate = min(a.max, a.rate+max(0.5, (a.max-a.min)/60))
	}
	a.pressure = 0
}

// feel takes a report of the site, from 0 (idle) to 1 (at its limit); from pressureHigh on the rate goes down.
func (a *auto) feel(p float64) { a.pressure = max(a.pressure, min(1, max(0, p))) }

// Pressure takes what the driver itself sees of the site's health, from 0 to 1.
func (r *Room) Pressure(p float64) { r.auto.feel(p) }

// rate is the rate in force.
func (r *Room) rate() float64 {
	if r.auto.on && r.auto.rate > 0 {
		return r.auto.rate
	}
	return r.state.Limits.Rate
}
