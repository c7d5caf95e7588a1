package room

import (
	"errors"
	"math"
	"time"
)

// Why an edge does not do what is asked.
var (
	ErrAway    = errors.New("the room's owner does not answer; nobody is let in until it does")
	ErrClosed  = errors.New("the room gives no places now")
	ErrFlooded = errors.New("too many places wait to be confirmed by the room's owner")
	ErrUnsure  = errors.New("the pass is older than what this edge knows of passes that ended before their time")
)

const (
	// clockBound is the worst error of an edge's idea of the owner's time with which it still lets people in. Slots stay taken for so long
	// beyond the end of a pass.
	clockBound = 500
	// clockDrift is how wrong a clock grows in a second, at worst: 200 ppm.
	clockDrift = 0.0002
	// BoundWarning is the error of an edge's clock, in milliseconds, that ops should look at: the order of arrival is exact to it.
	BoundWarning = 50
)

// Edge is what one edge of a room knows and decides alone: it stamps arrivals in the owner's time, counts the places that it gave, and says
// whether a pass is good. Everything else is asked of the owner. It keeps nothing per waiting visitor but a bounded buffer of recent joins.
// It is not safe for concurrent use. Times are the machine's own; they may only grow, as monotonic readings do.
type Edge struct {
	name        string
	incarnation uint64
	born        time.Time

	owner    Answer // the last one taken
	met      bool
	heard    int64 // own time of the sync that it answered
	offset   int64 // the owner's time less our own
	bound    float64
	measured int64 // own time of the measurement

	given    lines
	known    [classes]uint64 // ranks that the owner is known to count
	grown    lines           // given since, as the next growth
	arrivals arrivals
	joins    *recent[uint64]
	voids    map[Tid]Void
	voidTo   uint64
	purged   int64
	sure     int64 // of passes that were issued before, not all voids are known
	behind   bool  // voids are still to come
	lobby    edgeLobby
	pressure float64
	p99      float64 // ms
	document []byte
	tag      string
	doc      *Document
}

// NewEdge makes an edge that has met nobody yet. The incarnation must be higher than any that the name had before; the time of the start in
// nanoseconds is.
func NewEdge(name string, incarnation uint64, now time.Time) *Edge {
	return &Edge{name: name, incarnation: incarnation, born: now, bound: math.Inf(1), joins: newRecent[uint64](recentMax), voids: map[Tid]Void{}}
}

// own gives our own time in milliseconds, by the monotonic clock.
func (e *Edge) own(now time.Time) int64 { return e.born.UnixMilli() + now.Sub(e.born).Milliseconds() }

// Time gives the owner's time, Unix milliseconds.
func (e *Edge) Time(now time.Time) int64 { return e.own(now) + e.offset }

// SyncEvery is how often an edge should sync.
const SyncEvery = 250 * time.Millisecond

// NextSync gives how long to wait with the next sync: until the owner's time is a whole multiple of SyncEvery. So all edges come at the same moment, which
// costs the owner less than half of what it costs to be woken by each of them.
func (e *Edge) NextSync(now time.Time) time.Duration {
	return SyncEvery - time.Duration(e.Time(now))*time.Millisecond%SyncEvery
}

// Bound gives how wrong Time may be, in milliseconds; infinite before the first sync.
func (e *Edge) Bound(now time.Time) float64 {
	return e.bound + float64(e.own(now)-e.measured)*clockDrift
}

// Away gives how long ago the last answer was asked for; forever before the first.
func (e *Edge) Away(now time.Time) time.Duration {
	if !e.met {
		return math.MaxInt64
	}
	return time.Duration(e.own(now)-e.heard) * time.Millisecond
}

// Ready says whether the owner was ever met: without it there is no edition, no number, no time.
func (e *Edge) Ready() bool { return e.met }

// Edition gives the edition in force.
func (e *Edge) Edition() uint16 { return e.owner.Edition }

// Report says what the owner does not know yet.
func (e *Edge) Report(now time.Time) Report {
	p := Report{
		Edge: e.name, Incarnation: e.incarnation, Fence: e.owner.Fence, Edition: e.owner.Edition, Voids: e.voidTo, Have: e.tag, Pressure: e.pressure, P99Ms: e.p99,
		Lobby: e.lobby.report(e.lobbyOver(now)),
	}
	for class := range classes {
		line := &e.grown[class]
		if e.known[class] == 0 {
			line = &e.given[class]
		}
		p.Lines[class] = line.clone()
	}
	return p
}

// Took takes the answer to a report: sent and received are when it left and when the answer came. Reports are sent one after the other.
func (e *Edge) Took(sent, received time.Time, p *Report, a *Answer) {
	if e.met && a.Fence < e.owner.Fence {
		return // of an owner that was replaced since
	}
	first, lapsed := !e.met, e.Away(received) > edgeLease*time.Millisecond
	if e.behind = e.behind || lapsed; e.behind { // the owner did not wait for this edge when it gave slots on
		if first || a.Fence != e.owner.Fence {
			e.sure = a.Since
		}
		e.behind = a.More
	}
	e.clock(sent, received, a.Now)
	if first || a.Edition != e.owner.Edition {
		e.begin(a)
	}
	if a.Fence != e.owner.Fence {
		// The new owner may have less than the old one had, and numbers voids anew.
		e.voidTo = 0
		e.known, e.grown = [classes]uint64{}, lines{}
	}
	e.learnLines(p, a)
	e.learnVoids(received, a)
	if a.Tag != "" {
		e.take(a.Document, a.Tag)
	}
	document := e.owner.Document
	e.owner, e.met, e.heard = *a, true, e.own(sent)
	e.owner.Document = document
	e.owner.Voids = nil
	e.lobby.learn(a.Lobby.Taken, a.Lobby.Draw != nil)
	e.pressure = 0
	// Nobody who comes now may be before somebody who was called.
	for _, frontier := range a.Frontier {
		e.arrivals.pass(frontier)
	}
}

