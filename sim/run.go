package sim

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Result is what became of one seed.
type Result struct {
	Seed   uint64
	Hash   uint64 // of the whole course: the same seed has the same
	Fails  []string
	Counts Counts
	Trace  []string // with Trace of Options
	Passed time.Duration
}

// calmMax is how long after the faults everything may take to reach an end. A hold lives for up to 3 s, a node whose clock was ahead may have
// given it 2 more, and one that was re-armed has a session's time on top.
const calmMax = 14 * time.Second

// ownedWithin is how long after the faults a partition may be without an owner (L1).
const ownedWithin = sessionTTL + 500*time.Millisecond

// startedWithin is the same after the start of a process: who is first to be told of it gives up wanting what it has not claimed yet.
const startedWithin = 500 * time.Millisecond

// Run runs one seed. With trace the course is written down, which takes longer and changes nothing.
func Run(seed uint64, wrong Mutant, trace bool) Result {
	var lines []string
	var to *[]string
	if trace {
		to = &lines
	}
	w := newWorld(seed, wrong, to)
	w.course()
	return Result{Seed: seed, Hash: w.hash, Fails: w.fails, Counts: w.some, Trace: lines, Passed: w.now}
}

// course is a run: a start, faults, calm, and the end.
func (w *World) course() {
	w.after(300*time.Millisecond, w.disturb)
	if w.plan.second {
		w.after(w.between(500*time.Millisecond, w.plan.chaos), w.addEvent)
	}
	if w.plan.cancelled {
		w.after(w.between(w.plan.chaos/2, w.plan.chaos), w.cancelEvent)
	}
	w.run(w.plan.chaos)
	if len(w.fails) > 0 {
		return
	}
	w.heal()
	healed := w.now
	owned := healed + ownedWithin + w.overlong()
	w.check.served = map[stock.PartitionID]bool{}
	for w.now < max(owned, w.lastEnd()+startedWithin, w.lastStart()+startedWithin) && len(w.fails) == 0 {
		w.run(w.now + 20*time.Millisecond)
		w.check.owners()
	}
	if parts := w.check.unserved(); len(parts) > 0 && len(w.fails) == 0 {
		w.fail("L1: %v after the last fault partitions %v have had no owner", w.now-healed, parts)
	}
	w.probe()
	for len(w.fails) == 0 {
		w.run(w.now + 200*time.Millisecond)
		why := w.check.quiet()
		if why == "" {
			w.check.settled()
			return
		}
		if w.now > healed+calmMax {
			w.fail("L1: %v after the last fault not everything has reached an end: %s", calmMax, why)
		}
	}
}

// probe asks each segment for something that needs a commit. Where another process of the node took a partition away, and ended, this is how its
// owner finds out.
func (w *World) probe() {
	c := &client{w: w, no: len(w.clients), stubborn: true}
	w.clients = append(w.clients, c)
	for _, ref := range w.catalog {
		cmd := stock.Command{Kind: stock.KindRelease, Event: ref.Event, Segment: ref.Segment, Request: c.request()}
		cmd.Hold = stock.NewCoordinatedID(ref.Part, cmd.Request.Scope, cmd.Request.Key, "hold")
		c.send(cmd, func(t told, _ time.Duration) {
			if t.problem != owner.ProblemNone || t.Code != stock.CodeNoHold && t.Code != stock.CodeReplay {
				w.fail("L1: a request to segment %d is answered with problem %d code %d although all is well", ref.Segment, t.problem, t.Code)
			}
		})
	}
}

// overlong is how much longer than its time a session lives that was renewed while the database's clock was ahead.
func (w *World) overlong() (extra time.Duration) {
	for _, s := range w.ledger.sessions {
		if !s.dead {
			extra = max(extra, time.Duration(s.expires-w.clock())*time.Microsecond-sessionTTL)
		}
	}
	return extra
}

// lastEnd is when the last session ends of those whose process is gone: its renewal may have been on its way when it went.
func (w *World) lastEnd() (end time.Duration) {
	for _, p := range w.procs {
		if s := w.ledger.sessions[p.session]; p.dead && s != nil && !s.dead {
			end = max(end, w.now+time.Duration(s.expires-w.clock())*time.Microsecond)
		}
	}
	return end
}

// lastStart is when the process that is newest was started: those that were killed come back in a time of their own.
func (w *World) lastStart() time.Duration { return w.procs[len(w.procs)-1].boot }

// addEvent puts another event on sale; the nodes hear of it each in their time.
func (w *World) addEvent() {
	w.say("catalog", "a second event is on sale")
	w.putOnSale(2)
	for _, p := range w.alive() {
		w.after(w.between(0, 300*time.Millisecond), func() { p.give(owner.Segments{All: w.catalog}) })
	}
}

// Total is what became of many seeds.
type Total struct {
	Seeds    int
	Distinct int // courses
	Passed   time.Duration
	Counts   Counts
	Failed   []Result // the first ones, by seed
}

// RunMany runs seeds from first on, on all processors, each in one goroutine. It ends early after stopAfter failures; 0: never. After each
// seed progress hears how many are done, and of that one; nil: nobody does.
func RunMany(first uint64, n int, wrong Mutant, stopAfter int, progress func(done int, last *Result)) Total {
	var next, failed atomic.Int64
	var mu sync.Mutex
	total := Total{}
	courses := map[uint64]struct{}{}
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(n) || stopAfter > 0 && failed.Load() >= int64(stopAfter) {
					return
				}
				r := Run(first+uint64(i), wrong, false)
				mu.Lock()
				total.Seeds++
				total.Passed += r.Passed
				total.Counts.add(&r.Counts)
				courses[r.Hash] = struct{}{}
				if len(r.Fails) > 0 {
					failed.Add(1)
					total.Failed = append(total.Failed, r)
				}
				if progress != nil {
					progress(total.Seeds, &r)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	total.Distinct = len(courses)
	return total
}

// FirstViolation runs up to n seeds until one fails, and says how many it took and what was violated; nothing when none failed.
func FirstViolation(n int, wrong Mutant) (seeds int, why string) {
	total := RunMany(0, n, wrong, 1, nil)
	if len(total.Failed) > 0 {
		why = total.Failed[0].Fails[0]
	}
	return total.Seeds, why
}
