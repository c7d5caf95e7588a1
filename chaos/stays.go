package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"ticketrush/room"
)

// stays is what the visitors of one room were told: from when to when they are inside. Times are the room's owner's, Unix milliseconds. Only what was answered
// counts, so what is known here is the least that the owner has promised: with more people inside at once than there are slots, one promise too many was made.
type stays struct {
	most  int   // slots
	grace int64 // ms for which a slot stays taken after the end of its pass

	mu       sync.Mutex // guards what follows
	all      map[room.Tid]*stay
	past     []stay // of visitors whose pass ended before they were let in again
	renewals int
	frontier [2]uint64 // the highest that any edge was answered, by group
	edition  uint16
	fence    uint64 // of the last owner that anybody met
	owners   int
}

// stay is one visitor's.
type stay struct {
	admitted, until int64
	renewal         uint16
	left            bool // or asked to leave: nothing is promised any more
}

func newStays(most int, grace int64) *stays {
	return &stays{most: most, grace: grace, all: map[room.Tid]*stay{}}
}

// let takes the answer to a claim: somebody who is inside already has to be told of the same stay.
func (s *stays) let(tid room.Tid, in room.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.all[tid]
	if was == nil {
		s.all[tid] = &stay{in.Admitted, in.Expires, in.Renewal, false}
		return nil
	}
	if was.admitted != in.Admitted && in.Admitted < was.until && !was.left {
		return fmt.Errorf("%v was let in at %d until %d, and again at %d: two passes", tid, was.admitted, was.until, in.Admitted)
	}
	if was.admitted != in.Admitted {
		s.past = append(s.past, *was)
		*was = stay{in.Admitted, in.Expires, in.Renewal, false}
		return nil
	}
	was.until = max(was.until, in.Expires)
	return nil
}

// renewed takes the answer to a renewal.
func (s *stays) renewed(tid room.Tid, in room.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.all[tid]
	s.renewals++
	if in.Admitted != was.admitted || in.Renewal < was.renewal || in.Expires < was.until {
		return fmt.Errorf("%v was let in at %d until %d with renewal %d, and is renewed as %+v", tid, was.admitted, was.until, was.renewal, in)
	}
	was.until, was.renewal = in.Expires, in.Renewal
	return nil
}

// leaves notes that somebody is about to ask to leave: from then on the owner may give their slot on, once all edges have heard of it.
func (s *stays) leaves(tid room.Tid, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.all[tid]
	was.left, was.until = true, min(was.until, at)
}

// lost says whether somebody who was told that they are inside at this moment, and for some time more, should not have been told that they are not.
func (s *stays) lost(tid room.Tid, at int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was := s.all[tid]; was != nil && !was.left && at < was.until {
		return fmt.Errorf("%v was let in at %d until %d, and the room's owner does not know of it at %d", tid, was.admitted, was.until, at)
	}
	return nil
}

// seen gives the frontier that was shown so far, with its edition; shown takes an answer whose question was asked after that.
func (s *stays) seen() (edition uint16, frontier [2]uint64, fence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.edition, s.frontier, s.fence
}

func (s *stays) shown(edition uint16, before [2]uint64, a *room.Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Fence > s.fence {
		s.fence = a.Fence
		s.owners++
	}
	if a.Edition != edition && edition != 0 {
		return fmt.Errorf("edition %d followed edition %d, and nobody began one", a.Edition, edition)
	}
	s.edition = a.Edition
	for g := range before {
		if a.Frontier[g] < before[g] {
			return fmt.Errorf("the frontier %d went back from %d to %d under fence %d", g, before[g], a.Frontier[g], a.Fence)
		}
		s.frontier[g] = max(s.frontier[g], a.Frontier[g])
	}
	return nil
}

// inside gives the most people who were inside at once, and when. Whoever left counts until they asked to, others until their pass's end and the grace after it.
func (s *stays) inside() (most int, at int64) {
	type change struct {
		at int64
		by int
	}
	s.mu.Lock()
	changes := make([]change, 0, 2*(len(s.all)+len(s.past)))
	count := func(in *stay) {
		end := in.until
		if !in.left {
			end += s.grace
		}
		if end > in.admitted {
			changes = append(changes, change{in.admitted, 1}, change{end, -1})
		}
	}
	for _, in := range s.all {
		count(in)
	}
	for i := range s.past {
		count(&s.past[i])
	}
	s.mu.Unlock()
	// A slot that is free at a moment may be taken at it.
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	now := 0
	for _, c := range changes {
		if now += c.by; now > most {
			most, at = now, c.at
		}
	}
	return most, at
}

// check is what may never be.
func (s *stays) check() error {
	if most, at := s.inside(); most > s.most {
		return fmt.Errorf("%d people were told that they are inside at %d, and there are %d slots", most, at, s.most)
	}
	return nil
}
