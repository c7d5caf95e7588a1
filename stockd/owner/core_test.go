package owner

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ticketrush/stockd/stock"
)

func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, problems []string) {
	t.Helper()
	if len(problems) > 0 {
		t.Fatalf("%d problems, the first: %v", len(problems), problems[:min(len(problems), 5)])
	}
}

// started is a world whose nodes have settled.
func started(t *testing.T, nodes int) *world {
	t.Helper()
	w := newWorld(1, nodes)
	w.views()
	for _, n := range w.nodes {
		w.give(n, Segments{w.ledger.segments})
	}
	w.run(3 * time.Second)
	check(t, w.settled())
	return w
}

func (w *world) owner(segment stock.SegmentNo) *simNode {
	for _, n := range w.nodes {
		if n.on[stock.PartitionOf(1, segment)] > 0 && !n.dead {
			return n
		}
	}
	return w.nodes[0]
}

func TestThreeNodesShareThePartitions(t *testing.T) {
	t.Parallel()
	w := started(t, 3)
	for _, n := range w.nodes {
		if s := n.core.Status(); !s.Balanced() || s.Serving < 1200 || s.Serving > 1503 {
			t.Errorf("%s: %+v", n.id, s)
		}
	}
}

func TestAnswerOnlyAfterTheFlush(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	w.slow = 50 * time.Millisecond
	w.ask(w.nodes[0], w.newHold(1, 2))
	for w.codes[stock.CodeOK] == 0 {
		w.run(w.now + time.Millisecond) // reply checks that the ledger has it
		if w.now > 6*time.Second {
			t.Fatal("no answer")
		}
	}
	check(t, w.settled())
}

func TestCommandsOfOneHoldWaitInLine(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	hold := w.newHold(1, 2)
	w.ask(w.nodes[0], hold)
	w.ask(w.nodes[0], w.change(stock.KindExtend, hold))
	w.ask(w.nodes[0], hold) // a retry of the first
	w.ask(w.nodes[0], w.change(stock.KindRelease, hold))
	w.ask(w.nodes[0], w.change(stock.KindExtend, hold))
	w.run(w.now + time.Second)
	if w.codes[stock.CodeOK] != 3 || w.codes[stock.CodeReplay] != 1 || w.codes[stock.CodeNoHold] != 1 {
		t.Errorf("answers by code: %v, problems %v", w.codes, w.replies)
	}
	check(t, w.settled())
}

func TestUnknownIsResentUntilKnown(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	w.loseFlush = 0.8
	for range 30 {
		w.ask(w.nodes[0], w.newHold(1+stock.SegmentNo(w.order%6), 1))
		w.run(w.now + 20*time.Millisecond)
	}
	w.loseFlush = 0
	w.run(w.now + 5*time.Second)
	if w.resent == 0 {
		t.Error("nothing was resent")
	}
	check(t, w.settled())
}

func TestFencedAnswersNothing(t *testing.T) {
	t.Parallel()
	w := started(t, 2)
	n := w.owner(1)
	part := stock.PartitionOf(1, 1)
	// Somebody else takes the row while a batch is on its way.
	w.ask(n, w.newHold(1, 2))
	row := &w.ledger.parts[part]
	row.session = w.ledger.open("thief", 700*time.Millisecond)
	row.epoch++
	w.run(w.now + 400*time.Millisecond)
	if w.fencedSeen == 0 || w.codes[stock.CodeOK] != 0 {
		t.Fatalf("fenced %d, answers %v", w.fencedSeen, w.codes)
	}
	w.run(w.now + 4*time.Second) // the thief's session ends, the request has waited for it
	if w.codes[stock.CodeOK] != 1 {
		t.Errorf("answers %v, problems %v", w.codes, w.replies)
	}
	check(t, w.settled())
}

func TestLedgerAwayThenBack(t *testing.T) {
	t.Parallel()
	w := started(t, 2)
	w.ledgerDown = true
	for range 20 {
		w.ask(w.owner(1), w.newHold(1, 1))
		w.run(w.now + 250*time.Millisecond)
	}
	if w.codes[stock.CodeOK] != 0 || w.replies[ProblemLedgerAway] == 0 {
		t.Fatalf("while away: answers %v, problems %v", w.codes, w.replies)
	}
	w.ledgerDown = false
	w.run(w.now + 2*time.Second)
	w.ask(w.owner(1), w.newHold(1, 1))
	w.run(w.now + time.Second)
	if w.codes[stock.CodeOK] == 0 {
		t.Errorf("after: answers %v, problems %v", w.codes, w.replies)
	}
	check(t, w.settled())
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	w.ledgerDown = true
	w.run(w.now + 4*time.Second)
	for range 300 {
		w.ask(w.nodes[0], w.newHold(1, 1))
	}
	if n := w.replies[ProblemLedgerAway]; n != 300-256 {
		t.Errorf("%d requests were refused at once, want %d", n, 300-256)
	}
	w.ledgerDown = false
	w.run(w.now + 5*time.Second)
	check(t, w.settled())
}

