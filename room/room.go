package room

import (
	"errors"
	"fmt"
	"time"

	"ticketrush/room/merkle"
)

// TickEvery is how often a driver should call Tick. Claims are served as they come while there are passes for all of them, else by rank every
// serveEvery; the frontier moves every openEvery.
const (
	TickEvery  = 25 * time.Millisecond
	openEvery  = 250
	serveEvery = 125
)

// Why something is refused.
var (
	ErrNotInside = errors.New("no living pass of this visitor")
	ErrOldPass   = errors.New("the pass was renewed since, and the overlap is over")
	ErrBanned    = errors.New("this visitor's admission was revoked by the site")
	ErrStay      = errors.New("the longest stay is reached")
)

// Room is the owner of one waiting room. It is not safe for concurrent use; the driver holds a lock or a single goroutine.
type Room struct {
	// Member says who is in the draw; the driver sets it when it is done. Nil: everybody who says so.
	Member func(Tid) bool

	set   Settings
	state State
	out   []Record // not yet taken
	shown [groups]uint64
	taken [groups]uint64 // the frontier as of the last batch taken

	shownDraw, takenDraw *DrawView // the same for the draw

	when     schedule
	fence    uint64 // of this owner's life
	now      int64  // last time passed in
	unmarked bool
	marked   int64
	opened   int64 // last move of the frontier
	served   int64 // when claims were last served by rank

	lobby   Tids // of the records in out
	sealing bool // the driver has the list
	voids   voids
	since   int64 // all voids of passes that were issued from then on are known
	leaving []leaving

	lane    lane
	pending map[Tid]*Claim
	voided  []Tid // claims of the edition before, or of a bearer before, not answered yet
	tokens  bucket
	slow    float64 // what the slow lane is owed of the passes issued
	auto    auto
	supply  *Supply

	tries float64 // wrong codes that may still be shown (Handover)
	tried int64   // when that was so
}

// New makes a room that opens with nobody in it.
func New(set Settings, now time.Time) (*Room, error) {
	return restore(set, newState(now.UnixMilli()), now)
}

// Restore rebuilds a room from its last snapshot and the batches stored after it, in order. Batches that the snapshot already holds are
// skipped; a gap is an error. A driver stores a snapshot of a new room before its first batch.
func Restore(set Settings, snapshot State, batches []Batch, now time.Time) (*Room, error) {
	state := snapshot.clone()
	state.nextFree = 0
	for i := range batches {
		if batches[i].Seq <= state.Seq {
			continue
		}
		if err := state.replay(&batches[i]); err != nil {
			return nil, err
		}
	}
	return restore(set, state, now)
}

func restore(set Settings, state State, now time.Time) (*Room, error) {
	set = set.WithDefaults()
	if err := set.Validate(); err != nil {
		return nil, err
	}
	if state.Inside == nil {
		state.Inside = map[Tid]Session{}
	}
	if state.Banned == nil {
		state.Banned = map[Tid]int64{}
	}
	if state.Edges == nil {
		state.Edges = map[string]*EdgeState{}
	}
	r := &Room{state: state, voids: newVoids(), pending: map[Tid]*Claim{}, tries: triesMax}
	r.lane.reset()
	r.shown, r.taken = state.Frontier, state.Frontier
	r.takenDraw = state.Draw.view()
	r.shownDraw = r.takenDraw
	// A clock that went back must not make ranks, or ends of passes, older than those that were given.
	r.step(time.UnixMilli(max(now.UnixMilli(), state.At)))
	r.tokens.last, r.lane.last, r.marked = r.now, r.now, r.now
	// An edge may have let people in until just now, whatever the last batch knew of it.
	for _, e := range r.state.Edges {
		e.Heard = r.now
	}
	r.do(Record{Kind: KindOwner})
	r.fence = r.state.Fence
	r.restoreVoids()
	r.Configure(set)
	return r, nil
}

