package stock

import (
	"cmp"
	"slices"
)

// choice is the seats of a new hold, in order of index.
type choice struct {
	seats       []heldSeat
	rung        int8
	substituted bool
}

// validAsk is whether the request makes sense for any segment.
func validAsk(ask *Ask) bool {
	if ask.Together < TogetherPreferred || ask.Together > TogetherAny || ask.Orphans < OrphansAvoid || ask.Orphans > OrphansAllow {
		return false
	}
	for _, t := range ask.Types {
		if t < 0 {
			return false
		}
	}
	if len(ask.Seats) > 0 {
		return ask.Quantity == 0 && len(ask.Seats) <= QuantityMax && len(ask.Types) == 0 && ask.Accessible == 0
	}
	return ask.Quantity > 0 && ask.Quantity <= QuantityMax && (len(ask.Types) == 0 || len(ask.Types) == int(ask.Quantity)) &&
		ask.Accessible >= 0 && ask.Accessible <= ask.Quantity
}

// chooseUnits takes the next units of an area.
func (s *Segment) chooseUnits(ask *Ask, now int64) (choice, Answer) {
	if len(ask.Seats) > 0 {
		return choice{}, Answer{Code: CodeUnknownSeat}
	}
	if ask.Accessible > 0 {
		return choice{}, Answer{Code: CodeInvalid}
	}
	if ask.Quantity > s.freeCount() || s.nextUnit+ask.Quantity-1 > MaxIndex {
		return choice{}, s.nothingLeft(now)
	}
	c := choice{seats: s.chosen[:0]}
	for i := range ask.Quantity {
		c.seats = append(c.seats, heldSeat{index: s.nextUnit, typ: typeOf(ask, int(i)), ticket: int16(i)})
		s.nextUnit++
	}
	return c, Answer{}
}

// typeOf is the ticket type of the i-th person.
func typeOf(ask *Ask, i int) int16 {
	if len(ask.Types) == 0 {
		return 0
	}
	return ask.Types[i]
}

// nothingLeft tells sold out from all held. Only what is sold for good is sold out. Of an area with several segments the home alone may say it,
// and the ledger, which sees the others and the grants under way, has the last word.
func (s *Segment) nothingLeft(now int64) Answer {
	if s.sold == s.capacity && (s.layout != nil || s.no == s.home) {
		return Answer{Code: CodeSoldOut}
	}
	return Answer{Code: CodeAllHeld, FreeEstimate: s.freeEstimate(now), Moving: len(s.grants) > 0}
}

// chooseBest walks the ladder. Companion seats are kept for those who need them, until somebody takes any seats at all.
func (s *Segment) chooseBest(ask *Ask, now int64) (choice, Answer) {
	k := int(ask.Quantity)
	rung := int8(0)
	f := filter{cats: ask.Categories}
	switch {
	case int(s.freeCount()) < k:
	case ask.Accessible > 0:
		rung = s.pickAccessible(k, ask)
	default:
		if rung = s.choose(k, ask, f); rung == 0 && ask.Together == TogetherAny {
			f.companions = true
			rung = s.choose(k, ask, f)
		}
	}
	if rung == 0 {
		return choice{}, s.noFit(k, ask, f, now)
	}
	slices.Sort(s.picked)
	c := choice{seats: s.chosen[:0], rung: rung}
	for i, index := range s.picked {
		c.seats = append(c.seats, heldSeat{index: index, typ: typeOf(ask, i), ticket: int16(i)})
	}
	return c, Answer{}
}

// noFit says why nothing was found.
func (s *Segment) noFit(k int, ask *Ask, f filter, now int64) Answer {
	if int(s.freeCount()) < k {
		return s.nothingLeft(now)
	}
	if ask.Accessible > 0 {
		if len(s.freeAccessible(ask.Categories)) < int(ask.Accessible) {
			return s.nothingLeft(now)
		}
		return Answer{Code: CodeNotTogether, LargestRun: s.largestRun(filter{cats: ask.Categories, companions: true})}
	}
	if s.openCount(f) < k {
		return s.nothingLeft(now)
	}
	if ask.Orphans == OrphansNever {
		if _, ok := s.bestRun(k, false, f); ok {
			return Answer{Code: CodeWouldOrphan, LargestRun: s.largestRun(f)}
		}
	}
	return Answer{Code: CodeNotTogether, LargestRun: s.largestRun(f)}
}

// chooseNamed takes the seats that were named, or, when some are gone and the buyer allows it, seats like them.
func (s *Segment) chooseNamed(ask *Ask) (choice, Answer) {
	var conflicts []SeatID
	seats := s.chosen[:0]
	for ticket, a := range ask.Seats {
		i := a.Seat.Index()
		if a.Seat.Segment() != s.no || a.Seat < 0 || int(i) >= len(s.owner) {
			return choice{}, Answer{Code: CodeUnknownSeat, Conflicts: []SeatID{a.Seat}}
		}
		if a.Type < 0 || slices.ContainsFunc(seats, func(seat heldSeat) bool { return seat.index == i }) {
			return choice{}, Answer{Code: CodeInvalid}
		}
		seats = append(seats, heldSeat{index: i, typ: a.Type, ticket: int16(ticket)})
		if s.owner[i] != 0 {
			conflicts = append(conflicts, a.Seat)
		}
	}
	s.picked = s.picked[:0]
	for _, seat := range seats {
		s.picked = append(s.picked, seat.index)
	}
	if len(conflicts) == 0 && (ask.Orphans != OrphansNever || !s.leavesSingle(s.picked, filter{})) {
		sortSeats(seats)
		return choice{seats: seats}, Answer{}
	}
	rung := s.pickEquivalent(ask.Seats, ask)
	if len(conflicts) > 0 && ask.Nearest && rung != 0 {
		return s.substitute(ask, rung), Answer{}
	}
	answer := Answer{Code: CodeSeatTaken, Conflicts: conflicts}
	if len(conflicts) == 0 {
		answer.Code = CodeWouldOrphan
	}
	slices.Sort(s.picked)
	for _, i := range s.picked {
		answer.Alternatives = append(answer.Alternatives, NewSeatID(s.no, i))
	}
	return choice{}, answer
}

// substitute gives the choice in s.picked the tickets of the named seats: a named seat that is in it keeps its own, the others go by category.
func (s *Segment) substitute(ask *Ask, rung int8) choice {
	c := choice{seats: s.chosen[:0], rung: rung, substituted: true}
	slices.Sort(s.picked)
	wanted := slices.Clone(ask.Seats)
	tickets := make([]int16, len(wanted))
	for ticket := range tickets {
		tickets[ticket] = int16(ticket)
	}
	for _, i := range s.picked {
		at := slices.IndexFunc(wanted, func(w SeatAsk) bool { return w.Seat.Index() == i })
		if at < 0 {
			at = slices.IndexFunc(wanted, func(w SeatAsk) bool {
				return s.layout.cat[w.Seat.Index()] == s.layout.cat[i] && !slices.Contains(s.picked, w.Seat.Index())
			})
		}
		c.seats = append(c.seats, heldSeat{index: i, typ: wanted[at].Type, ticket: tickets[at]})
		wanted, tickets = slices.Delete(wanted, at, at+1), slices.Delete(tickets, at, at+1)
	}
	return c
}

func sortSeats(seats []heldSeat) {
	slices.SortFunc(seats, func(a, b heldSeat) int { return cmp.Compare(a.index, b.index) })
}
