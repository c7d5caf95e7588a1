package stock

import (
	"errors"
	"fmt"
)

// ErrBroken is the cause of every error of Check.
var ErrBroken = errors.New("conservation is broken")

// Check verifies that nothing was lost or made: free + held + paying + sold = capacity, each seat belongs to one hold or to the pool, and
// every index agrees with the seats. It costs a look at everything.
func (s *Segment) Check() error {
	var held, paying, sold int32
	seats := 0
	for id, slot := range s.byID {
		h := s.at(slot)
		n := int32(len(h.seats))
		if h.id != id || n == 0 {
			return fmt.Errorf("%w: hold %v with %d seats is filed under %v", ErrBroken, h.id, n, id)
		}
		switch h.state {
		case Held:
			held += n
		case Paying:
			paying += n
		case Sold:
			sold += n
		default:
			return fmt.Errorf("%w: hold %v has state %d", ErrBroken, id, h.state)
		}
		seats += len(h.seats)
		if err := s.checkHold(slot, h); err != nil {
			return err
		}
	}
	if held != s.held || paying != s.paying || sold != s.sold || s.freeCount() < 0 {
		return fmt.Errorf("%w: counts %+v, holds have %d held, %d paying, %d sold", ErrBroken, s.Counts(), held, paying, sold)
	}
	if s.layout == nil {
		return errors.Join(s.checkGrants(), s.checkLists())
	}
	taken := 0
	for i, slot := range s.owner {
		b, bit := s.layout.bit(int32(i))
		if slot != 0 {
			taken++
		}
		if free := s.free[b]>>bit&1 != 0; free != (slot == 0) {
			return fmt.Errorf("%w: seat %d is free=%v and has hold %d", ErrBroken, i, free, slot)
		}
	}
	if taken != seats {
		return fmt.Errorf("%w: %d seats are taken, holds have %d", ErrBroken, taken, seats)
	}
	if err := s.checkIndex(); err != nil {
		return err
	}
	return s.checkLists()
}

func (s *Segment) checkHold(slot uint32, h *hold) error {
	for i, seat := range h.seats {
		if i > 0 && h.seats[i-1].index >= seat.index {
			return fmt.Errorf("%w: seats of hold %v are out of order", ErrBroken, h.id)
		}
		if s.layout != nil && s.owner[seat.index] != slot {
			return fmt.Errorf("%w: seat %d of hold %v belongs to another", ErrBroken, seat.index, h.id)
		}
		if s.layout == nil && seat.index >= s.nextUnit {
			return fmt.Errorf("%w: unit %d of hold %v was not given yet", ErrBroken, seat.index, h.id)
		}
	}
	timed := h.list == listWheel || h.list == listOverdue
	if h.leg {
		if (h.state != Sold && !h.tentative) != (h.list == listLegs) {
			return fmt.Errorf("%w: leg %v in state %d is in list %d", ErrBroken, h.id, h.state, h.list)
		}
	} else if (h.state == Held && !h.tentative) != timed || (h.state == Paying) != (h.list == listPins) {
		return fmt.Errorf("%w: hold %v in state %d is in list %d", ErrBroken, h.id, h.state, h.list)
	}
	return nil
}

func (s *Segment) checkIndex() error {
	fresh := newIndex(len(s.free))
	for b := range s.free {
		if s.free[b]&^s.layout.blocks[b].full != 0 {
			return fmt.Errorf("%w: block %d has free seats that it has not", ErrBroken, b)
		}
		s.updateIndex(&fresh, b)
		for k := range fresh.bound {
			if fresh.bound[k][b] != s.index.bound[k][b] {
				return fmt.Errorf("%w: the index has a wrong distance for runs of %d in block %d", ErrBroken, k, b)
			}
		}
	}
	for k := 1; k <= indexedRun; k++ {
		for i := range fresh.has[k] {
			if fresh.has[k][i] != s.index.has[k][i] || fresh.legal[k][i] != s.index.legal[k][i] {
				return fmt.Errorf("%w: the index for runs of %d is stale in word %d", ErrBroken, k, i)
			}
		}
	}
	return nil
}

// checkLists walks the rings: each linked hold is in the one that it names.
func (s *Segment) checkLists() error {
	linked := 0
	walk := func(head uint32, list uint8) error {
		for at, steps := head, 0; at != 0; steps++ {
			h := s.at(at)
			if h.list != list || s.at(h.next).prev != at || steps > int(s.places) {
				return fmt.Errorf("%w: list %d is torn at hold %v", ErrBroken, list, h.id)
			}
			linked++
			if at = h.next; at == head {
				break
			}
		}
		return nil
	}
	if err := errors.Join(walk(s.overdue, listOverdue), walk(s.pins, listPins), walk(s.legs, listLegs)); err != nil {
		return err
	}
	if s.timers != nil {
		before := linked
		for _, p := range s.timers.pages {
			if p == nil {
				continue
			}
			for _, head := range p.head {
				if err := walk(head, listWheel); err != nil {
					return err
				}
			}
		}
		if linked-before != s.timers.count {
			return fmt.Errorf("%w: %d timers, %d counted", ErrBroken, linked-before, s.timers.count)
		}
	}
	want := 0
	for _, slot := range s.byID {
		if s.at(slot).list != listNone {
			want++
		}
	}
	if linked != want {
		return fmt.Errorf("%w: %d holds are in lists, %d should be", ErrBroken, linked, want)
	}
	return nil
}
