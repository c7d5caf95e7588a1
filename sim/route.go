package sim

import (
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// told is what somebody who asked for a command is told. Left is what a hold has left, by the clock of its owner, ms.
type told struct {
	stock.Answer
	problem owner.Problem
	left    int64
}

func partOf(cmd *stock.Command) stock.PartitionID {
	if cmd.Segment != 0 {
		return stock.PartitionOf(cmd.Event, cmd.Segment)
	}
	return stock.CoordinatorOf(cmd.Hold)
}

// do runs a command at its owner, here or with one hop, and tells when that is safe. While the partition moves it waits for queueWait.
func (p *process) do(cmd stock.Command, then func(told)) {
	p.try(cmd, partOf(&cmd), p.w.now+queueWait, then)
}

func (p *process) try(cmd stock.Command, part stock.PartitionID, until time.Duration, then func(told)) {
	target, known := p.table[part]
	ask := p.here
	if p.on[part] == 0 && known && target.node != p.id {
		q := p.w.processOf(target.node)
		ask = func(part stock.PartitionID, cmd stock.Command, then func(told)) { p.there(q, part, cmd, then) }
	}
	ask(part, cmd, func(t told) {
		if t.problem != owner.ProblemMoving && t.problem != owner.ProblemNotOwner {
			p.confirm(cmd.Hold, t, then)
			return
		}
		p.w.some[SawMoving]++
		if p.w.now+hopPause >= until {
			then(t)
			return
		}
		p.lookForOwner(part)
		p.w.after(hopPause, func() { p.deliver(func() { p.try(cmd, part, until, then) }) })
	})
}

// here asks this process's core.
func (p *process) here(part stock.PartitionID, cmd stock.Command, then func(told)) {
	p.requests++
	id := p.requests
	p.w.check.arrives(p, id, part, &cmd)
	p.waiters[id] = func(r owner.Reply) {
		t := told{Answer: r.Answer, problem: r.Problem}
		if r.Answer.Hold != nil {
			t.left = r.Answer.Hold.Deadline - p.wall() - p.clock.Error(p.mono()).Milliseconds()
		}
		if r.Answer.Code == stock.CodeReplay && p.w.wrong == FullLifeOnReplay {
			t.left = holdTTL
		}
		p.w.check.answers(p, id, &cmd, r)
		then(t)
	}
	p.give(owner.Request{ID: id, Part: part, Command: cmd})
}

// there asks another process: one hop, which it does not pass on. A call that breaks off is as a partition on its way: commands are found again.
func (p *process) there(q *process, part stock.PartitionID, cmd stock.Command, then func(told)) {
	answered := false
	answer := func(t told) {
		p.deliver(func() {
			if !answered {
				answered = true
				then(t)
			}
		})
	}
	away := told{problem: owner.ProblemMoving}
	p.leave(func() {
		switch {
		case q.dead:
			p.w.after(p.w.hop(), func() { answer(away) })
		case q.peerCut || p.peerCut:
			p.w.some[SawPeerCut]++
		default:
			p.w.some[SawForwarded]++
			q.deliver(func() {
				q.here(part, cmd, func(t told) {
					if !q.peerCut && !p.peerCut {
						q.leave(func() { answer(t) })
					}
				})
			})
		}
	})
	p.w.after(queueWait+200*time.Millisecond, func() { answer(away) })
}

// lookForOwner reads the row of a partition.
func (p *process) lookForOwner(part stock.PartitionID) {
	var row partRow
	p.query(func() { row = *p.w.ledger.part(part) }, func(ok bool) {
		if !ok || row.session == 0 || row.epoch <= p.table[part].epoch {
			return
		}
		for _, q := range p.w.procs {
			if q.session == row.session {
				p.table[part] = route{row.epoch, q.id}
			}
		}
	})
}

// confirm makes a "no such hold" from memory final by asking the ledger.
func (p *process) confirm(hold uuid.UUID, t told, then func(told)) {
	if t.problem != owner.ProblemNone || t.Code != stock.CodeNoHold || t.Seq != 0 {
		then(t)
		return
	}
	var row LoadedHold
	var found bool
	p.query(func() { row, _, found = p.w.ledger.Hold(hold) }, func(ok bool) {
		switch {
		case !ok:
			t.problem = owner.ProblemLedgerAway
		case found && (row.State == holdHeld || row.State == holdTrying):
			t.problem = owner.ProblemMoving
		case found:
			t.Code = stock.CodeHoldExpired
		}
		then(t)
	})
}

// busyTries is how often a command is tried while something else of its hold is under way.
const busyTries = 6

// doBusy is do, and again while the hold is busy.
func (p *process) doBusy(cmd stock.Command, then func(told)) { p.doAgain(cmd, 0, then) }

func (p *process) doAgain(cmd stock.Command, try int, then func(told)) {
	p.do(cmd, func(t told) {
		if t.problem != owner.ProblemNone || t.Code != stock.CodeBusy || try == busyTries-1 {
			then(t)
			return
		}
		p.w.some[SawBusy]++
		p.w.after(5*time.Millisecond<<try, func() { p.deliver(func() { p.doAgain(cmd, try+1, then) }) })
	})
}
