package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// World is one run: some nodes, a ledger, a payment provider and clients under one clock and one source of chance. One goroutine drives it, so
// that the same seed is the same run.
type World struct {
	seed   uint64
	rng    *rand.Rand
	now    time.Duration // true time since the start
	events schedule
	order  int

	plan     plan
	wrong    Mutant
	ledger   *Ledger
	database database
	provider *provider
	procs    []*process
	clients  []*client
	catalog  []owner.SegmentRef
	calm     bool                              // the faults have ended
	areas    map[segmentKey][]owner.SegmentRef // of each segment of an area with several: all of them
	counts   map[segmentKey]stock.Counts       // of segments of areas, as owners have told them: hints, and late
	ids      uint64                            // of grants
	wides    map[uuid.UUID]owner.Wide          // what clients want over several segments, by hold

	check *checker
	some  Counts
	hash  uint64
	trace *[]string
	fails []string
}

// wallStart is the true time at the start, Unix ms.
const wallStart = int64(1_800_000_000_000)

type event struct {
	at    time.Duration
	order int
	do    func()
}

// schedule is a heap of events, the earliest first; of two at once the one that was made first.
type schedule []event

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

func (s *schedule) push(e event) {
	*s = append(*s, e)
	h := *s
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (s *schedule) pop() event {
	h := *s
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h[last] = event{}
	h = h[:last]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < last && h[down].before(h[least]) {
				least = down
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	*s = h
	return first
}

// after does something later.
func (w *World) after(d time.Duration, do func()) {
	w.order++
	w.events.push(event{w.now + max(d, 0), w.order, do})
}

// run lets time pass.
func (w *World) run(until time.Duration) {
	for len(w.events) > 0 && w.events[0].at <= until && len(w.fails) == 0 {
		e := w.events.pop()
		w.now = e.at
		w.mix(uint64(e.at), uint64(e.order))
		e.do()
	}
	w.now = max(w.now, until)
}

// mix goes on with the hash of the run.
func (w *World) mix(values ...uint64) {
	for _, v := range values {
		w.hash = (w.hash ^ v) * 0x9E3779B97F4A7C15
		w.hash ^= w.hash >> 29
	}
}

// tracing is whether anybody reads the trace; callers ask before they make its words.
func (w *World) tracing() bool { return w.trace != nil }

// say writes one line of the trace: time, who, what happened, with which effect.
func (w *World) say(who, format string, args ...any) {
	if w.trace != nil {
		*w.trace = append(*w.trace, fmt.Sprintf("%10.3f ms  %-8s %s", float64(w.now.Microseconds())/1000, who, fmt.Sprintf(format, args...)))
	}
}

// fail notes a violation; the run ends.
func (w *World) fail(format string, args ...any) {
	w.fails = append(w.fails, fmt.Sprintf(format, args...))
	w.say("VIOLATED", "%s", w.fails[len(w.fails)-1])
}

// chance is true once in n times.
func (w *World) chance(n int) bool { return w.rng.IntN(n) == 0 }

// between is a random time.
func (w *World) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

// hop is how long a message takes.
func (w *World) hop() time.Duration {
	if w.plan.slowNet && !w.calm && w.chance(12) {
		w.some[SawSlowMessage]++
		return w.between(20*time.Millisecond, 280*time.Millisecond)
	}
	return w.between(100*time.Microsecond, 1500*time.Microsecond)
}

// database is the server that the ledger lives on.
type database struct {
	down  bool
	slow  bool // commits take long
	lose  int  // one in so many answers is lost after the commit, and one in as many requests before it; 0: none
	jump  time.Duration
	crash int // how often it was restarted: connections and transactions of before are gone
}

// clock is the database's own time, Unix µs.
func (w *World) clock() int64 {
	return wallStart*1000 + (w.now + w.database.jump).Microseconds()
}

// commitTime is how long a transaction takes in the database.
func (w *World) commitTime() time.Duration {
	if w.database.slow && w.chance(3) {
		w.some[SawSlowCommit]++
		return w.between(20*time.Millisecond, 280*time.Millisecond)
	}
	if w.plan.eager && w.chance(4) { // so that a pin and a decision overlap
		return w.between(2*time.Millisecond, 30*time.Millisecond)
	}
	return w.between(50*time.Microsecond, 800*time.Microsecond)
}

// newWorld makes the world of a seed. Nothing has happened in it yet.
func newWorld(seed uint64, wrong Mutant, trace *[]string) *World {
	w := &World{seed: seed, wides: map[uuid.UUID]owner.Wide{}, counts: map[segmentKey]stock.Counts{}, areas: map[segmentKey][]owner.SegmentRef{}, rng: rand.New(rand.NewPCG(seed, 0x7469636b6574)), wrong: wrong, trace: trace}
	w.plan = newPlan(w.rng, seed)
	w.ledger = NewLedger(w.clock)
	w.ledger.wrong = wrong
	w.ledger.OrphanGrace, w.ledger.LateLooks, w.ledger.LateAccepts = orphanGrace, simLateLooks, simLateLooks
	w.ledger.Moved = func(o *Order, from order.State, event string) {
		w.mix(uint64(o.State), uint64(o.ID[2]), uint64(o.Attempt))
		if w.tracing() {
			w.say("ledger", "order %.8v: %s, %v → %v, attempt %d", o.ID, event, from, o.State, o.Attempt)
		}
	}
	w.check = newChecker(w)
	w.provider = &provider{w: w, payments: map[string]*charge{}}
	w.putOnSale(1)
	for i := range w.plan.nodes {
		w.boot(fmt.Sprintf("n%d", i+1))
	}
	w.gossip()
	for i := range w.plan.clients {
		w.clients = append(w.clients, newClient(w, i))
	}
	return w
}

// putOnSale adds an event's segments to the ledger and to the catalog. The last of them may be an area, and further ones shares of it.
func (w *World) putOnSale(ev stock.EventID) {
	for no := stock.SegmentNo(1); int(no) <= w.plan.segments; no++ {
		if w.plan.area && int(no) == w.plan.segments {
			for i, n := range stock.SplitArea(w.plan.places, (w.plan.places-1)/w.plan.shares+1) {
				w.addSegment(ev, no+stock.SegmentNo(i), no, true, n)
			}
			continue
		}
		w.addSegment(ev, no, no, false, hallOf(no).Capacity())
	}
}

func (w *World) addSegment(ev stock.EventID, no, home stock.SegmentNo, area bool, places int32) {
	ref := owner.SegmentRef{Event: ev, Segment: no, Part: stock.PartitionOf(ev, no)}
	w.ledger.AddSegment(ref, home, area, places)
	w.catalog = append(w.catalog, ref)
	w.check.stocked(ref)
	if home != no {
		all := w.refs(ev, home)
		if all == nil {
			all = []owner.SegmentRef{{Event: ev, Segment: home, Part: stock.PartitionOf(ev, home)}}
		}
		all = append(slices.Clone(all), ref)
		for _, r := range all {
			w.areas[segmentKey{ev, r.Segment}] = all
		}
	}
}

// refs are the segments of an area with several, the home first; nothing for any other segment.
func (w *World) refs(ev stock.EventID, no stock.SegmentNo) []owner.SegmentRef {
	return w.areas[segmentKey{ev, no}]
}

// alive are the processes that run, paused ones as well.
func (w *World) alive() []*process {
	var all []*process
	for _, p := range w.procs {
		if !p.dead {
			all = append(all, p)
		}
	}
	return all
}

// processOf is the process of a node whose address the gossip knows: the last that was started, of those that run.
func (w *World) processOf(id string) (last *process) {
	for _, p := range w.procs {
		if p.id == id && (last == nil || !p.dead || last.dead) {
			last = p
		}
	}
	return last
}

// anybody is a process that clients may find; nil when there is none.
func (w *World) anybody() *process {
	all := w.alive()
	if len(all) == 0 {
		return nil
	}
	return all[w.rng.IntN(len(all))]
}

// gossip tells everybody, each after a while of its own, who is alive.
func (w *World) gossip() {
	for _, p := range w.alive() {
		w.after(w.between(5*time.Millisecond, 350*time.Millisecond), func() { p.learn(w.members(p)) })
	}
}

// members are the nodes that a process can hear.
func (w *World) members(p *process) []string {
	var ids []string
	for _, q := range w.alive() {
		if q == p || !q.paused && !q.leaving && !q.peerCut && !p.peerCut {
			ids = append(ids, q.id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// halls are the layouts of segments: rows of blocks, with some accessible places. They are shared and never change.
var halls = makeHalls()

func makeHalls() (all []*stock.Layout) {
	for _, rows := range []int{2, 3} {
		var specs []stock.SeatSpec
		for row := range rows {
			for i := range 4 {
				s := stock.SeatSpec{Row: int32(row), Block: int32(row), X: float32(i), Y: float32(row), Distance: float32(10*row + i)}
				s.Category = uint8(row % 2)
				specs = append(specs, s)
			}
		}
		layout, err := stock.NewLayout(specs)
		if err != nil {
			panic(err) // the two are fixed
		}
		all = append(all, layout)
	}
	return all
}

func hallOf(no stock.SegmentNo) *stock.Layout { return halls[int(no)%len(halls)] }