// step moves the time on, gives back free slots, and gives the time that holds.
func (r *Room) step(now time.Time) int64 {
	r.now = max(r.now, now.UnixMilli())
	r.state.purge(r.now)
	return r.now
}

// do changes the state and notes the record.
func (r *Room) do(rec Record) {
	if err := r.state.apply(&rec); err != nil {
		panic("room: " + err.Error()) // a record made here always applies
	}
	r.out = append(r.out, rec)
}

// Configure takes settings that were validated, at the start and at each reload. Rate and MaxActive replace what ops set by hand only where
// the configuration's own value differs from the one it had before.
func (r *Room) Configure(set Settings) {
	r.set = set.WithDefaults()
	limits, config := r.state.Limits, Limits{r.set.Rate, r.set.MaxActive}
	if config.Rate != r.state.Config.Rate {
		limits.Rate = config.Rate
	}
	if config.MaxActive != r.state.Config.MaxActive {
		limits.MaxActive = config.MaxActive
	}
	if limits != r.state.Limits || config != r.state.Config {
		r.do(Record{Kind: KindLimits, Limits: &limits, Config: &config, Reason: "configuration"})
	}
	r.auto.configure(r.set)
	r.adopt()
}

// Restate says schedule and limits in force once more: to a log that begins later than the room.
func (r *Room) Restate(reason string) {
	if times := r.state.Times; times != (Times{}) {
		r.do(Record{Kind: KindTimes, Times: &times, Reason: reason})
	}
	limits, config := r.state.Limits, r.state.Config
	r.do(Record{Kind: KindLimits, Limits: &limits, Config: &config, Reason: reason})
}

// SetLimits changes rate and max_active by hand; a zero leaves that one as it is.
func (r *Room) SetLimits(now time.Time, l Limits, reason string) error {
	r.step(now)
	next := r.state.Limits
	if l.Rate != 0 {
		next.Rate = l.Rate
	}
	if l.MaxActive != 0 {
		next.MaxActive = l.MaxActive
	}
	check := r.set
	check.Rate, check.MaxActive = next.Rate, next.MaxActive
	if err := check.Validate(); err != nil {
		return err
	}
	config := r.state.Config
	r.do(Record{Kind: KindLimits, Limits: &next, Config: &config, Reason: reason})
	return nil
}

// Pause stops claims and the frontier; those inside stay.
func (r *Room) Pause(now time.Time, reason string) { r.change(now, KindPause, reason) }

// Resume ends a pause.
func (r *Room) Resume(now time.Time, reason string) { r.change(now, KindResume, reason) }

// Passthrough says, until Enforce, that the edges hold nobody back: whatever the room decides, everybody reaches the site.
func (r *Room) Passthrough(now time.Time, reason string) { r.change(now, KindPassthrough, reason) }

// Enforce ends a passthrough.
func (r *Room) Enforce(now time.Time, reason string) { r.change(now, KindEnforce, reason) }

// End ends the sale: nobody is let in any more until a new edition.
func (r *Room) End(now time.Time, reason string) { r.change(now, KindEnd, reason) }

func (r *Room) change(now time.Time, k Kind, reason string) {
	r.step(now)
	r.do(Record{Kind: k, Reason: reason})
}

// NewEdition voids every place and every pass, and starts the line anew.
func (r *Room) NewEdition(now time.Time, reason string) {
	at := r.step(now)
	r.begin(at, Record{Kind: KindEdition, Base: at, Reason: reason})
}

// begin starts an edition by a record that says so.
func (r *Room) begin(at int64, rec Record) {
	r.do(rec)
	r.voids, r.leaving, r.lobby, r.sealing = newVoids(), nil, nil, false
	for _, e := range r.state.Edges {
		e.acked = 0
	}
	for tid := range r.pending {
		r.voided = append(r.voided, tid)
	}
	clear(r.pending)
	r.lane.reset()
	r.lane.last = at
	r.shown, r.taken = r.state.Frontier, r.state.Frontier
	r.shownDraw, r.takenDraw = nil, nil
}

