package room

import (
	"math"
	"time"
)

// Standing is how a place stands at a moment.
type Standing string

// The standings.
const (
	StandingAnnounced Standing = "announced"
	StandingLobby     Standing = "lobby"
	StandingQueued    Standing = "queued"
	StandingEligible  Standing = "eligible"
	StandingAdmitted  Standing = "admitted"
	StandingPaused    Standing = "paused"
	StandingSoldOut   Standing = "soldout"
	StandingEnded     Standing = "ended"
)

// View is what a visitor is told about their place.
type View struct {
	Standing Standing
	Position int64         // number in the line from 1 on; 0 when it is their turn, or not known yet
	Wait     time.Duration // estimated; 0 with a Position means unknown
	NextPoll time.Duration // without jitter
}

// Phase gives what the room is doing, by the last word of the owner and by the owner's time.
func (e *Edge) Phase(now time.Time) Phase {
	l, at := &e.owner.Lobby, e.Time(now)
	switch p := e.owner.Phase; {
	case !e.met:
		return PhasePaused
	case p == PhaseEnded, l.EndsAt != 0 && at >= l.EndsAt:
		return PhaseEnded
	case p == PhasePaused:
		return PhasePaused
	case p == PhaseDrawing, p == PhaseOpen:
		return p
	case l.LobbyAt != 0 && at < l.LobbyAt:
		return PhaseAnnounced
	case l.OpensAt != 0 && at < l.OpensAt-lobbyClose:
		return PhaseLobby
	default:
		return PhaseDrawing // until the owner says that the room is open
	}
}

// lobbyOver says whether no more places of the lobby are given.
func (e *Edge) lobbyOver(now time.Time) bool {
	return e.met && e.owner.Lobby.OpensAt != 0 && e.Time(now) >= e.owner.Lobby.OpensAt-lobbyClose
}

// Look says how the place at rank stands; rank 0 is one of the lobby.
func (e *Edge) Look(now time.Time, rank uint64) View {
	switch e.Phase(now) {
	case PhaseEnded:
		return View{Standing: StandingEnded, NextPoll: pollFar}
	case PhaseAnnounced:
		return View{Standing: StandingAnnounced, NextPoll: e.pollUntil(now, e.owner.Lobby.LobbyAt)}
	case PhaseLobby, PhaseDrawing:
		return View{Standing: StandingLobby, NextPoll: e.pollUntil(now, e.owner.Lobby.OpensAt)}
	case PhasePaused:
		return View{Standing: StandingPaused, Position: e.position(rank), NextPoll: pollPaused}
	}
	if rank != 0 && rank <= e.owner.Frontier[groupOf(rank)] {
		return View{Standing: StandingEligible, NextPoll: pollTurn}
	}
	if e.doc != nil && e.doc.Stock != nil && e.doc.Stock.SoldOut {
		return View{Standing: StandingSoldOut, Position: e.position(rank), NextPoll: pollFar} // somebody may give tickets back
	}
	v := View{Standing: StandingQueued, Position: e.position(rank), NextPoll: pollTurn}
	if rank == 0 {
		return v
	}
	if d := e.doc; d != nil && d.Speed[groupOf(rank)] > 0 {
		seconds := float64(v.Position) / d.Speed[groupOf(rank)]
		v.Wait = time.Duration(math.Min(seconds, 30*24*3600) * float64(time.Second))
	}
	v.NextPoll = pollFor(v.Wait)
	return v
}

// take keeps a new document; one that cannot be read leaves the old one.
func (e *Edge) take(body []byte, tag string) {
	if d, err := ReadDocument(body); err == nil {
		e.document, e.tag, e.doc = body, tag, d
	}
}

// Document gives the last document of the owner; nil before there is one.
func (e *Edge) Document() *Document { return e.doc }

// Body gives the bytes of the last document, and their tag.
func (e *Edge) Body() (body []byte, tag string) { return e.document, e.tag }

// position gives the place's number in its line, by the document, and by what was given here since.
func (e *Edge) position(rank uint64) int64 {
	d := e.doc
	if d == nil || rank == 0 {
		return 0
	}
	g := groupOf(rank)
	frontier := d.Frontier[g]
	if rank <= frontier {
		return 0
	}
	ahead := int64(d.countUpTo(rank)) - int64(d.countUpTo(frontier))
	class := RankClass(rank)
	ahead += int64(e.grown[class].CountUpTo(rank)) - int64(e.grown[class].From)
	return max(1, ahead)
}

// When to ask again.
const (
	pollTurn   = 1 * time.Second // it is your turn, but no slot was free
	pollSoon   = 3 * time.Second
	pollPaused = 10 * time.Second
	pollFar    = 60 * time.Second
)

// PollStep is a row of the poll table: with a wait under Under, ask again after Every. Under 0 holds for all the rest.
type PollStep struct{ Under, Every time.Duration }

// PollTable says when to ask again, by the estimated wait.
var PollTable = []PollStep{
	{time.Minute, pollSoon}, {5 * time.Minute, 10 * time.Second}, {15 * time.Minute, 30 * time.Second}, {0, pollFar},
}

func pollFor(wait time.Duration) time.Duration {
	// Somebody who is next in an empty line need not wait three seconds.
	if wait < time.Second {
		return pollTurn
	}
	for _, s := range PollTable {
		if s.Under == 0 || wait < s.Under {
			return s.Every
		}
	}
	return pollFar
}

func (e *Edge) pollUntil(now time.Time, moment int64) time.Duration {
	left := time.Duration(moment-e.Time(now)) * time.Millisecond
	return max(pollTurn, min(pollFor(left), left))
}
