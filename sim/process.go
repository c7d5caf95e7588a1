package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Times of the simulated cluster: shorter than the product's defaults, in the same proportions, so that a short run sees many of each.
const (
	sessionTTL  = 900 * time.Millisecond
	holdTTL     = int64(1500) // ms
	holdMaxTTL  = int64(3000) // ms
	queueWait   = 500 * time.Millisecond
	flushGiveUp = 400 * time.Millisecond
	callGiveUp  = 450 * time.Millisecond // sessions, claims, loads
	hopPause    = 20 * time.Millisecond
	stragglers  = 50 * time.Millisecond
)

// process is one run of a node. It drives a core as stockd/node does: the same effects lead to the same calls in the same order.
type process struct {
	w    *World
	id   string // the node's
	name string // the run's
	core *owner.Core

	boot  time.Duration
	drift int64         // ‰ by which its monotonic clock is fast
	clock *owner.Clock  // starts with the machine's time
	wrong time.Duration // by which that is ahead

	dead, paused, leaving bool
	peerCut, dbCut        bool
	later                 []func() // what waits for a paused process
	wakeAt                time.Duration

	on           map[stock.PartitionID]int64 // served, with the epoch
	table        map[stock.PartitionID]route
	engines      map[loadedKey]*stock.Segment
	sessions     []owner.Effect // one after the other
	busy         bool
	requests     uint64
	waiters      map[uint64]func(owner.Reply)
	follow       map[uuid.UUID]bool
	session      int64
	untaken      map[uuid.UUID]bool                // grants that were on their way at the last look
	pause        map[segmentKey]time.Duration      // a segment's grants wait until then
	gathers      map[segmentKey][]func(whole bool) // who waits for the next gathering of an area
	coordinating int                               // holds over several segments that it tries

}

// loadedKey names an engine: that of a segment as it was loaded under an epoch.
type loadedKey struct {
	segmentKey
	epoch int64
}

// route is a node that has a partition, by its id: its address is that of the process which the gossip knows.
type route struct {
	epoch int64
	node  string
}

// start runs a node, possibly while another process of it runs.
func (w *World) boot(id string) *process {
	core, err := owner.New(owner.Config{
		Node: id, SessionTTL: sessionTTL, QueueWait: queueWait, ClaimEvery: 40 * time.Millisecond, BalanceAfter: 300 * time.Millisecond,
		EmptyAfter: 100 * time.Millisecond, MoveCooldown: 500 * time.Millisecond, HotRate: 5, HotStay: time.Second, BatchMax: w.plan.batchMax, Linger: w.plan.linger,
	})
	if err != nil {
		panic(err) // the settings are fixed
	}
	wrong := w.between(-w.plan.skew, w.plan.skew)
	if wrong.Abs() > time.Second {
		w.some[SawWrongClock]++
	}
	p := &process{
		w: w, id: id, name: fmt.Sprintf("%s.%d", id, len(w.procs)+1), core: core, boot: w.now, drift: w.rng.Int64N(9) - 4,
		clock: owner.NewClock(time.UnixMilli(wallStart).Add(w.now + wrong)), wrong: wrong, on: map[stock.PartitionID]int64{}, table: map[stock.PartitionID]route{},
		engines: map[loadedKey]*stock.Segment{}, waiters: map[uint64]func(owner.Reply){}, follow: map[uuid.UUID]bool{},
		untaken: map[uuid.UUID]bool{}, pause: map[segmentKey]time.Duration{}, gathers: map[segmentKey][]func(whole bool){},
	}
	// A node asks for the time before it does anything else.
	trip := w.between(time.Millisecond, 20*time.Millisecond)
	p.clock.Reading(-trip, 0, time.UnixMicro(w.clock()).Add(-w.between(0, trip)))
	w.procs = append(w.procs, p)
	w.say(p.name, "starts")
	p.give(owner.Segments{All: w.catalog})
	w.after(w.between(0, tidyEvery), p.tidy)
	w.after(w.between(0, sharesEvery), p.keepShares)
	return p
}

// mono is the process's monotonic clock: it may be a little fast or slow.
func (p *process) mono() time.Duration {
	d := p.w.now - p.boot
	return d + d*time.Duration(p.drift)/1000
}

// wall is the ledger's time as the process knows it, Unix ms.
func (p *process) wall() int64 {
	if p.w.wrong == WallClockExpiry {
		return wallStart + (p.w.now + p.wrong).Milliseconds()
	}
	return p.clock.At(p.mono()).UnixMilli()
}

