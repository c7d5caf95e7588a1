package room

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Report is what an edge tells the owner with each sync. A lost, repeated or reordered one does no harm: counts only grow, and say where they go on.
type Report struct {
	Edge        string      `json:"edge"`        // its name, for ever
	Incarnation uint64      `json:"incarnation"` // of its process; a later one is higher
	Fence       uint64      `json:"fence"`       // of the owner that Voids and Lines refer to; 0: none was met yet
	Edition     uint16      `json:"edition"`     // that Lines and Lobby belong to
	Lines       lines       `json:"lines"`       // what it gave out since Line.From, or in all where that is 0
	Voids       uint64      `json:"voids"`       // all voids up to this number are obeyed
	Have        string      `json:"have"`        // tag of the document that it has
	Lobby       LobbyReport `json:"lobby"`
	Pressure    float64     `json:"pressure,omitempty"` // 0 to 1: the worst that the site said since the last sync that was answered
	P99Ms       float64     `json:"p99_ms,omitempty"`   // what 99 of 100 answers of the site took at most in the last seconds; 0: too few to say
}

// Answer is what the owner tells an edge. All of it is durable.
type Answer struct {
	Fence    uint64         `json:"fence"` // grows with each owner of the room
	Now      int64          `json:"now"`   // the owner's time, Unix milliseconds
	ID       uint8          `json:"id"`    // the edge's number in the ranks that it makes
	Edition  uint16         `json:"edition"`
	Base     int64          `json:"base"` // the zero of arrivals
	Phase    Phase          `json:"phase"`
	Through  bool           `json:"passthrough,omitempty"` // hold nobody back
	Frontier [groups]uint64 `json:"frontier"`
	Whole    bool           `json:"whole,omitempty"`    // send the whole lines with the next report
	Document []byte         `json:"document,omitempty"` // when the edge has another one; signed and ready to be served
	Tag      string         `json:"tag,omitempty"`      // of Document
	Voids    []Void         `json:"voids,omitempty"`    // after the number reported; not all at once
	More     bool           `json:"more,omitempty"`     // voids follow with the next answers
	Since    int64          `json:"since,omitempty"`    // the owner knows all voids of passes that were issued from this moment on
	Lobby    LobbyAnswer    `json:"lobby"`
}

// Void says which passes of a visitor are no good any more, before they end by themselves.
type Void struct {
	N      uint64 `json:"n"` // counts them within a fence
	Tid    Tid    `json:"tid"`
	Hard   int64  `json:"hard"`   // passes issued before this moment are void
	Before int64  `json:"before"` // those issued before this one as well, from From on
	From   int64  `json:"from"`
	Until  int64  `json:"until"` // by then they have all ended
}

// covers says whether the void ends a pass that was issued then.
func (v *Void) covers(at, issued int64) bool {
	return issued < v.Hard || issued < v.Before && at >= v.From
}

// Why a sync is refused.
var (
	ErrEdgeTwice = errors.New("another process with this edge's name is at work; each edge needs a name of its own")
	ErrEdgesFull = errors.New("the room has 255 edges; one that is silent for an hour makes room")
	ErrReport    = errors.New("malformed report")
)

// ErrAnswer refuses what no owner of a room says: another program answered, or another version of it.
var ErrAnswer = errors.New("malformed answer to a sync")

const (
	// edgeLease is how long an edge lets passes in without a word from the owner. After it, it is no edge of the room until the next sync.
	edgeLease = 5 * 60 * 1000
	// edgeTwice is how long an edge must be silent before a new process may take its name.
	edgeTwice = 2000
	// edgeForgotten is how long an edge must be silent until its number may go to another one.
	edgeForgotten = 60 * 60 * 1000
	// p99Max bounds, in milliseconds, how long answers of the site may be said to take.
	p99Max = 60 * 60 * 1000
	// voidsAtOnce bounds the voids of an answer.
	voidsAtOnce = 5000
)