func TestHandOffKeepsHoldsAndTheirLives(t *testing.T) {
	t.Parallel()
	w := started(t, 2)
	n := w.owner(1)
	hold := w.newHold(1, 2)
	hold.TTL, hold.MaxTTL = 60_000, 60_000
	w.ask(n, hold)
	w.run(w.now + time.Second)
	w.give(n, Drain{})
	w.run(w.now + 500*time.Millisecond)
	if !n.done {
		t.Fatalf("not stopped: %+v", n.core.Status())
	}
	w.views()
	w.run(w.now + time.Second)
	if h := w.ledger.holds[hold.Hold]; h.remaining < 58_000 || h.remaining > 60_000 {
		t.Errorf("the hold was handed over with %d ms", h.remaining)
	}
	other := w.owner(1)
	if _, stale, ok := other.core.Hold(hold.Hold); other == n || !ok || stale {
		t.Errorf("the hold is not at its new owner: %v %v", ok, stale)
	}
	check(t, w.settled())
}

// Somebody waits for the partitions that have stock, and nobody for the thousands that have none.
func TestHandOffReleasesStockFirst(t *testing.T) {
	t.Parallel()
	w := started(t, 2)
	n := w.owner(1)
	stocked := 0
	for _, ref := range w.ledger.segments {
		if n.on[ref.Part] > 0 {
			stocked++
		}
	}
	now := Now{w.now, wallStart + w.now.Milliseconds()}
	var releases []Release
	step := func(in Input) {
		for _, e := range n.core.Step(now, in) {
			if r, ok := e.(Release); ok {
				releases = append(releases, r)
			}
		}
	}
	step(Drain{})
	step(Tick{})
	if len(releases) != 1 {
		t.Fatalf("%d releases before those with stock are done", len(releases))
	}
	var done Released
	for _, p := range releases[0].Parts {
		done.Parts = append(done.Parts, PartEpoch{p.Part, p.Epoch})
	}
	step(done)
	if len(releases) < 2 {
		t.Fatal("the others are not released")
	}
	for _, p := range releases[0].Parts {
		if !slices.ContainsFunc(w.ledger.segments, func(ref SegmentRef) bool { return ref.Part == p.Part }) {
			t.Errorf("partition %d has no stock and is in the first of %d releases", p.Part, len(releases))
		}
	}
	if len(releases[0].Parts) != stocked || stocked == 0 {
		t.Errorf("the first release has %d partitions, %d have stock", len(releases[0].Parts), stocked)
	}
}

func TestCrashIsTakenOverWithinTheSession(t *testing.T) {
	t.Parallel()
	w := started(t, 3)
	n := w.owner(1)
	hold := w.newHold(1, 3)
	hold.TTL, hold.MaxTTL = 60_000, 60_000
	w.ask(n, hold)
	w.run(w.now + time.Second)
	n.dead = true
	w.views()
	w.run(w.now + 3500*time.Millisecond)
	if _, _, ok := w.owner(1).core.Hold(hold.Hold); !ok {
		t.Error("the hold did not survive")
	}
	check(t, w.settled())
}

func TestRestartTakesItsOwnBackAtOnce(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	w.nodes[0].dead = true
	again := w.boot("n0")
	w.views()
	w.run(w.now + 200*time.Millisecond)
	if s := again.core.Status(); s.Serving != stock.Partitions {
		t.Errorf("%d partitions after 200 ms", s.Serving)
	}
	check(t, w.settled())
}

func TestRefusedBatchIsTriedAloneAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	n := w.nodes[0]
	poison := w.newHold(1, 1)
	w.refuses = func(b *Batch) bool {
		return slices.ContainsFunc(b.Works, func(work Work) bool {
			return slices.ContainsFunc(work.Ops, func(op *stock.Op) bool { return op.Hold == poison.Hold })
		})
	}
	w.ask(n, w.newHold(1, 1))
	w.ask(n, poison)
	w.ask(n, w.newHold(1, 2))
	w.run(w.now + 1400*time.Millisecond)
	if w.codes[stock.CodeOK] != 2 || w.replies[ProblemFailed] != 1 {
		t.Errorf("answers %v, problems %v, %v", w.codes, w.replies, w.problems)
	}
	if len(w.problems) != 2 {
		t.Errorf("alarms: %v", w.problems)
	}
	w.problems = nil
	check(t, w.settled())
}

