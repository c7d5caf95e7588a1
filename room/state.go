package room

import (
	"fmt"
	"maps"
	"math"

	"ticketrush/room/merkle"
)

// State is what a room must not forget. It changes by records only, so that a log of them rebuilds it. Times are Unix milliseconds.
type State struct {
	Fence    uint64                `json:"fence"` // how many owners the room has had
	Seq      uint64                `json:"seq"`   // of the last batch
	At       int64                 `json:"at"`    // of the last batch
	Edition  uint16                `json:"edition"`
	Base     int64                 `json:"base"` // the zero of arrivals
	Frontier [groups]uint64        `json:"frontier"`
	Edges    map[string]*EdgeState `json:"edges"`
	Gone     lines                 `json:"gone"` // what edges gave out whose process has ended
	Codes    Codes                 `json:"codes"`
	Draw     Lottery               `json:"draw"`
	Paused   bool                  `json:"paused"`
	Through  bool                  `json:"passthrough,omitempty"` // the edges hold nobody back
	Times    Times                 `json:"times,omitzero"`        // as the configuration last said
	Opens    int64                 `json:"opens,omitempty"`       // of a schedule that repeats: when the occurrence of this edition opens
	Ended    bool                  `json:"ended"`
	Limits   Limits                `json:"limits"`     // in force
	Config   Limits                `json:"configured"` // as the configuration last said
	Inside   map[Tid]Session       `json:"inside"`
	Banned   map[Tid]int64         `json:"banned,omitempty"` // until
	Granted  uint64                `json:"granted"`          // passes of this edition
	Handed   map[Tid]uint16        `json:"handed,omitempty"` // how often places were handed over; the others: never
	Offers   map[Tid]Offer         `json:"offers,omitempty"` // places that wait for a code, or were taken by one, in the last OfferLife
	Log      merkle.Edge           `json:"log"`              // of the transparency log, with all up to this state: a driver that keeps one says so (Logged)

	nextFree int64 // nothing is to be purged before; a hint for purge
}

// Limits are the settings that ops may change while the room runs. A change stays in force over restarts until the configuration's own
// value for it changes.
type Limits struct {
	Rate      float64 `json:"rate"`
	MaxActive int     `json:"max_active"`
}

// Session is somebody inside.
type Session struct {
	Rank     uint64 `json:"rank"`
	Renewal  uint16 `json:"renewal"`
	Admitted int64  `json:"admitted"`
	Issued   int64  `json:"issued"`  // of the present pass
	Expires  int64  `json:"expires"` // of the present pass
	Free     int64  `json:"free"`    // when the slot is free again
	Left     bool   `json:"left,omitempty"`
}

// Kind of a record.
type Kind string

// The kinds of records.
const (
	KindGrant       Kind = "grant"    // Tid, Session
	KindRenew       Kind = "renew"    // Tid, Session
	KindLeave       Kind = "leave"    // Tid, Session
	KindBan         Kind = "ban"      // Tid, Until
	KindFrontier    Kind = "frontier" // Frontier
	KindPause       Kind = "pause"
	KindResume      Kind = "resume"
	KindEnd         Kind = "end"
	KindPassthrough Kind = "passthrough"  // the edges hold nobody back
	KindEnforce     Kind = "enforce"      // they do again
	KindEdition     Kind = "edition"      // Base: starts the line anew
	KindOccurrence  Kind = "occurrence"   // Opens, of the present occurrence; with Base an edition begins with it
	KindLimits      Kind = "limits"       // Limits, Config
	KindTimes       Kind = "times"        // Times
	KindOwner       Kind = "owner"        // somebody begins to own the room
	KindEdge        Kind = "edge"         // Edge, ID, Incarnation: an edge begins
	KindEdgeGone    Kind = "edge_gone"    // Edge: its number is free
	KindMark        Kind = "mark"         // Marks: the lines as counted so far
	KindCommit      Kind = "commit"       // Draw.Secret, Draw.Commitment
	KindLobby       Kind = "lobby"        // Edge, Told: so many tids of the batch's Lobby are from this edge
	KindSeal        Kind = "seal"         // Draw.Sealed
	KindDraw        Kind = "draw"         // Draw.Drawn, Draw.Lots
	KindCodes       Kind = "codes"        // Count: so many more access codes exist
	KindCodeRevoked Kind = "code_revoked" // Serial
	KindRedeem      Kind = "redeem"       // Tid, Serial, Rank: a place for a code
	KindLate        Kind = "late"         // Tid, Rank: a place of the lobby that came too late for the draw
	KindOffer       Kind = "offer"        // Offer: a place waits for a code
	KindHandover    Kind = "handover"     // Tid, Count: a place has been handed over so often; Offer: by this code, if it was just now
)