// EdgeState is what the owner knows of an edge.
type EdgeState struct {
	ID          uint8  `json:"id"`
	Incarnation uint64 `json:"incarnation"`
	Since       int64  `json:"since"` // when this incarnation came
	Heard       int64  `json:"heard"` // as of when it was stored; in memory the last sync
	Lines       lines  `json:"lines"` // of this incarnation

	Told uint64 `json:"told,omitempty"` // tids of the lobby, of this incarnation

	met    bool // it has synced with this owner
	acked  uint64
	whole  bool // its lines are those of this owner's life: they can go on by growth
	closed bool // it will tell no more tids of the lobby
}

// Validate checks what does not need the room.
func (p *Report) Validate() error {
	if len(p.Edge) == 0 || len(p.Edge) > 64 {
		return fmt.Errorf("%w: an edge's name has 1 to 64 bytes", ErrReport)
	}
	if !(p.Pressure >= 0 && p.Pressure <= 1) {
		return fmt.Errorf("%w: pressure %v is not from 0 to 1", ErrReport, p.Pressure)
	}
	if !(p.P99Ms >= 0 && p.P99Ms <= p99Max) {
		return fmt.Errorf("%w: answers of the site that take %v ms, not 0 to %d", ErrReport, p.P99Ms, p99Max)
	}
	for class := range classes {
		if err := p.Lines[class].validate(class); err != nil {
			return fmt.Errorf("%w: class %d: %w", ErrReport, class, err)
		}
	}
	return p.Lobby.validate()
}

// validate checks what came from another process.
func (l *Line) validate(class Class) error {
	if len(l.Buckets) > bucketsMax {
		return fmt.Errorf("%d buckets, at most %d", len(l.Buckets), bucketsMax)
	}
	if len(l.Buckets) > 0 && RankClass(l.Before+1) != class {
		return fmt.Errorf("the first rank is said to be behind %d, which is of class %d", l.Before, RankClass(l.Before))
	}
	last, sum := l.Before, l.From
	for _, b := range l.Buckets {
		if b.Last <= last || b.Sum <= sum || b.Sum > math.MaxUint32 || RankClass(b.Last) != class {
			return fmt.Errorf("bucket %+v does not grow from rank %d, count %d", b, last, sum)
		}
		last, sum = b.Last, b.Sum
	}
	return nil
}

// momentMax bounds what may be said to be a moment, Unix milliseconds: the year 9999.
const momentMax = 253_402_300_799_999

// Validate checks an answer that came over the network before Took takes it: from an absurd time, rank or state an edge could not find back.
func (a *Answer) Validate() error {
	for name, at := range map[string]int64{
		"now": a.Now, "base": a.Base, "since": a.Since, "opens_at": a.Lobby.OpensAt, "lobby_at": a.Lobby.LobbyAt, "ends_at": a.Lobby.EndsAt, "next_at": a.Lobby.NextAt,
	} {
		if at < 0 || at > momentMax {
			return fmt.Errorf("%w: %s is %d ms, not a moment from 1970 to 9999", ErrAnswer, name, at)
		}
	}
	switch {
	case a.Fence == 0 || a.ID == 0:
		return fmt.Errorf("%w: no fence, or no number for the edge", ErrAnswer)
	case !a.Phase.known():
		return fmt.Errorf("%w: there is no phase %q", ErrAnswer, a.Phase)
	case RankClass(a.Frontier[GroupMain]) >= ClassSlow || RankClass(a.Frontier[GroupSlow]) >= classes:
		return fmt.Errorf("%w: a frontier of %v", ErrAnswer, a.Frontier)
	case len(a.Voids) > voidsAtOnce:
		return fmt.Errorf("%w: %d voids at once, at most %d", ErrAnswer, len(a.Voids), voidsAtOnce)
	case a.Lobby.Draw != nil && a.Lobby.Draw.Sealed == nil:
		return fmt.Errorf("%w: a draw without a seal", ErrAnswer)
	}
	return nil
}