func TestNewSegmentsAreLoadedIntoOwnedPartitions(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	ref := SegmentRef{Event: 2, Segment: 9, Part: stock.PartitionOf(2, 9)}
	w.ledger.segments = append(w.ledger.segments, ref)
	w.give(w.nodes[0], Segments{w.ledger.segments})
	w.run(w.now + time.Second)
	if _, ok := w.nodes[0].core.Segment(2, 9); !ok {
		t.Error("the new segment is not served")
	}
}

// TestAnyFaults runs three nodes under random faults, heals them, and looks whether every promise was kept.
func TestAnyFaults(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"), 3)
		w.views()
		for _, n := range w.nodes {
			w.give(n, Segments{w.ledger.segments})
		}
		w.run(500 * time.Millisecond)
		var holds []stock.Command
		for range rapid.IntRange(20, 200).Draw(t, "steps") {
			w.disturb()
			holds = w.load(holds)
			w.run(w.now + time.Duration(w.rng.IntN(60))*time.Millisecond)
			check(t, w.verdict())
		}
		w.heal()
		w.run(w.now + 12*time.Second)
		check(t, w.settled())
	})
}

// disturb begins or ends a fault now and then.
func (w *world) disturb() {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	switch w.rng.IntN(40) {
	case 0:
		w.ledgerDown = !w.ledgerDown
	case 1, 2:
		w.loseFlush = w.rng.Float64()
	case 3:
		w.loseFlush = 0
	case 4:
		n.paused = true
	case 5, 6:
		if n.paused {
			w.resume(n)
		}
	case 7: // a false view
		w.give(n, View{[]string{n.id}})
	case 8:
		w.views()
	case 9:
		w.reboot(n)
	case 10:
		w.give(n, Drain{})
	case 11:
		if n.done {
			w.reboot(n)
		}
	case 12:
		w.slow = time.Duration(1+w.rng.IntN(200)) * time.Millisecond
	case 13:
		w.slow = 2 * time.Millisecond
	case 14: // the clock of the ledger's sessions runs out early
		for id := int64(1); id <= w.ledger.last; id++ {
			if w.rng.IntN(2) == 0 {
				w.ledger.sessions[id].expires = min(w.ledger.sessions[id].expires, w.now)
			}
		}
	}
}

// reboot kills a node, when it is there, and starts it again under its id.
func (w *world) reboot(n *simNode) {
	if !n.dead {
		n.dead = true
		w.boot(n.id)
		w.views()
	}
}

// load asks for something at any node; the wrong ones have to say so.
func (w *world) load(holds []stock.Command) []stock.Command {
	for range w.rng.IntN(6) {
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		if len(holds) > 0 && w.rng.IntN(2) == 0 {
			old := holds[w.rng.IntN(len(holds))]
			n = w.owner(old.Segment)
			switch w.rng.IntN(4) {
			case 0:
				w.alive(n, old)
			case 1:
				w.alive(n, w.change(stock.KindExtend, old))
			default:
				w.alive(n, w.change(stock.KindRelease, old))
			}
			continue
		}
		cmd := w.newHold(1+stock.SegmentNo(w.rng.IntN(6)), 1+w.rng.Int32N(4))
		holds = append(holds, cmd)
		w.alive(n, cmd)
		w.alive(w.owner(cmd.Segment), cmd)
	}
	return holds
}

// alive asks a node that can answer.
func (w *world) alive(n *simNode, cmd stock.Command) {
	if !n.dead && !n.done {
		w.ask(n, cmd)
	}
}

func (w *world) heal() {
	w.ledgerDown, w.loseFlush, w.slow = false, 0, 2*time.Millisecond
	alive := 0
	for _, n := range w.nodes {
		if n.paused {
			w.resume(n)
		}
		if !n.dead && !n.done && !n.core.closing {
			alive++
		}
	}
	if alive == 0 {
		w.boot("fresh")
	}
	w.run(w.now + time.Second)
	w.views()
	for _, n := range w.nodes {
		w.give(n, Segments{w.ledger.segments})
	}
}
