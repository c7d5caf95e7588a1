package node

import (
	"time"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// message is what the loop takes: an input, with who waits for its reply; or a question to the core.
type message struct {
	in    owner.Input
	reply chan<- owner.Reply
	ask   func(*owner.Core)
}

// give hands an input to the loop.
func (n *Node) give(in owner.Input) {
	select {
	case n.inbox <- message{in: in}:
	case <-n.ctx.Done():
	}
}

// ask runs a question in the loop. It says false when the node has stopped.
func (n *Node) ask(question func(*owner.Core)) bool {
	done := make(chan struct{})
	select {
	case n.inbox <- message{ask: func(c *owner.Core) { question(c); close(done) }}:
	case <-n.ctx.Done():
		return false
	}
	select {
	case <-done:
		return true
	case <-n.ctx.Done():
		return false
	}
}

// burstMax bounds what is handled under one time.
const burstMax = 128

// loop drives the core. It never waits for anything but its inbox and the clock. A broken invariant of the core panics and ends the process:
// the ledger has the truth, and a restart reads it.
func (n *Node) loop() {
	waiters := map[uint64]chan<- owner.Reply{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-timer.C:
			n.step(owner.Tick{}, time.Since(n.started), waiters)
		case m := <-n.inbox:
			// What has come together has one time, so that its operations share a batch.
			mono := time.Since(n.started)
			n.handle(m, mono, waiters)
			for range min(len(n.inbox), burstMax) {
				n.handle(<-n.inbox, mono, waiters)
			}
			n.step(owner.Tick{}, time.Since(n.started), waiters)
		}
		oldest := n.core.OldestWait()
		n.metrics.oldest.Set(oldest.Seconds())
		n.oldest.Store(int64(oldest))
		timer.Reset(n.core.NextWake() - time.Since(n.started))
	}
}

func (n *Node) handle(m message, mono time.Duration, waiters map[uint64]chan<- owner.Reply) {
	if m.ask != nil {
		m.ask(n.core)
		return
	}
	if r, ok := m.in.(owner.Request); ok {
		waiters[r.ID] = m.reply
	}
	n.step(m.in, mono, waiters)
}

func (n *Node) step(in owner.Input, mono time.Duration, waiters map[uint64]chan<- owner.Reply) {
	for _, effect := range n.core.Step(owner.Now{Mono: mono, Wall: n.clock.At(mono).UnixMilli()}, in) {
		if r, ok := effect.(owner.Reply); ok {
			waiters[r.ID] <- r // has room for one
			delete(waiters, r.ID)
			continue
		}
		n.execute(effect)
	}
	n.metrics.waiting.Set(float64(len(waiters)))
	n.promise.Store(int64(n.core.PromiseUntil()))
}

// execute starts what an effect asks for; it does not wait.
func (n *Node) execute(effect owner.Effect) {
	switch e := effect.(type) {
	case owner.SendFlush:
		n.lanes[e.Lane] <- e // one at a time, and there is room for four
	case owner.OpenSession, owner.Renew, owner.EndSession:
		select {
		case n.sessions <- effect:
		default:
			n.log.Error("the session's queue is full: the ledger does not answer")
		}
	case owner.ClaimParts:
		n.later(func() { n.claim(e) })
	case owner.Load:
		n.later(func() { n.load(e) })
	case owner.LoadSegments:
		n.later(func() { n.loadSegments(e) })
	case owner.Release:
		n.later(func() { n.release(e) })
	case owner.Serving:
		n.serving(e)
	case owner.Nudge:
		n.tasks.Go(func() { n.nudge(e) })
	case owner.FollowLegs:
		n.tasks.Go(func() { n.followLegs(e) })
	case owner.Changed:
		n.changes.add(e.Segments)
	case owner.Alarm:
		n.alarm(e)
	case owner.Stopped:
		close(n.stopped)
	default:
		n.log.Error("unknown effect", "effect", effect)
	}
}

// later runs work on the ledger with a permit.
func (n *Node) later(work func()) {
	n.tasks.Go(func() {
		select {
		case n.claims <- struct{}{}:
			defer func() { <-n.claims }()
			work()
		case <-n.ctx.Done():
		}
	})
}

// serving notes which partitions are served here, for everybody who asks without the loop.
func (n *Node) serving(e owner.Serving) {
	for _, pe := range e.Parts {
		if e.On {
			n.local[pe.Part].Store(pe.Epoch)
		} else {
			n.local[pe.Part].CompareAndSwap(pe.Epoch, 0)
		}
	}
	n.metrics.served.Add(float64(sign(e.On) * len(e.Parts)))
	if n.tenant != nil {
		if e.On {
			n.tenant.Begin(e.Session, e.Parts)
		} else {
			n.tenant.End(e.Parts)
		}
	}
	if e.On {
		n.table.own(n.self, e.Parts)
		n.announce.add(e.Parts)
	}
}

func sign(on bool) int {
	if on {
		return 1
	}
	return -1
}

// Local is whether this node serves the partition now.
func (n *Node) Local(part stock.PartitionID) bool {
	return part < stock.Partitions && n.local[part].Load() != 0
}