// Sync takes an edge's report. Once everything that was done so far is stored, Answer gives what the edge is told.
func (r *Room) Sync(now time.Time, p *Report) error {
	if err := p.Validate(); err != nil {
		return err
	}
	at := r.step(now)
	e, err := r.edge(at, p)
	if err != nil {
		return err
	}
	e.Heard, e.met = at, true
	same := p.Fence == r.fence
	if same {
		e.acked = max(e.acked, min(p.Voids, r.voids.last))
	}
	if p.Edition == r.state.Edition {
		idle := r.waiting(GroupMain)+r.waiting(GroupSlow) == 0
		e.whole = r.grow(e, p, same)
		r.lobbyReport(e, p.Edge, &p.Lobby)
		if idle && r.phase(at) == PhaseOpen {
			r.open(at) // nobody is before those who just came
		}
	}
	r.auto.feel(p.Pressure)
	r.auto.wait(p.P99Ms)
	r.release(at)
	return nil
}

// Answer gives what an edge whose report was taken is told; the driver adds the document.
func (r *Room) Answer(now time.Time, p *Report) (Answer, error) {
	at := r.step(now)
	e := r.state.Edges[p.Edge]
	if e == nil || e.Incarnation != p.Incarnation {
		return Answer{}, ErrEdgeTwice
	}
	voids, more := r.voids.after(e.acked, at)
	return Answer{
		Fence: r.fence, Now: at, ID: e.ID, Edition: r.state.Edition, Base: r.state.Base, Phase: r.phase(at), Through: r.state.Through, Frontier: r.shown,
		Whole: p.Edition == r.state.Edition && !e.whole, Voids: voids, More: more, Since: r.since, Lobby: r.lobbyAnswer(e),
	}, nil
}

// edge finds or enters the edge that reports.
func (r *Room) edge(at int64, p *Report) (*EdgeState, error) {
	e := r.state.Edges[p.Edge]
	switch {
	case e != nil && p.Incarnation == e.Incarnation:
		return e, nil
	case e != nil && p.Incarnation < e.Incarnation, e != nil && e.met && at < e.Heard+edgeTwice:
		return nil, ErrEdgeTwice
	case e != nil:
		r.markEnding()
		r.do(Record{Kind: KindEdge, Edge: p.Edge, ID: e.ID, Incarnation: p.Incarnation, Since: at})
		return r.state.Edges[p.Edge], nil
	}
	id, err := r.freeID(at)
	if err != nil {
		return nil, err
	}
	r.do(Record{Kind: KindEdge, Edge: p.Edge, ID: id, Incarnation: p.Incarnation, Since: at})
	return r.state.Edges[p.Edge], nil
}

// markEnding stores what was counted before an edge's process ends: the marks to come are of those that live, so the next owner would never hear of it.
func (r *Room) markEnding() {
	if r.unmarked {
		r.mark(r.now)
	}
}

// freeID gives the lowest number that no edge has; an edge that is silent for long gives its own up.
func (r *Room) freeID(at int64) (uint8, error) {
	var taken [256]bool
	for name, e := range r.state.Edges {
		if at >= e.Heard+edgeForgotten {
			r.markEnding()
			r.do(Record{Kind: KindEdgeGone, Edge: name})
			continue
		}
		taken[e.ID] = true
	}
	for id := 1; id < len(taken); id++ {
		if !taken[id] {
			return uint8(id), nil
		}
	}
	return 0, ErrEdgesFull
}

// grow takes what the edge gave out since; false asks for the whole lines.
func (r *Room) grow(e *EdgeState, p *Report, same bool) bool {
	known := same && e.whole // the counts here are those that the edge was told of
	ok := true
	for class := range p.Lines {
		g, l := &p.Lines[class], &e.Lines[class]
		switch told, have := g.Total(), l.Total(); {
		case g.From == 0 && told > have:
			*l = Line{}
			l.append(g)
			r.unmarked = true
		case told <= have && (known || g.From == 0): // nothing new, or a report that came twice
		case known && g.From == have && g.Buckets[0].Last > l.Last(): // there is one, for told > have
			l.append(g)
			r.unmarked = true
		default:
			ok = false
		}
		l.thin(r.bucketsPerEdge())
	}
	return ok
}

// bucketsPerEdge keeps the sum over all edges quick: what one loses in sharpness is less than what the others add.
func (r *Room) bucketsPerEdge() int { return max(64, 2*bucketsMax/max(1, len(r.state.Edges))) }
