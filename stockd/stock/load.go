package stock

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// ErrRows is the cause of every refusal of Load: rows that contradict each other or the layout. It is an alarm, never routine.
var ErrRows = errors.New("rows of the ledger contradict each other")

// Load replaces the state by what the ledger has, for a segment that has just been claimed. nextUnit is the next unit of an area.
// After an error the segment must not be used.
func (s *Segment) Load(rows []SeatRow, holds []HoldRow, nextUnit int32) error {
	s.reset()
	s.nextUnit = max(nextUnit, 1)
	want := make(map[uuid.UUID]int32, len(holds))
	for i := range holds {
		if err := s.loadHold(&holds[i]); err != nil {
			return err
		}
		if !holds[i].Leg {
			want[holds[i].ID] = holds[i].Quantity
		}
	}
	seen := make(map[int32]struct{}, len(rows))
	for i := range rows {
		index := rows[i].Seat.Index()
		if _, twice := seen[index]; twice {
			return fmt.Errorf("%w: seat %d occurs twice", ErrRows, rows[i].Seat)
		}
		seen[index] = struct{}{}
		if err := s.loadSeat(&rows[i]); err != nil {
			return err
		}
	}
	for slot := uint32(1); slot < s.places; slot++ { // in order of the rows: the same rows give the same segment, its timers included
		h := s.at(slot)
		id := h.id
		quantity, ok := want[id]
		switch n := int32(len(h.seats)); {
		case !ok && h.state != Sold && !h.leg:
			return fmt.Errorf("%w: seats of hold %v, which has no row", ErrRows, id)
		case n == 0, ok && h.state != Sold && n != quantity, ok && n > quantity: // a part of a sold hold may have been refunded
			return fmt.Errorf("%w: hold %v has %d seats, its row says %d", ErrRows, id, n, quantity)
		}
		sortSeats(h.seats)
		s.loadLists(slot, h)
	}
	return s.Check()
}

func (s *Segment) loadHold(row *HoldRow) error {
	if _, twice := s.byID[row.ID]; twice || row.ID == (uuid.UUID{}) {
		return fmt.Errorf("%w: hold %v occurs twice or is zero", ErrRows, row.ID)
	}
	_, h := s.newHold(row.ID)
	h.generation, h.deadline, h.maxExpires = row.Generation, row.Deadline, row.MaxExpires
	h.order, h.attempt, h.quotas, h.leg = row.Order, row.Attempt, row.Quotas, row.Leg
	s.generation = max(s.generation, row.Generation)
	return nil
}

func (s *Segment) loadSeat(row *SeatRow) error {
	index := row.Seat.Index()
	if row.Seat.Segment() != s.no || row.Seat < 0 || s.layout != nil && int(index) >= len(s.owner) {
		return fmt.Errorf("%w: seat %d is not in segment %d", ErrRows, row.Seat, s.no)
	}
	if row.Ver < 0 || row.State < Available || row.State > Sold {
		return fmt.Errorf("%w: seat %d has version %d and state %d", ErrRows, row.Seat, row.Ver, row.State)
	}
	if s.layout != nil {
		s.ver[index] = row.Ver
	} else {
		s.nextUnit = max(s.nextUnit, index+1)
	}
	if row.State == Available {
		return nil
	}
	if row.Hold == (uuid.UUID{}) {
		return fmt.Errorf("%w: seat %d is not available and has no hold", ErrRows, row.Seat)
	}
	slot, found := s.byID[row.Hold]
	if !found {
		var h *hold
		slot, h = s.newHold(row.Hold)
		h.generation = row.Generation
		s.generation = max(s.generation, row.Generation)
	}
	h := s.at(slot)
	if h.state == Available {
		h.state = row.State
		if h.leg {
			h.generation = row.Generation
		}
		if row.State != Held {
			h.order, h.attempt = row.Order, row.Attempt
		}
	}
	if h.state != row.State || h.generation != row.Generation || row.State != Held && (h.order != row.Order || h.attempt != row.Attempt) {
		return fmt.Errorf("%w: the seats of hold %v differ in state, generation, order or attempt (seat %d)", ErrRows, row.Hold, row.Seat)
	}
	h.seats = append(h.seats, heldSeat{index: index, ver: row.Ver, typ: row.Type})
	s.count(row.State, 1)
	if s.layout != nil {
		s.take(slot, index)
		s.reindex(h.seats[len(h.seats)-1:])
	}
	return nil
}

// loadLists puts a loaded hold where time or the order service finds it.
func (s *Segment) loadLists(slot uint32, h *hold) {
	switch {
	case h.leg && h.state != Sold: // it may have been left behind: its row is looked at soon
		h.list = listLegs
		s.link(slot, h)
	case h.state == Held:
		s.arm(slot, h, h.deadline)
	case h.state == Paying:
		h.list = listPins
		s.link(slot, h)
	}
}
