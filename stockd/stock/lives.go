package stock

import (
	"bytes"
	"slices"

	"github.com/google/uuid"
)

// Life is what a hold has left, for the node that takes its segment over.
type Life struct {
	Hold        uuid.UUID
	RemainingMs int64
}

// Lives are the committed holds that a deadline ends, in order of id. One that is overdue has 0 left.
func (s *Segment) Lives(now int64) []Life {
	var lives []Life
	for id, slot := range s.byID {
		if h := s.at(slot); h.state == Held && !h.tentative && !h.leg {
			lives = append(lives, Life{Hold: id, RemainingMs: max(h.deadline-now, 0)})
		}
	}
	slices.SortFunc(lives, func(a, b Life) int { return bytes.Compare(a.Hold[:], b.Hold[:]) })
	return lives
}
