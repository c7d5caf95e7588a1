package crowd

import (
	"errors"
	"math"
	"time"

	"ticketrush/room"
)

const (
	claimWait = 2 * time.Second // how long a claim is kept at the owner
	patience  = 3000            // how long an edge waits for the owner's answer
)

// poll looks how the place stands, as the page does: as often as the room says, a little more or less.
func (w *World) poll(p *person) {
	e := w.edges[p.edge]
	switch {
	case p.state != waiting:
		return
	case w.now > p.until:
		w.settle(p, gaveUp)
		return
	case !e.up:
		p.edge = int16(p.random() * float64(len(w.edges)))
		w.later(p, p.between(500, 2000), (*World).poll)
		return
	}
	now := e.clock()
	if p.rank == 0 {
		p.rank = e.drawn(p)
	}
	view := e.room.Look(now, p.rank)
	switch view.Standing {
	case room.StandingEligible:
		w.claim(p)
	case room.StandingSoldOut, room.StandingEnded:
		w.settle(p, toldSoldOut)
	default:
		next := ms(view.NextPoll)
		w.later(p, next*3/4+moment(p.random()*float64(next)/2), (*World).poll)
	}
}

// claim asks the owner for a pass.
func (w *World) claim(p *person) {
	p.state = claiming
	c := room.Claim{Tid: p.tid(), Rank: p.rank}
	w.ask(p, func(answer func(func())) {
		c.Until = w.now.time().Add(claimWait)
		w.owner.claim(c, func(s room.Session, ok bool, err error) {
			answer(func() { w.claimed(p, s, ok, err) })
		})
	})
}

// ask brings a request of somebody's edge to the owner, and its answer back. What gets lost on the way is asked again.
func (w *World) ask(p *person, request func(answer func(func()))) {
	e := w.edges[p.edge]
	answered := false
	reach := func(do func()) {
		if !e.cut {
			w.after(w.hop(), do)
		}
	}
	reach(func() {
		if e.cut || !w.owner.up {
			return
		}
		request(func(then func()) {
			reach(func() {
				if !answered && e.up && !e.cut {
					answered = true
					then()
				}
			})
		})
	})
	w.later(p, patience, func(w *World, p *person) {
		if !answered {
			answered = true
			if p.state == claiming {
				p.state = waiting
			}
			w.later(p, p.between(500, 1500), (*World).poll)
		}
	})
}

func (w *World) claimed(p *person, s room.Session, ok bool, err error) {
	var moved *room.MovedError
	switch {
	case ok:
		w.enter(p, s)
		return
	case errors.As(err, &moved):
		p.rank = moved.Rank
		p.lobby, p.joined, p.bound = false, -1, 0 // no arrival that could be compared
		w.check.late++
	}
	p.state = waiting
	w.later(p, p.between(800, 1200), (*World).poll) // Retry-After: 1
}

// enter lets somebody in, for a while.
func (w *World) enter(p *person, s room.Session) {
	p.state, p.pass = inside, s
	if w.check.admitted(p, s) {
		p.granted = moment(s.Admitted - epoch.UnixMilli())
		w.note('g', s.Rank)
	}
	stay := min(moment(-float64(ms(meanStay))*math.Log(1-p.random())), ms(passLife)*3)
	w.stay(p, stay)
}

// stay renews the pass as long as it is needed.
func (w *World) stay(p *person, rest moment) {
	if half := ms(passLife) / 2; rest > half {
		w.later(p, half, func(w *World, p *person) {
			w.renew(p)
			w.stay(p, rest-half)
		})
		return
	}
	w.later(p, rest, (*World).leave)
}

func (w *World) renew(p *person) {
	w.ask(p, func(answer func(func())) {
		var s room.Session
		w.owner.call(func(r *room.Room) (err error) {
			s, err = r.Renew(w.now.time(), p.tid(), p.pass.Renewal, 0)
			w.check.refused(p, err)
			return err
		}, func(err error) {
			answer(func() {
				if err == nil {
					p.pass = s
					w.check.renewed(p, s)
				}
			})
		})
	})
}

// leave is the end of somebody's visit: most say so.
func (w *World) leave(p *person) {
	if p.state != inside {
		return
	}
	w.buy(p)
	w.settle(p, gone)
	if p.vanish {
		return
	}
	w.ask(p, func(answer func(func())) {
		w.owner.call(func(r *room.Room) error { return r.Leave(w.now.time(), p.tid()) }, func(error) { answer(func() {}) })
	})
}

// redeem asks for a place for an access code.
func (w *World) redeem(p *person) {
	w.ask(p, func(answer func(func())) {
		var rank uint64
		w.owner.call(func(r *room.Room) (err error) {
			rank, err = r.Redeem(w.now.time(), p.tid(), p.code, codeUses)
			return err
		}, func(err error) {
			answer(func() {
				if err == nil {
					p.rank, p.class, p.lobby = rank, room.ClassPriority, false
					w.check.redeemed(p)
				}
				w.later(p, p.between(500, 1500), (*World).poll)
			})
		})
	})
}