// Record is one change of the state. Only the fields that its kind names are set.
type Record struct {
	Kind        Kind             `json:"k"`
	Tid         *Tid             `json:"tid,omitempty"`
	Session     *Session         `json:"s,omitempty"`
	Until       int64            `json:"until,omitempty"`
	Frontier    *[groups]uint64  `json:"f,omitempty"`
	Base        int64            `json:"base,omitempty"`
	Opens       int64            `json:"opens,omitempty"`
	Times       *Times           `json:"times,omitempty"`
	Limits      *Limits          `json:"limits,omitempty"`
	Config      *Limits          `json:"config,omitempty"`
	Edge        string           `json:"edge,omitempty"`
	ID          uint8            `json:"id,omitempty"`
	Incarnation uint64           `json:"incarnation,omitempty"`
	Since       int64            `json:"since,omitempty"`
	Marks       map[string]lines `json:"marks,omitempty"`
	Draw        *Lottery         `json:"draw,omitempty"`
	Told        uint64           `json:"told,omitempty"`
	Rank        uint64           `json:"rank,omitempty"`
	Serial      uint32           `json:"serial,omitempty"`
	Count       uint32           `json:"count,omitempty"`
	Offer       *Offer           `json:"offer,omitempty"`
	Reason      string           `json:"why,omitempty"`
}

// Batch is what is stored at once.
type Batch struct {
	Seq     uint64   `json:"seq"`
	At      int64    `json:"at"`
	Records []Record `json:"records"`
	Lobby   Tids     `json:"lobby,omitempty"` // tids that entered the draw; a driver keeps them in order, for ever
	Log     [][]byte `json:"log,omitempty"`   // entries of the transparency log that say what the batch does; the driver adds and keeps them, for ever
}

func newState(base int64) State {
	return State{
		Edition: 1, Base: base, At: base, Frontier: [groups]uint64{GroupSlow: slowFloor},
		Edges: map[string]*EdgeState{}, Inside: map[Tid]Session{}, Banned: map[Tid]int64{}, nextFree: math.MaxInt64,
	}
}

// bannedMax bounds the revoked visitors that are remembered; beyond, the one whose ban ends first is forgotten.
const bannedMax = 10_000

// apply is the only place where the state changes, live and in replay.
func (s *State) apply(r *Record) error {
	switch r.Kind {
	case KindGrant, KindRenew, KindLeave:
		if r.Tid == nil || r.Session == nil {
			return fmt.Errorf("record %s without tid or session", r.Kind)
		}
		if r.Kind == KindGrant {
			s.Granted++
		}
		s.Inside[*r.Tid] = *r.Session
		s.nextFree = min(s.nextFree, r.Session.Free)
	case KindBan:
		if r.Tid == nil {
			return fmt.Errorf("record %s without tid", r.Kind)
		}
		s.ban(*r.Tid, r.Until)
	case KindFrontier:
		if r.Frontier == nil || r.Frontier[GroupMain] < s.Frontier[GroupMain] || r.Frontier[GroupSlow] < s.Frontier[GroupSlow] {
			return fmt.Errorf("record moves the frontier back from %v to %v", s.Frontier, r.Frontier)
		}
		s.Frontier = *r.Frontier
	case KindPause, KindResume:
		s.Paused = r.Kind == KindPause
	case KindEnd:
		s.Ended = true
	case KindOwner:
		s.Fence++
	case KindPassthrough, KindEnforce:
		s.Through = r.Kind == KindPassthrough
	case KindEdition:
		s.anew(r.Base)
	case KindOccurrence:
		if r.Base != 0 {
			s.anew(r.Base)
		}
		s.Opens = r.Opens
	case KindLimits:
		if r.Limits == nil || r.Config == nil {
			return fmt.Errorf("record %s without limits", r.Kind)
		}
		s.Limits, s.Config = *r.Limits, *r.Config
	case KindTimes:
		if r.Times == nil {
			return fmt.Errorf("record %s without times", r.Kind)
		}
		s.Times = *r.Times
	default:
		return s.applyLine(r)
	}
	return nil
}

