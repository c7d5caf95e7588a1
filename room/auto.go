package room

// auto finds the rate by feedback: additive increase while the site is well and people wait, multiplicative decrease else.
type auto struct {
	on       bool
	min, max float64
	target   float64 // ms that 99 of 100 answers of the site should take at most; 0: not looked at
	rate     float64 // 0 until the first tick
	pressure float64 // the worst since the last step
	p99      float64 // ms; the worst since the last step
	eased    bool    // the last step was a decrease
	next     int64
}

const (
	autoStep     = 1000 // ms between steps, and the rest after a decrease
	autoDecrease = 0.7
	pressureHigh = 0.8
)

func (a *auto) configure(set Settings) {
	a.on, a.min, a.max = set.Auto, set.RateMin, set.RateMax
	a.target = float64(set.Latency.Microseconds()) / 1000
	if a.on && a.rate > 0 {
		a.rate = min(max(a.rate, a.min), a.max)
	}
}

// tick makes the step that is due. Where nobody waits the rate stays: a site that is well with fewer people than the rate lets in says nothing about more.
func (a *auto) tick(at int64, demand func() bool) {
	if !a.on || at < a.next {
		return
	}
	a.next = at + autoStep
	switch {
	case a.rate == 0:
		a.rate = a.min
	case a.pressure >= pressureHigh, a.target > 0 && a.p99 > a.target:
		a.rate = max(a.min, a.rate*autoDecrease)
		a.next += autoStep
		a.eased = true
	case demand():
		a.eased = false
		a.rate = min(a.max, a.rate+max(0.5, (a.max-a.min)/60))
	}
	a.pressure, a.p99 = 0, 0
}

// why says what the frontier moves by, where that is not the rate alone.
func (a *auto) why() string {
	if a.on && a.eased {
		return "pressure"
	}
	return ""
}

// feel takes a report of the site, from 0 (idle) to 1 (at its limit); from pressureHigh on the rate goes down.
func (a *auto) feel(p float64) { a.pressure = max(a.pressure, min(1, max(0, p))) }

// wait takes what 99 of 100 answers of the site took at most at one edge, in milliseconds; over the target the rate goes down.
func (a *auto) wait(ms float64) { a.p99 = max(a.p99, ms) }

// Pressure takes what the driver itself sees of the site's health, from 0 to 1.
func (r *Room) Pressure(p float64) { r.auto.feel(p) }

// demand says whether a higher rate would let somebody in sooner.
func (r *Room) demand() bool {
	return len(r.pending) > 0 || r.waiting(GroupMain)+r.waiting(GroupSlow) > 0
}

// rate is the rate in force.
func (r *Room) rate() float64 {
	if r.auto.on && r.auto.rate > 0 {
		return r.auto.rate
	}
	return r.state.Limits.Rate
}
