package owner

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// brittle is an engine with a bug: it panics once, in the method that bug names. Once, because what is loaded after it is a new engine.
type brittle struct {
	Engine
	bug string
	hit int
}

func (b *brittle) at(method string) {
	if b.bug == method {
		b.hit++
		panic("a bug in " + method)
	}
}

func (b *brittle) Apply(cmd stock.Command, now int64) stock.Effect {
	if cmd.Ask.Quantity == 3 || cmd.Kind == stock.KindExpire {
		b.at("apply")
	}
	return b.Engine.Apply(cmd, now)
}

func (b *brittle) Settle(op *stock.Op, outcome stock.Outcome, now int64) stock.Answer {
	b.at("settle")
	return b.Engine.Settle(op, outcome, now)
}

func (b *brittle) Due(now int64, limit int) []uuid.UUID {
	b.at("due")
	return b.Engine.Due(now, limit)
}

func (b *brittle) Hold(id uuid.UUID) (stock.HoldView, bool) {
	b.at("hold")
	return b.Engine.Hold(id)
}

func (b *brittle) Counts() stock.Counts {
	b.at("counts")
	return b.Engine.Counts()
}

func (b *brittle) States(to []stock.State) []stock.State {
	b.at("states")
	return b.Engine.States(to)
}

func (b *brittle) Pins(olderThan int64) []stock.Pin {
	b.at("pins")
	return b.Engine.Pins(olderThan)
}

func (b *brittle) Lives(now int64) []stock.Life {
	b.at("lives")
	return b.Engine.Lives(now)
}

// TestPanicCostsOnePartition: wherever an engine panics, its partition is loaded anew and sells again, the others keep their tenures, and each
// request that was under way gets one answer.
func TestPanicCostsOnePartition(t *testing.T) {
	t.Parallel()
	for _, bug := range []string{"apply", "settle", "due", "hold", "counts", "states", "pins"} {
		t.Run(bug, func(t *testing.T) {
			t.Parallel()
			w := started(t, 1)
			n, c, sick := w.nodes[0], w.nodes[0].core, stock.PartitionOf(1, 1)
			var tenures [stock.Partitions]*tenure
			for p := range c.parts {
				tenures[p] = c.parts[p].tenure
			}
			epoch := n.on[sick]
			engine := &brittle{Engine: tenures[sick].segments[0].engine, bug: bug}
			tenures[sick].segments[0].engine = engine
			first := w.newHold(1, 1)
			w.ask(n, first)
			for s := range stock.SegmentNo(6) { // in flight, pending and in line while it breaks
				w.ask(n, w.newHold(s+1, 1))
			}
			w.ask(n, w.change(stock.KindExtend, first))
			w.ask(n, w.newHold(1, 3))
			w.provoke(n, first, bug)
			w.run(w.now + 1200*time.Millisecond)
			if engine.hit == 0 {
				t.Fatal("the engine did not break")
			}
			for p := range c.parts {
				if part := stock.PartitionID(p); part != sick && c.parts[p].tenure != tenures[p] {
					t.Errorf("partition %d was loaded anew too", part)
				}
			}
			if n.on[sick] <= epoch {
				t.Errorf("partition %d is served under epoch %d, as before", sick, n.on[sick])
			}
			if len(w.problems) == 0 || slices.ContainsFunc(w.problems, func(text string) bool { return text != alarmOf(sick, bug) }) {
				t.Errorf("alarms: %v", w.problems)
			}
			w.problems = nil
			again := w.newHold(1, 2)
			w.ask(n, again)
			w.run(w.now + 500*time.Millisecond)
			if _, _, ok := c.Hold(again.Hold); !ok {
				t.Error("the partition does not sell again")
			}
			check(t, w.settled())
		})
	}
}

func alarmOf(part stock.PartitionID, bug string) string {
	return "alarm panic on " + strconv.Itoa(int(part)) + ": a bug in " + bug
}

// provoke makes the node reach the methods that it does not reach by itself within a moment.
func (w *world) provoke(n *simNode, hold stock.Command, bug string) {
	switch bug {
	case "hold":
		cmd := w.change(stock.KindExtend, hold) // names only its hold: the owner looks for the segment
		cmd.Event, cmd.Segment = 0, 0
		w.lastID++
		w.requests[w.lastID] = &simRequest{cmd: cmd, node: n}
		w.give(n, Request{ID: w.lastID, Part: stock.PartitionOf(1, 1), Command: cmd})
	case "pins":
		n.core.StalePins(wallStart+w.now.Milliseconds(), 10)
	case "counts":
		n.core.Segment(1, 1)
	}
}

// TestPanicOutsideOfAStepIsToldByTheNext: who asks the core a question must not swallow what the panic of an engine leads to.
func TestPanicOutsideOfAStepIsToldByTheNext(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	c, sick := w.nodes[0].core, stock.PartitionOf(1, 1)
	s := c.parts[sick].tenure.segments[0]
	s.engine = &brittle{Engine: s.engine, bug: "counts"}
	if _, ok := c.Segment(1, 1); ok {
		t.Error("the state of a broken segment is told")
	}
	effects := c.Step(Now{w.now, wallStart + w.now.Milliseconds()}, Tick{})
	var alarm, off bool
	for _, e := range effects {
		switch e := e.(type) {
		case Alarm:
			alarm = e.Part == sick && e.Kind == "panic"
		case Serving:
			off = off || !e.On && e.Parts[0].Part == sick
		}
	}
	if !alarm || !off {
		t.Errorf("alarm %v, no longer served %v: %v", alarm, off, effects)
	}
}

// TestPanicInAHandOff: a partition whose holds cannot be counted is not handed off in order, and still comes to the next owner at once.
func TestPanicInAHandOff(t *testing.T) {
	t.Parallel()
	w := started(t, 2)
	n, sick := w.owner(1), stock.PartitionOf(1, 1)
	s := n.core.parts[sick].tenure.segments[0]
	engine := &brittle{Engine: s.engine, bug: "lives"}
	s.engine = engine
	hold := w.newHold(1, 2)
	w.ask(n, hold)
	w.run(w.now + 100*time.Millisecond)
	for _, m := range w.nodes {
		if m != n {
			w.give(m, View{[]string{m.id}}) // the goodbye comes first
		}
	}
	w.give(n, Drain{})
	w.run(w.now + time.Second)
	if engine.hit != 1 || !n.done {
		t.Errorf("the engine broke %d times, handed off: %v", engine.hit, n.done)
	}
	if other := w.owner(1); other == n || other.on[sick] == 0 {
		t.Errorf("partition %d has no owner", sick)
	} else if _, _, ok := other.core.Hold(hold.Hold); !ok {
		t.Error("the hold is lost")
	}
	if !slices.Equal(w.problems, []string{alarmOf(sick, "lives")}) {
		t.Errorf("alarms: %v", w.problems)
	}
	w.problems = nil
	w.nodes = slices.DeleteFunc(w.nodes, func(m *simNode) bool { return m.done })
	check(t, w.verdict())
}