// clockError is how far the clock of any process may be from the database's.
func (w *World) clockError() (most time.Duration) {
	for _, p := range w.alive() {
		most = max(most, p.clock.Error(p.mono()))
	}
	return most
}

// deliver does something in the process: at once, when it goes on after a pause, or never.
func (p *process) deliver(do func()) {
	switch {
	case p.dead:
	case p.paused:
		p.later = append(p.later, do)
	default:
		do()
	}
}

// give hands an input to the core and starts what its effects ask for.
func (p *process) give(in owner.Input) {
	p.deliver(func() {
		if len(p.w.fails) > 0 {
			return
		}
		for _, effect := range p.core.Step(owner.Now{Mono: p.mono(), Wall: p.wall()}, in) {
			p.execute(effect)
		}
		p.w.check.stepped(p)
		p.wake()
	})
}

// wake sends a tick when the core asks for one.
func (p *process) wake() {
	wait := p.core.NextWake() - p.mono()
	at := p.w.now + max(wait-wait*time.Duration(p.drift)/1000, 50*time.Microsecond)
	if p.wakeAt > p.w.now && p.wakeAt <= at {
		return
	}
	p.wakeAt = at
	p.w.after(at-p.w.now, func() {
		if p.wakeAt == at {
			p.give(owner.Tick{})
		}
	})
}

// learn is a view from the gossip.
func (p *process) learn(members []string) {
	if p.w.tracing() {
		p.w.say(p.name, "hears of %v", members)
	}
	p.give(owner.View{Members: members})
	for _, part := range slices.Sorted(maps.Keys(p.on)) { // those who have come have not heard it
		p.announce(owner.PartEpoch{Part: part, Epoch: p.on[part]})
	}
}

// execute does what an effect asks for; it does not wait.
func (p *process) execute(effect owner.Effect) {
	switch e := effect.(type) {
	case owner.SendFlush:
		p.flush(e)
	case owner.OpenSession, owner.Renew, owner.EndSession:
		p.sessions = append(p.sessions, e)
		p.nextSession()
	case owner.ClaimParts:
		p.claim(e)
	case owner.Load:
		p.load(e)
	case owner.LoadSegments:
		p.loadSegments(e)
	case owner.Release:
		p.release(e)
	case owner.Reply:
		p.reply(e)
	case owner.Serving:
		p.serving(e)
	case owner.Nudge:
		p.nudge(e)
	case owner.Changed:
		p.w.check.changed(e)
		p.tellCounts(e)
	case owner.FollowLegs:
		p.followLegs(e)
	case owner.Alarm:
		p.w.fail("alarm %q of %s on partition %d: %s", e.Kind, p.name, e.Part, e.Text)
	case owner.Stopped:
		p.w.say(p.name, "has handed everything off and stops")
		p.w.some[SawDrained]++
		p.w.after(stragglers, func() { p.deliver(p.end) }) // until then the end of its session leaves
	}
}

// end is the end of the process, orderly or not.
func (p *process) end() {
	if p.coordinating > 0 {
		p.w.some[SawCoordinatorDied]++
	}
	p.dead = true
	p.later = nil
	p.w.gossip()
}

// resume lets a paused process go on: it finds everything that came meanwhile, and its clock far ahead.
func (p *process) resume() {
	p.paused = false
	later := p.later
	p.later = nil
	for _, do := range later {
		p.deliver(do)
	}
}

// query is a call to the database: do runs there, in one transaction, then comes in the process with ok, or, when the answer is lost or late,
// without: then do may have run, or may still run.
func (p *process) query(do func(), then func(ok bool)) { p.queryIn(callGiveUp, nil, do, then) }

// queryIn is query with a time limit, and with what happens in the database when the transaction begins.
func (p *process) queryIn(limit time.Duration, begin func() (end func()), do func(), then func(ok bool)) {
	answered := false
	answer := func(ok bool) {
		p.deliver(func() {
			if !answered {
				answered = true
				then(ok)
			}
		})
	}
	p.leave(func() {
		if p.w.database.down {
			p.w.after(p.w.hop(), func() { answer(false) })
			return
		}
		if p.lost() {
			return
		}
		p.w.transact(begin, do, func(ok bool) {
			if !p.lost() {
				p.w.after(p.w.hop(), func() { answer(ok && !p.cutNow()) })
			}
		})
	})
	p.w.after(limit, func() { answer(false) })
}

func (p *process) cutNow() bool { return p.dbCut || p.w.database.down }

// lost is whether a message between the process and the database disappears.
func (p *process) lost() bool {
	if p.dbCut {
		p.w.some[SawDatabaseCut]++
		return true
	}
	return p.w.database.lose > 0 && p.w.chance(p.w.database.lose)
}

