package shed

import "time"

const (
	cut       = 0.9  // of the share that is left, when a queue stands
	cutHard   = 0.75 // the same, when its oldest one is hard times older than Target
	hard      = 4
	giveBack  = 1.05 // of the share, when no queue stands; and giveStep, so that a small one grows too
	giveStep  = 0.01
	takesPart = 20  // a class takes part in a rush with at least one of so many requests
	calmMax   = 200 // intervals of calm that are made up for at once: enough for every share to be whole again
)

// share is the part of a class that is let in, kept by counting.
type share struct {
	of      float64 // 0 to 1
	credit  float64 // below 1
	entered int     // let in, in this interval
}

// take asks for one.
func (s *share) take() bool {
	if s.of < 1 {
		if s.credit += s.of; s.credit < 1 {
			return false
		}
		s.credit--
	}
	s.entered++
	return true
}

// pass lets time pass: at the end of an interval the shares are set anew. A clock that goes back stands still.
func (g *Gate) pass(now time.Duration) {
	g.now = max(g.now, now)
	passed := int((g.now - g.begun) / g.config.Interval)
	for range min(passed, calmMax) {
		g.set()
	}
	if passed > 0 {
		g.begun = g.now
	}
}

// set is the end of an interval.
func (g *Gate) set() {
	standing := [pools]time.Duration{}
	for i := range g.pools {
		p := &g.pools[i]
		g.look(p)
		if p.least > g.config.Target && p.least >= p.before { // one that gets shorter is on its way: it was cut enough
			standing[i] = p.least
		}
		p.calm = p.least <= g.config.Target
		p.before, p.seen = p.least, false
	}
	switch {
	case standing[work] > 0:
		g.cutLowest(standing[work])
	case standing[reads] > 0:
		g.cutShare(Browse, standing[reads])
	case g.pools[work].calm && g.pools[reads].calm:
		g.restore()
	}
	for c := range g.share {
		g.share[c].entered = 0
	}
}

// cutLowest makes the share of the lowest class smaller that still gets in and takes part: cutting one that hardly comes would relieve nobody.
func (g *Gate) cutLowest(age time.Duration) {
	total := 0
	for c := range g.share {
		total += g.share[c].entered
	}
	for c := Browse; c < Operate; c++ {
		s := &g.share[c]
		if s.of > floors[c] && s.entered*takesPart >= total && s.entered > 0 {
			g.cutShare(c, age)
			return
		}
	}
}

func (g *Gate) cutShare(c Class, age time.Duration) {
	by := cut
	if age > hard*g.config.Target {
		by = cutHard
	}
	g.share[c].of = max(floors[c], g.share[c].of*by)
}

// restore gives the highest class that was cut something back.
func (g *Gate) restore() {
	for c := Operate - 1; c >= Browse; c-- {
		if s := &g.share[c]; s.of < 1 {
			s.of = min(1, s.of*giveBack+giveStep)
			return
		}
	}
}

// Numbers are a gate at a glance.
type Numbers struct {
	Share   [classes]float64        // let in, 0 to 1
	Waiting [classes]int            // requests
	Shed    [classes][reasons]int64 // requests, since the start, by Reason
	Busy    [2]int                  // places that are taken: for reads, for work
	Oldest  time.Duration           // age of the oldest one that waits
}

// Numbers reads them, as of now.
func (g *Gate) Numbers(now time.Duration) (n Numbers) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass(now)
	for c := range g.share {
		n.Share[c], n.Waiting[c] = g.share[c].of, g.queues[c].len()
	}
	for i := range g.pools {
		n.Busy[i] = g.pools[i].busy
		n.Oldest = max(n.Oldest, g.oldest(&g.pools[i]))
	}
	n.Shed = g.shed
	return n
}
