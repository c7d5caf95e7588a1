package rush

import (
	"maps"
	"slices"
	"time"
)

// Summary is what came of a rush.
type Summary struct {
	Config  Config
	Event   Event
	Room    string
	Started time.Time
	Took    time.Duration
	Before  Availability // when it began
	After   Availability // when everything had settled

	RateAsked float64 // people per second, the highest that the room's document told; 0 without a room
	MaxActive int     // the most people that the room lets be inside
	Inside    int     // the most that its document told were

	Arrived, Admitted, CameAgain int
	AdmittedPerS                 float64 // while others waited behind
	Wait, Hold, Pay, Issue       Spread
	Holds, HeldSeats             int
	Released, LeftBehind, RanOut int
	Orders, Declined             int
	MissedOut, GaveUp, Requests  int
	Refusals, Faults             []Count
	Rows                         []Row

	// What was checked at the end, order by order.
	SeatsSold     int      // the event's count of sold places, less what was sold before
	SeatsPaid     int      // places of the orders that are paid or issued
	TicketsIssued int      // different tickets on different places
	Unsettled     []string // orders that did not come to an end
	Oversold      []string // places with two tickets, or more sold than there are
	Lost          []string // promises that were not kept

	TimedOut, Interrupted bool
	Verdict               []Check
}

// Count is how often something happened.
type Count struct {
	What  string
	Times int
}

// frontier keeps what the room's document says from second to second.
func (s *Summary) frontier(f frontier) {
	s.RateAsked = max(s.RateAsked, f.Rate)
	s.MaxActive = max(s.MaxActive, f.MaxActive)
	s.Inside = max(s.Inside, f.Inside)
}

// collect takes the totals of the tally.
func (s *Summary) collect(t *tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.count
	s.Arrived, s.Admitted, s.CameAgain = c.Arrived, c.Admitted, max(0, c.Arrived-s.Config.Fans)
	s.Holds, s.HeldSeats = c.Holds, c.HeldSeats
	s.Released, s.LeftBehind, s.RanOut = c.Released, c.LeftBehind, c.RanOut
	s.Orders, s.Declined = c.Orders, c.Declined
	s.MissedOut, s.GaveUp, s.Requests = c.MissedOut, c.GaveUp, c.Requests
	s.AdmittedPerS = t.admissionRate()
	s.Wait, s.Hold, s.Pay, s.Issue = t.wait.spread(), t.hold.spread(), t.pay.spread(), t.issue.spread()
	s.Refusals, s.Faults = byTimes(t.refusals), byTimes(t.errors)
	s.Rows = slices.Clone(t.rows)
	s.Oversold = append(s.Oversold, t.ledger.doubled...)
	s.Lost = append(s.Lost, t.ledger.lost...)
}

// byTimes orders counts, the most frequent first.
func byTimes(m map[string]int) []Count {
	list := make([]Count, 0, len(m))
	for _, what := range slices.Sorted(maps.Keys(m)) {
		list = append(list, Count{what, m[what]})
	}
	slices.SortStableFunc(list, func(a, b Count) int { return b.Times - a.Times })
	return list
}

func total(list []Count) (n int) {
	for _, c := range list {
		n += c.Times
	}
	return n
}