// begin starts an edition.
func (e *Edge) begin(a *Answer) {
	e.given, e.grown, e.known = lines{}, lines{}, [classes]uint64{}
	e.arrivals, e.joins = arrivals{}, newRecent[uint64](recentMax)
	clear(e.voids)
	e.voidTo = 0
	e.lobby = edgeLobby{}
}

func (e *Edge) learnLines(p *Report, a *Answer) {
	if p.Edition != a.Edition || a.Fence != p.Fence && p.Fence != 0 {
		return
	}
	if a.Whole {
		e.known, e.grown = [classes]uint64{}, lines{}
		return
	}
	for class := range classes {
		e.known[class] = p.Lines[class].Total()
		e.grown[class].drop(e.known[class])
	}
}

func (e *Edge) learnVoids(received time.Time, a *Answer) {
	for _, v := range a.Voids {
		e.voids[v.Tid] = v
		e.voidTo = max(e.voidTo, v.N)
	}
	at := e.Time(received)
	if at < e.purged+1000 {
		return
	}
	e.purged = at
	for tid, v := range e.voids {
		if at >= v.Until {
			delete(e.voids, tid)
		}
	}
}

// clock measures the owner's time: it read now at some moment between sent and received.
func (e *Edge) clock(sent, received time.Time, now int64) {
	from, to := e.own(sent), e.own(received)
	bound := float64(to-from)/2 + 1 // whole milliseconds
	if bound > e.bound+float64(to-e.measured)*clockDrift {
		return
	}
	e.offset, e.bound, e.measured = now-(from+to)/2, bound, to
}

// Alive says whether a pass that was issued and expires then lets its bearer in now. With ErrUnsure only the owner knows, and says so by Renew.
func (e *Edge) Alive(now time.Time, tid Tid, issued, expires time.Time) error {
	at := e.Time(now)
	if !e.met || e.behind || e.Away(now) > edgeLease*time.Millisecond || e.Bound(now) > clockBound {
		return ErrAway
	}
	if at >= expires.UnixMilli() {
		return ErrNotInside
	}
	if v, ok := e.voids[tid]; ok && v.covers(at, issued.UnixMilli()) {
		return ErrOldPass
	}
	if issued.UnixMilli() < e.sure {
		return ErrUnsure
	}
	return nil
}

// Feel takes a report of the site, from 0 (idle) to 1 (at its limit).
func (e *Edge) Feel(pressure float64) {
	e.pressure = max(e.pressure, min(1, max(0, pressure)))
}

// Answered takes what 99 of 100 answers of the site took at most in the last seconds; 0 when there were too few to say.
func (e *Edge) Answered(p99 time.Duration) {
	e.p99 = min(max(0, float64(p99)/float64(time.Millisecond)), p99Max)
}

// Through says whether ops have said that nobody is to be held back.
func (e *Edge) Through() bool { return e.met && e.owner.Through }

// Ends gives when the sale ends by itself, by the owner's clock; the zero time when it does not, or that is not known.
func (e *Edge) Ends() time.Time { return moment(e.owner.Lobby.EndsAt) }

// Forget drops the memory of a join, so that a visitor who gave up their place gets a new one at the end of the line.
func (e *Edge) Forget(tid Tid) { delete(e.joins.byTid, tid) }

// Join gives a visitor a place. A tid that joined here before, as far as is remembered, keeps its rank. In the lobby the rank is 0, and the place
// is in the draw once Drawn says so; InLobby tells.
func (e *Edge) Join(now time.Time, tid Tid, class Class) (rank uint64, err error) {
	if !e.met {
		return 0, ErrAway
	}
	if rank, ok := e.joins.get(tid); ok && (rank != 0 || e.Phase(now) == PhaseLobby) {
		return rank, nil
	}
	switch e.Phase(now) {
	case PhaseEnded, PhaseAnnounced:
		return 0, ErrClosed
	case PhaseLobby:
		if class != ClassArrival {
			break
		}
		if !e.lobby.add(tid) {
			return 0, ErrFlooded
		}
		e.joins.add(tid, 0)
		return 0, nil
	}
	rank = e.arrivals.next(class, max(0, e.Time(now)-e.owner.Base), e.owner.ID)
	e.given[class].Add(rank)
	e.grown[class].extend(rank, e.given[class].Total())
	e.joins.add(tid, rank)
	return rank, nil
}

// Urgent says that somebody joined an empty line: the owner may let them in at once.
func (e *Edge) Urgent() bool {
	for class := range classes {
		if n := e.given[class].Total(); n > e.known[class] && n-e.known[class] <= 1 {
			return true
		}
	}
	return len(e.lobby.tids) > 0
}
