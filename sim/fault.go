package sim

import (
	"slices"
	"time"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// fault is something that goes wrong.
type fault struct {
	name  string
	often int  // in how many of ten seeds it happens
	jumps bool // sets the clock that all go by
	do    func(w *World)
}

var faults = []fault{
	{"kill", 5, false, (*World).kill},
	{"pause", 5, false, (*World).pause},
	{"cut from the database", 4, false, (*World).cutDatabase},
	{"cut from the peers", 4, false, (*World).cutPeers},
	{"database restart", 3, false, (*World).restartDatabase},
	{"slow commits", 4, false, (*World).slowCommits},
	{"lost answers", 5, false, (*World).loseAnswers},
	{"false gossip", 4, false, (*World).lie},
	{"database clock", 10, true, (*World).setDatabaseClock},
	{"twin", 3, false, (*World).twin},
	{"drain", 4, false, (*World).drain},
	{"sessions run out", 2, false, (*World).runOut},
}

// disturb makes one fault, and plans the next.
func (w *World) disturb() {
	if w.calm || len(w.plan.faults) == 0 {
		return
	}
	f := w.plan.faults[w.rng.IntN(len(w.plan.faults))]
	w.say("fault", "%s", f.name)
	f.do(w)
	w.after(w.between(w.plan.every/4, 2*w.plan.every), w.disturb)
}

// running is a process that runs and does not stop; nil when there is none.
func (w *World) running() *process {
	all := slices.DeleteFunc(w.alive(), func(p *process) bool { return p.paused || p.leaving })
	if len(all) == 0 {
		return nil
	}
	return all[w.rng.IntN(len(all))]
}

// kill ends a process without a goodbye; its node is started again soon, late, or with the calm.
func (w *World) kill() {
	p := w.running()
	if p == nil {
		return
	}
	w.some[SawKill]++
	for _, g := range w.ledger.GrantsUntaken() {
		if p.on[stock.PartitionOf(g.Event, g.From)] > 0 || p.on[stock.PartitionOf(g.Event, g.To)] > 0 {
			w.some[SawGrantAtKill]++
		}
	}
	w.say(p.name, "is killed")
	p.end()
	if !w.chance(5) {
		wait := w.between(20*time.Millisecond, 300*time.Millisecond)
		if w.chance(3) {
			wait = w.between(300*time.Millisecond, 2*time.Second)
		}
		w.after(wait, func() { w.bootOnce(p.id) })
	}
}

// bootOnce starts a node unless a process of it runs.
func (w *World) bootOnce(id string) {
	for _, p := range w.alive() {
		if p.id == id {
			return
		}
	}
	w.boot(id)
	w.gossip()
}

// pause stops a process, for shorter or longer than its session lives.
func (w *World) pause() {
	p := w.running()
	if p == nil {
		return
	}
	wait := w.between(50*time.Millisecond, 800*time.Millisecond)
	if w.chance(2) {
		wait = w.between(sessionTTL, 2*sessionTTL)
		w.some[SawPause]++
	}
	p.paused = true
	w.say(p.name, "is paused")
	w.gossip()
	w.after(wait, func() { w.goOn(p) })
}

func (w *World) goOn(p *process) {
	if p.paused && !p.dead {
		w.say(p.name, "goes on")
		p.resume()
		w.gossip()
	}
}

func (w *World) cutDatabase() {
	if p := w.running(); p != nil && !p.dbCut {
		p.dbCut = true
		w.say(p.name, "is cut from the database")
		w.after(w.between(50*time.Millisecond, 1500*time.Millisecond), func() { p.dbCut = false })
	}
}

func (w *World) cutPeers() {
	if p := w.running(); p != nil && !p.peerCut {
		p.peerCut = true
		w.say(p.name, "is cut from its peers")
		w.gossip()
		w.after(w.between(100*time.Millisecond, 1500*time.Millisecond), func() {
			p.peerCut = false
			w.gossip()
		})
	}
}

// restartDatabase ends the server, with the transactions that are on their way, and starts it again.
func (w *World) restartDatabase() {
	d := &w.database
	if d.down {
		return
	}
	w.some[SawDatabaseRestart]++
	d.down = true
	d.crash++
	clear(w.ledger.flushing)
	clear(w.ledger.locked)
	w.say("database", "is down")
	wait := w.between(10*time.Millisecond, 200*time.Millisecond)
	if w.chance(3) {
		wait = w.between(300*time.Millisecond, 1500*time.Millisecond)
		w.some[SawDatabaseDown]++
	}
	w.after(wait, func() {
		d.down = false
		w.say("database", "is up")
	})
}

func (w *World) slowCommits() {
	w.database.slow = true
	w.after(w.between(100*time.Millisecond, time.Second), func() { w.database.slow = false })
}

func (w *World) loseAnswers() {
	w.database.lose = 2 + w.rng.IntN(12)
	w.after(w.between(50*time.Millisecond, 600*time.Millisecond), func() { w.database.lose = 0 })
}

// lie tells a process of members who are not there, or not of some who are.
func (w *World) lie() {
	p := w.running()
	if p == nil {
		return
	}
	w.some[SawFalseGossip]++
	members := []string{p.id}
	for _, id := range []string{"n1", "n2", "n3", "n4", "n9"} {
		if w.chance(2) && id != p.id {
			members = append(members, id)
		}
	}
	p.learn(members)
	w.after(w.between(20*time.Millisecond, 900*time.Millisecond), func() { p.learn(w.members(p)) })
}

// setDatabaseClock lets the database's time jump, and back later or not. Sessions end early then, or late.
func (w *World) setDatabaseClock() {
	w.some[SawDatabaseJump]++
	w.database.jump = w.between(-2*time.Second, 3*time.Second)
	w.say("database", "has its clock set, it is off by %v", w.database.jump)
	if w.chance(2) {
		w.after(w.between(100*time.Millisecond, time.Second), func() { w.database.jump = 0 })
	}
}

// twin starts a second process of a node while the first runs.
func (w *World) twin() {
	p := w.running()
	if p == nil || len(w.alive()) > 5 {
		return
	}
	w.some[SawTwin]++
	q := w.boot(p.id)
	w.gossip()
	w.after(w.between(200*time.Millisecond, 1500*time.Millisecond), func() {
		if !q.dead && !w.calm {
			w.say(q.name, "is killed: it was a twin")
			q.end()
		}
	})
}

// drain lets a process leave: it says goodbye, hands everything off and stops; then its node is started again.
func (w *World) drain() {
	p := w.running()
	if p == nil {
		return
	}
	w.say(p.name, "drains")
	p.leaving = true
	w.gossip()
	p.give(owner.Drain{})
	w.after(w.between(300*time.Millisecond, 1500*time.Millisecond), func() {
		if !p.dead && !w.calm { // its grace is over
			p.end()
		}
		w.bootOnce(p.id)
	})
}

// runOut ends sessions early, as after a restore, or by the hand of an operator.
func (w *World) runOut() {
	for id := int64(1); id <= w.ledger.lastSess; id++ {
		if s := w.ledger.sessions[id]; w.chance(2) {
			s.expires = min(s.expires, w.clock())
		}
	}
	w.some[SawSessionOver]++
}

// heal ends all faults: from here on everything has to come right by itself.
func (w *World) heal() {
	w.calm = true
	w.say("fault", "all faults end")
	w.database.down, w.database.slow, w.database.lose, w.database.jump = false, false, 0, 0
	newest := map[string]*process{}
	for _, p := range w.alive() {
		newest[p.id] = p
	}
	for _, p := range w.alive() {
		p.dbCut, p.peerCut = false, false
		if newest[p.id] != p {
			p.end()
			continue
		}
		w.goOn(p)
	}
	if len(slices.DeleteFunc(w.alive(), func(p *process) bool { return p.leaving })) == 0 {
		w.boot("n5")
	}
	for _, p := range w.alive() {
		w.after(time.Millisecond, func() { p.learn(w.members(p)) })
		w.after(400*time.Millisecond, func() { p.learn(w.members(p)) }) // what was under way has come
	}
}
