package room

import (
	"math"
	"time"
)

// Standing is how a place stands at a moment.
type Standing string

// The standings.
const (
	StandingLobby    Standing = "lobby"
	StandingQueued   Standing = "queued"
	StandingEligible Standing = "eligible"
	StandingAdmitted Standing = "admitted"
	StandingPaused   Standing = "paused"
	StandingEnded    Standing = "ended"
)

// View is what a visitor is told about their place.
type View struct {
	Standing Standing
	Position int64         // number in the line from 1 on; 0 when it is their turn
	Wait     time.Duration // estimated; 0 with a Position means unknown
	NextPoll time.Duration // without jitter
}

// Join gives a visitor a rank. A tid that joined before, as far as is remembered, keeps its rank.
func (r *Room) Join(now time.Time, tid Tid, class Class) (rank uint64) {
	at := r.step(now)
	if rank, ok := r.joins.get(tid); ok {
		return rank
	}
	phase := r.phase(at)
	if class == ClassArrival && phase == PhaseLobby {
		class = ClassLobby
	}
	group := GroupMain
	if class == ClassSlow {
		group = GroupSlow
	}
	idle := r.waiting(group) == 0
	rank = r.state.Arrivals.next(class, at-r.state.Base, r.set.Edge)
	r.state.Lines[class].Add(rank)
	r.joins.add(tid, rank)
	r.unmarked = true
	if idle && phase == PhaseOpen {
		r.open(at)
	}
	return rank
}

// waiting gives how many of the group are behind the frontier.
func (r *Room) waiting(g Group) uint64 {
	return r.state.Lines.total(g) - min(r.state.Lines.total(g), r.state.Lines.countUpTo(g, r.state.Frontier[g]))
}

// recount counts a genuine rank beyond the last that is known: one that was given just before a crash, after the last mark. Without that its
// holder would wait for somebody to come after them.
func (r *Room) recount(rank uint64) {
	class := RankClass(rank)
	if class < classes && rank > r.state.Lines[class].Last() {
		r.state.Lines[class].Add(rank)
		r.state.Arrivals.pass(rank)
		r.unmarked = true
	}
}

// Look says how the place of tid at rank stands. It shows only what is stored.
func (r *Room) Look(now time.Time, tid Tid, rank uint64) View {
	at := r.step(now)
	r.recount(rank)
	if in, ok := r.state.Inside[tid]; ok && !in.Left && at < in.Expires {
		return View{Standing: StandingAdmitted, NextPoll: pollSoon}
	}
	switch r.phase(at) {
	case PhaseEnded:
		return View{Standing: StandingEnded, NextPoll: pollFar}
	case PhaseLobby:
		return View{Standing: StandingLobby, Position: r.position(rank, r.shown), NextPoll: r.pollLobby(at)}
	case PhasePaused:
		return View{Standing: StandingPaused, Position: r.position(rank, r.shown), NextPoll: pollPaused}
	}
	if rank <= r.shown[groupOf(rank)] {
		return View{Standing: StandingEligible, NextPoll: pollTurn}
	}
	v := View{Standing: StandingQueued, Position: r.position(rank, r.shown)}
	v.Wait = r.wait(groupOf(rank), v.Position)
	v.NextPoll = pollFor(v.Wait)
	return v
}

func (r *Room) position(rank uint64, frontier [groups]uint64) int64 {
	g := groupOf(rank)
	if rank <= frontier[g] {
		return 0
	}
	return max(1, int64(r.state.Lines.countUpTo(g, rank))-int64(r.state.Lines.countUpTo(g, frontier[g])))
}

// wait estimates by how fast the line really moved, else by the rate; 0 when neither says anything: in a full house that nobody leaves, the
// rate would promise a minute to people who wait for ten.
func (r *Room) wait(g Group, position int64) time.Duration {
	speed := r.lane.speed(g)
	if speed <= 0 && len(r.state.Inside) >= r.state.Limits.MaxActive {
		return 0
	}
	if speed <= 0 {
		speed = r.rate() / r.lane.showRate()
		if g == GroupSlow {
			speed *= r.set.SlowShare
		}
	}
	seconds := float64(position) / speed
	return time.Duration(math.Min(seconds, 30*24*3600) * float64(time.Second))
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

func (r *Room) pollLobby(at int64) time.Duration {
	left := time.Duration(r.set.OpensAt.UnixMilli()-at) * time.Millisecond
	return max(pollTurn, min(pollFor(left), left))
}
