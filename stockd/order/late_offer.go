package order

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// lateOther holds seats that are at least as good as those that the order had, together if that can be, and offers them at the price that was paid.
func (s *Service) lateOther(ctx context.Context, o *ledger.Order, l *ledger.Late) error {
	h, ok := s.stock.(hall)
	categories, err := s.ledger.LateCategories(ctx, o.ID)
	if err != nil {
		return err
	}
	if !ok || len(categories) == 0 {
		return errNoSeats
	}
	row, _, err := s.ledger.HoldByID(ctx, o.Hold)
	if err != nil {
		return err
	}
	ask := stock.Ask{Quantity: int32(len(o.Lines))}
	for _, c := range categories {
		ask.Categories |= 1 << c
	}
	var had []int64
	for _, line := range o.Lines {
		ask.Types, had = append(ask.Types, line.Type), append(had, line.Seat)
	}
	event, until := stock.EventID(o.Event), s.config.Now().Add(s.config.OfferFor)
	for _, together := range []stock.Together{stock.TogetherPreferred, stock.TogetherAny} {
		ask.Together = together
		for _, no := range h.BestSegments(event, ask) {
			hold, err := s.lateHold(ctx, o, no, "other", ask, limitsOf(&row, had), s.config.OfferFor+lateHold)
			if errors.Is(err, errNoSeats) {
				continue
			}
			if err != nil {
				return err
			}
			seats, fit := matched(o, &hold)
			if !fit {
				continue
			}
			s.metrics.late.WithLabelValues("offered").Inc()
			_, err = s.ledger.LateOffer(ctx, o.ID, o.Attempt, hold.ID, seats, until)
			return err
		}
	}
	return errNoSeats
}

// matched gives each line of an order a seat of a hold, of the line's ticket type.
func matched(o *ledger.Order, hold *stock.HoldView) (seats []int64, fit bool) {
	byType := map[int16][]int64{}
	for _, seat := range hold.Seats {
		byType[seat.Type] = append(byType[seat.Type], int64(seat.Seat))
	}
	for _, line := range o.Lines {
		left := byType[line.Type]
		if len(left) == 0 {
			return nil, false
		}
		seats, byType[line.Type] = append(seats, left[0]), left[1:]
	}
	return seats, len(seats) == len(hold.Seats)
}

// Offer is the offer that waits for the order's buyer; nil when there is none.
func (s *Service) Offer(ctx context.Context, o *ledger.Order) (*ledger.Late, error) {
	if State(o.State) != Paying {
		return nil, nil
	}
	l, err := s.ledger.LateGet(ctx, o.ID)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && l.State != ledger.LateOffered {
		return nil, nil
	}
	return &l, err
}

// ErrNoOffer: nothing is offered to the order's buyer, or not any more.
var ErrNoOffer = errors.New("nothing is offered, or not any more")

// AnswerOffer is the buyer's yes or no to the seats that are offered. Yes: the order has them with the answer, and is paid a moment later. No: the money
// goes back. The same answer twice is one. Errors: ErrNotFound, ErrNoOffer.
func (s *Service) AnswerOffer(ctx context.Context, id uuid.UUID, yes bool) (again bool, err error) {
	o, err := s.Get(ctx, id)
	if err != nil {
		return false, err
	}
	l, err := s.ledger.LateGet(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound) || err == nil && l.Hold == uuid.Nil:
		return false, ErrNoOffer
	case err != nil:
		return false, err
	case !yes && l.State == ledger.LateReturned:
		return true, nil
	case !yes && l.State != ledger.LateOffered:
		return false, ErrNoOffer
	case !yes:
		return false, s.lateReturn(ctx, &l, "the other seats were not wanted")
	}
	code, err := s.ledger.LateAccept(ctx, id, s.config.Now())
	if err != nil {
		return false, err
	}
	if code != ledger.LateYes && code != ledger.LateYesBefore {
		return false, ErrNoOffer
	}
	if err := s.Late(ctx, id); err != nil {
		s.log.Warn("the seats of an offer are not pinned yet; it is tried again", "order", o.ID, "error", err)
	}
	return code == ledger.LateYesBefore, nil
}

// lateReturn sends the money back.
func (s *Service) lateReturn(ctx context.Context, l *ledger.Late, reason string) error {
	returned, err := s.ledger.LateReturn(ctx, l.Order, l.Attempt, reason, s.config.Now())
	if returned {
		s.metrics.late.WithLabelValues("returned").Inc()
		s.callSoon()
	}
	return err
}

// tidyLate goes on with late payments.
func (s *Service) tidyLate(ctx context.Context) error {
	ids, err := s.ledger.LateOpen(ctx, s.config.Now(), tidyBatch)
	if err != nil {
		return err
	}
	return s.each(ctx, ids, s.Late)
}
