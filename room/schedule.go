package room

import (
	"fmt"
	"time"
)

// schedule is when a room opens, when its lobby does, and when it ends, once or again and again. Moments are Unix milliseconds, 0 for never.
type schedule struct {
	first int64 // opening of the first occurrence; 0: the room is simply open
	lobby int64 // ms before the opening; 0: from the start
	lasts int64 // ms from the opening to the end; where the room is simply open, the moment of the end. 0: no end by itself
	every int64 // ms from one opening to the next; 0: there is one
}

func (s Settings) schedule() (out schedule) {
	if !s.OpensAt.IsZero() {
		out.first, out.lobby, out.every = s.OpensAt.UnixMilli(), s.Lobby.Milliseconds(), s.Every.Milliseconds()
	}
	if !s.EndsAt.IsZero() {
		out.lasts = s.EndsAt.UnixMilli() - out.first
	}
	return out
}

// opening gives the opening of the occurrence that a moment belongs to: each begins with its lobby, the first one at any time before.
func (s *schedule) opening(at int64) int64 {
	begins := s.first - s.lobby
	if s.every == 0 || at < begins {
		return s.first
	}
	return s.first + (at-begins)/s.every*s.every
}

// has says whether an occurrence opens at this moment.
func (s *schedule) has(opening int64) bool {
	if s.every == 0 || opening < s.first {
		return opening == s.first
	}
	return (opening-s.first)%s.every == 0
}

// ends gives the end of the occurrence that opens then.
func (s *schedule) ends(opening int64) int64 {
	if s.lasts == 0 {
		return 0
	}
	return opening + s.lasts
}

// next gives the opening after this one.
func (s *schedule) next(opening int64) int64 {
	if s.every == 0 {
		return 0
	}
	return opening + s.every
}

// validateEvery says what is wrong with a schedule that repeats. Each occurrence needs a beginning, its lobby, and an end, or two of them would overlap.
func (s Settings) validateEvery() error {
	switch {
	case s.Every == 0:
		return nil
	case s.Every < time.Minute || s.Every > 366*24*time.Hour:
		return fmt.Errorf("every %v: must be from 1m to 8784h", s.Every)
	case s.OpensAt.IsZero() || s.EndsAt.IsZero() || s.Lobby == 0:
		return fmt.Errorf("every %v: needs opens, ends and lobby, which it repeats", s.Every)
	case s.EndsAt.Sub(s.OpensAt)+s.Lobby > s.Every:
		return fmt.Errorf("every %v: the next lobby would open before the sale ends: lobby and sale take %v", s.Every, s.EndsAt.Sub(s.OpensAt)+s.Lobby)
	}
	return nil
}

// Times are what the configuration says of opening, lobby, end and repetition; moments as Unix milliseconds, spans as milliseconds, 0 where there is none.
type Times struct {
	Opens int64 `json:"opens,omitempty"`
	Lobby int64 `json:"lobby,omitempty"`
	Ends  int64 `json:"ends,omitempty"`
	Every int64 `json:"every,omitempty"`
}

func (s Settings) times() Times {
	unix := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMilli()
	}
	return Times{Opens: unix(s.OpensAt), Lobby: s.Lobby.Milliseconds(), Ends: unix(s.EndsAt), Every: s.Every.Milliseconds()}
}

// adopt takes the schedule of new settings. A change of the schedule is no new edition: places and passes stay, and the moments move.
func (r *Room) adopt() {
	if times := r.set.times(); times != r.state.Times {
		r.do(Record{Kind: KindTimes, Times: &times, Reason: "configuration"})
	}
	r.when = r.set.schedule()
	if r.when.every == 0 {
		if r.state.Opens != 0 {
			r.do(Record{Kind: KindOccurrence})
		}
		return
	}
	// An opening that the schedule has is the one that this line belongs to; the next tick sees that it is over.
	if r.state.Opens == 0 || !r.when.has(r.state.Opens) {
		r.do(Record{Kind: KindOccurrence, Opens: r.when.opening(r.now)})
	}
}

// roll begins the next occurrence when its lobby opens: a new edition, with a line and a draw of its own. What ops ended is open again; what they
// paused, or let pass, stays so.
func (r *Room) roll(at int64) {
	if r.when.every == 0 {
		return
	}
	if opens := r.when.opening(at); opens > r.state.Opens {
		r.begin(at, Record{Kind: KindOccurrence, Opens: opens, Base: at, Reason: "schedule"})
	}
}

// opens gives the opening of the present occurrence; 0 when the room is simply open.
func (r *Room) opens() int64 {
	if r.when.every != 0 {
		return r.state.Opens
	}
	return r.when.first
}

// ends gives the end of the present occurrence; 0 when it has none.
func (r *Room) ends() int64 {
	return r.when.ends(r.opens())
}