// leave sends a message once the process runs: what a paused process was about to send leaves when it goes on.
func (p *process) leave(arrive func()) {
	p.w.after(p.w.between(0, 100*time.Microsecond), func() {
		if p.paused {
			p.w.some[SawHeldBack]++
		}
		p.deliver(func() { p.w.after(p.w.hop(), arrive) })
	})
}

// transact runs a transaction: it begins now and commits a while later, unless the server ends before.
func (w *World) transact(begin func() (end func()), do func(), done func(ok bool)) {
	crash := w.database.crash
	end := func() {}
	if begin != nil {
		end = begin()
	}
	w.after(w.commitTime(), func() {
		if w.database.crash != crash {
			w.some[SawCrashedTransaction]++
			return // locks went with the server
		}
		end()
		do()
		done(true)
	})
}

// nextSession talks about the session, one call at a time.
func (p *process) nextSession() {
	if p.busy || len(p.sessions) == 0 {
		return
	}
	effect := p.sessions[0]
	p.sessions = p.sessions[1:]
	p.busy = true
	then := func(in owner.Input) {
		p.busy = false
		if in != nil {
			p.give(in)
		}
		p.nextSession()
	}
	l := p.w.ledger
	switch e := effect.(type) {
	case owner.OpenSession:
		var id, at int64
		sent := p.mono()
		p.query(func() { id, at = l.SessionOpen(p.id, sessionTTL.Microseconds()), l.Clock() }, func(ok bool) {
			if !ok {
				then(owner.SessionFailed{})
				return
			}
			p.clock.Reading(sent, p.mono(), time.UnixMicro(at))
			p.w.say(p.name, "has session %d", id)
			p.session = id
			then(owner.SessionOpened{ID: id, Sent: e.Sent})
		})
	case owner.Renew:
		var alive bool
		var at int64
		sent := p.mono()
		p.query(func() { alive, at = l.SessionRenew(e.Session, sessionTTL.Microseconds()), l.Clock() }, func(ok bool) {
			switch {
			case !ok:
				p.w.some[SawRenewFailed]++
				then(owner.RenewFailed{Session: e.Session})
			default:
				if !alive {
					p.w.some[SawSessionOver]++
				}
				p.clock.Reading(sent, p.mono(), time.UnixMicro(at))
				then(owner.Renewed{Session: e.Session, Sent: e.Sent, Alive: alive})
			}
		})
	case owner.EndSession:
		p.query(func() { l.SessionEnd(e.Session) }, func(bool) { then(nil) })
	}
}

func (p *process) serving(e owner.Serving) {
	for _, pe := range e.Parts {
		switch {
		case e.On:
			p.on[pe.Part] = pe.Epoch
			p.table[pe.Part] = route{pe.Epoch, p.id}
			p.announce(pe)
			p.w.check.serves(p, pe)
		case p.on[pe.Part] == pe.Epoch:
			delete(p.on, pe.Part)
		}
	}
	if p.w.tracing() {
		p.w.say(p.name, "serves (%v) %v", e.On, e.Parts)
	}
}

// announce tells the others who owns a partition. It is advice; the higher epoch wins.
func (p *process) announce(pe owner.PartEpoch) {
	if !p.w.check.hasStock(pe.Part) {
		return
	}
	for _, q := range p.w.procs {
		if q == p || q.dead || q.peerCut || p.peerCut {
			continue
		}
		if known, ok := q.table[pe.Part]; !ok || pe.Epoch > known.epoch {
			q.table[pe.Part] = route{pe.Epoch, p.id}
		}
		if mine := q.on[pe.Part]; mine > 0 && mine < pe.Epoch {
			p.w.some[SawOvertaken]++
			p.w.after(p.w.hop(), func() { q.give(owner.Overtaken{Parts: []owner.PartEpoch{pe}}) })
		}
	}
}

func (p *process) nudge(e owner.Nudge) {
	for _, q := range p.w.procs {
		if q.id == e.Node && !q.dead && !q.peerCut && !p.peerCut {
			p.leave(func() { q.give(owner.Nudged{Parts: e.Parts}) })
		}
	}
}

// reply answers whoever waits for a request.
func (p *process) reply(r owner.Reply) {
	then := p.waiters[r.ID]
	if then == nil {
		p.w.fail("request %d of %s is answered twice", r.ID, p.name)
		return
	}
	delete(p.waiters, r.ID)
	p.w.mix(r.ID, uint64(r.Problem), uint64(r.Answer.Code), uint64(r.Answer.Seq))
	then(r)
}