// Edition gives the edition in force.
func (r *Room) Edition() uint16 { return r.state.Edition }

// Phase is what a room is doing.
type Phase string

// The phases of a room.
const (
	PhaseAnnounced Phase = "announced" // the lobby is not open yet; no places
	PhaseLobby     Phase = "lobby"
	PhaseDrawing   Phase = "drawing" // from the end of the lobby until people are let in
	PhaseOpen      Phase = "open"
	PhasePaused    Phase = "paused"
	PhaseEnded     Phase = "ended"
)

func (p Phase) known() bool {
	switch p {
	case PhaseAnnounced, PhaseLobby, PhaseDrawing, PhaseOpen, PhasePaused, PhaseEnded:
		return true
	}
	return false
}

// Phase gives what the room is doing at now.
func (r *Room) Phase(now time.Time) Phase { return r.phase(r.step(now)) }

func (r *Room) phase(at int64) Phase {
	switch {
	case r.state.Ended, r.ends() != 0 && at >= r.ends():
		return PhaseEnded
	case r.state.Paused:
		return PhasePaused
	case r.opens() == 0:
		return PhaseOpen
	}
	opens := r.opens()
	switch {
	case r.when.lobby > 0 && at < opens-r.when.lobby:
		return PhaseAnnounced
	case at < opens-lobbyClose:
		return PhaseLobby
	case at < opens, r.undrawn(at):
		return PhaseDrawing
	}
	return PhaseOpen
}

// markEvery is how often the counted line is written to the log while people join: what a crash can lose of the counts, never of a place.
const markEvery = 5 * time.Second

// Take gives the changes since the last call as one batch; ok is false when there are none. The driver stores it durably before it gives any
// answer that came of it, and tries again, with the same bytes, until that succeeds. One batch is under way at a time.
func (r *Room) Take(now time.Time) (b Batch, ok bool) {
	at := r.step(now)
	if r.unmarked && at-r.marked >= markEvery.Milliseconds() {
		r.mark(at)
	}
	if len(r.out) == 0 {
		return b, false
	}
	r.state.Seq++
	r.state.At = at
	b = Batch{Seq: r.state.Seq, At: at, Records: r.out, Lobby: r.lobby}
	r.out, r.lobby = nil, nil
	r.taken, r.takenDraw = r.state.Frontier, r.state.Draw.view()
	return b, true
}

// Mark notes the counted line at once, before a stop.
func (r *Room) Mark(now time.Time) {
	if at := r.step(now); r.unmarked {
		r.mark(at)
	}
}

func (r *Room) mark(at int64) {
	marks := make(map[string]lines, len(r.state.Edges))
	for name, e := range r.state.Edges {
		marks[name] = e.Lines.clone()
	}
	r.do(Record{Kind: KindMark, Marks: marks})
	r.unmarked, r.marked = false, at
}

// Stored says that the batch taken last is durable: only now its frontier, and its draw, may be seen.
func (r *Room) Stored() { r.shown, r.shownDraw = r.taken, r.takenDraw }

// Log gives the transparency log as the last Logged has it; of a room that was restored, as the snapshot has it.
func (r *Room) Log() merkle.Edge { return r.state.Log.Clone() }

// Logged notes the transparency log as of the batch taken last, so that a snapshot has it.
func (r *Room) Logged(log merkle.Edge) { r.state.Log = log }

// Dirty says whether there are changes to take.
func (r *Room) Dirty() bool { return len(r.out) > 0 }

// Snapshot gives a copy of the state. It is a valid start for Restore only when every batch taken so far is stored and nothing is Dirty.
func (r *Room) Snapshot() (State, error) {
	if r.Dirty() {
		return State{}, fmt.Errorf("room: %d records are not in a batch yet", len(r.out))
	}
	return r.state.clone(), nil
}

// Seq gives the number of the batch that holds, or will hold, everything that was done so far.
func (r *Room) Seq() uint64 {
	if r.Dirty() {
		return r.state.Seq + 1
	}
	return r.state.Seq
}
