package crowd

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ticketrush/room"
)

// checks are what has to hold, seen from outside, and what is counted on the way.
type checks struct {
	w         *World
	fails     []string
	failed    int
	unsettled int
	faults    map[string]int
	paused    bool // the owner was lost while the room was paused: somebody has to resume it

	passes   map[int32][]room.Session // that somebody may hold, the newest last
	most     int                      // that edges let in at once
	looks    int
	full     bool    // no slot was free, or soon will not be
	taken    float64 // slots
	line     bool    // people waited, more than two seconds of the rate
	frontier [2]uint64
	codes    map[uint32]int // places by access code
	late     int            // places of the lobby that were told too late for the draw
	tabs     int
	asked    int      // passes that an edge had to ask about
	seconds  []second // from the opening on
}

// second is what was admitted in one.
type second struct {
	admitted int
	steady   int // ticks at which the owner had people in the line, slots, and tickets for them
}

func newChecks(w *World) checks {
	return checks{w: w, faults: map[string]int{}, passes: map[int32][]room.Session{}, codes: map[uint32]int{}}
}

const failsKept = 10

func (c *checks) fail(format string, args ...any) {
	c.failed++
	if len(c.fails) < failsKept {
		c.fails = append(c.fails, fmt.Sprintf("%8.3f s  ", float64(c.w.now)/1000)+fmt.Sprintf(format, args...))
	}
}

// again takes what a second tab got.
func (c *checks) again(p *person, e *edge, rank uint64) {
	c.tabs++
	if p.home == p.edge && int(p.run) == e.runs && rank != p.rank {
		c.fail("a second tab of person %d got rank %d after %d", p.id, rank, p.rank)
	}
}

// admitted takes a pass that somebody got; it says whether it is news.
func (c *checks) admitted(p *person, s room.Session) bool {
	had := c.passes[p.id]
	if n := len(had); n > 0 {
		last := had[n-1]
		if last.Issued == s.Issued {
			return false
		}
		if c.w.now.time().UnixMilli() < last.Expires {
			c.fail("person %d got a second pass while the first one lived", p.id)
		}
	}
	c.passes[p.id] = append(had, s)
	return true
}

// renewed takes a pass that goes on.
func (c *checks) renewed(p *person, s room.Session) {
	c.passes[p.id] = append(c.passes[p.id], s)
}

// refused takes an owner's word that somebody is not inside.
func (c *checks) refused(p *person, err error) {
	had := c.passes[p.id]
	if n := len(had); p.state == inside && errors.Is(err, room.ErrNotInside) && n > 0 && c.w.now.time().UnixMilli() < had[n-1].Expires {
		c.fail("the owner does not know the pass of person %d, which lives", p.id)
	}
}

// inside counts whom the edges let in: at most max_active at any moment, whatever each of them has heard.
func (c *checks) inside() {
	c.looks++
	now, alive, taken := c.w.now.time(), 0, 0
	for _, who := range slices.Sorted(maps.Keys(c.passes)) {
		passes := c.passes[who]
		last := passes[len(passes)-1]
		if now.UnixMilli() > last.Expires+ms64(2*time.Minute) {
			delete(c.passes, who)
			continue
		}
		if now.UnixMilli() < last.Free {
			taken++
		}
		p := &c.w.people[who]
		if c.letIn(p, passes) {
			alive++
		} else if p.state == inside && c.unsure(p, last) {
			c.asked++
			c.w.renew(p)
		}
	}
	c.most = max(c.most, alive)
	c.taken = float64(taken)
	c.full = c.taken+1.3*c.w.cfg.Rate > float64(c.w.cfg.MaxActive)
	waits := 0
	for i := range c.w.people {
		if p := &c.w.people[i]; (p.state == waiting || p.state == claiming) && p.until > c.w.now {
			waits++
		}
	}
	c.line = float64(waits) > 2*c.w.cfg.Rate
	if alive > c.w.cfg.MaxActive {
		c.fail("%d people are let in, max_active is %d", alive, c.w.cfg.MaxActive)
	}
	if c.paused && c.w.owner.up {
		c.paused = false
		c.w.owner.room.Resume(now, "simulated")
	}
}

func ms64(d time.Duration) int64 { return d.Milliseconds() }

func (c *checks) letIn(p *person, passes []room.Session) bool {
	tid := p.tid()
	for _, e := range c.w.edges {
		if !e.up {
			continue
		}
		now := e.clock()
		for _, s := range passes {
			if e.room.Alive(now, tid, time.UnixMilli(s.Issued), time.UnixMilli(s.Expires)) == nil {
				return true
			}
		}
	}
	return false
}

// unsure is whether somebody's edge has to ask the owner about their pass.
func (c *checks) unsure(p *person, s room.Session) bool {
	e := c.w.edges[p.edge]
	return e.up && errors.Is(e.room.Alive(e.clock(), p.tid(), time.UnixMilli(s.Issued), time.UnixMilli(s.Expires)), room.ErrUnsure)
}

// answered sees what edges are told.
func (c *checks) answered(a *room.Answer) {
	for g, f := range a.Frontier {
		if f < c.frontier[g] {
			c.fail("the frontier of group %d went back from %d to %d", g, c.frontier[g], f)
		}
		c.frontier[g] = max(c.frontier[g], f)
	}
}

// peoplePerTicket is how many people a room lets in for each ticket that is left (room.Supply).
const peoplePerTicket = 3

// ticked counts what a tick admitted.
func (c *checks) ticked(o *owner, decided []room.Decision) {
	since := c.w.now - c.w.opening()
	if since < 0 {
		return
	}
	for len(c.seconds) <= int(since/1000) {
		c.seconds = append(c.seconds, second{})
	}
	now := &c.seconds[since/1000]
	for _, d := range decided {
		if d.Granted {
			now.admitted++
		}
	}
	if !c.full && c.line && o.room.Phase(c.w.now.time()) == room.PhaseOpen && float64(peoplePerTicket*c.w.left) > c.taken+3*c.w.cfg.Rate {
		now.steady++
	}
}

// redeemed takes a place that was given for an access code.
func (c *checks) redeemed(p *person) {
	if c.codes[p.code]++; c.codes[p.code] > codeUses {
		c.fail("access code %d gave %d places, it is good for %d", p.code, c.codes[p.code], codeUses)
	}
}
