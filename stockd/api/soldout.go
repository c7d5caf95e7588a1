package api

import (
	"sync"
	"time"

	"ticketrush/stockd/stock"
)

// soldOutFor is how long a confirmed sold-out is believed. Only a refund can end it.
const soldOutFor = time.Second

// soldOut remembers which segments have said, after a commit, that all is sold, so that the crowd that comes too late costs the ledger one
// question per segment and second and not one for each person. Its size is bounded by the number of segments.
type soldOut struct {
	mu sync.Mutex
	at map[soldKey]time.Time // guarded by mu
}

type soldKey struct {
	event   stock.EventID
	segment stock.SegmentNo
}

func (s *soldOut) confirm(event stock.EventID, segment stock.SegmentNo, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = map[soldKey]time.Time{}
	}
	s.at[soldKey{event, segment}] = now
}

func (s *soldOut) confirmed(event stock.EventID, segment stock.SegmentNo, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.at[soldKey{event, segment}]
	return ok && now.Sub(at) < soldOutFor
}