// anew starts an edition: nobody has a place or a pass, and what ops set for the room stays.
func (s *State) anew(base int64) {
	fresh := newState(base)
	fresh.Edition, fresh.Limits, fresh.Config, fresh.Paused = s.Edition+1, s.Limits, s.Config, s.Paused
	fresh.Through, fresh.Opens, fresh.Times = s.Through, s.Opens, s.Times
	fresh.Fence, fresh.Seq, fresh.At, fresh.Log = s.Fence, s.Seq, s.At, s.Log
	for name, e := range s.Edges {
		fresh.Edges[name] = &EdgeState{ID: e.ID, Incarnation: e.Incarnation, Since: e.Since, Heard: e.Heard, acked: e.acked}
	}
	*s = fresh
}

func (s *State) ban(tid Tid, until int64) {
	if _, known := s.Banned[tid]; !known && len(s.Banned) >= bannedMax {
		var first Tid
		end := int64(math.MaxInt64)
		for t, u := range s.Banned {
			if u < end || u == end && string(t[:]) < string(first[:]) {
				first, end = t, u
			}
		}
		delete(s.Banned, first)
	}
	s.Banned[tid] = until
	s.nextFree = min(s.nextFree, until)
}

// purge gives back the slots that are free at now, and forgets what has ended.
func (s *State) purge(now int64) {
	if now < s.nextFree {
		return
	}
	s.nextFree = math.MaxInt64
	for tid, in := range s.Inside {
		if in.Free <= now {
			delete(s.Inside, tid)
			continue
		}
		s.nextFree = min(s.nextFree, in.Free)
	}
	for tid, until := range s.Banned {
		if until <= now {
			delete(s.Banned, tid)
			continue
		}
		s.nextFree = min(s.nextFree, until)
	}
	for tid, o := range s.Offers {
		if o.Until <= now {
			delete(s.Offers, tid)
			continue
		}
		s.nextFree = min(s.nextFree, o.Until)
	}
}

// clone gives a copy that shares nothing with s.
func (s *State) clone() State {
	c := *s
	c.Inside, c.Banned = maps.Clone(s.Inside), maps.Clone(s.Banned)
	c.Handed, c.Offers = maps.Clone(s.Handed), maps.Clone(s.Offers)
	c.Gone, c.Draw.Lots, c.Codes = s.Gone.clone(), s.Draw.Lots.clone(), s.Codes.clone()
	c.Edges = make(map[string]*EdgeState, len(s.Edges))
	for name, e := range s.Edges {
		other := *e
		other.Lines = e.Lines.clone()
		c.Edges[name] = &other
	}
	return c
}

// replay applies a batch; it must be the next one.
func (s *State) replay(b *Batch) error {
	if b.Seq != s.Seq+1 {
		return fmt.Errorf("batch %d follows batch %d: the log has a gap", b.Seq, s.Seq)
	}
	s.purge(b.At)
	for i := range b.Records {
		if err := s.apply(&b.Records[i]); err != nil {
			return fmt.Errorf("batch %d: %w", b.Seq, err)
		}
	}
	s.Seq, s.At = b.Seq, b.At
	return nil
}
