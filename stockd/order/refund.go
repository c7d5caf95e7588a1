package order

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// What the tickets of refunded seats say.
const (
	VoidRefunded  = "refunded"
	VoidCancelled = "cancelled" // the event does not take place
)

// Why a refund is not decided.
var (
	ErrNoLine    = errors.New("a seat is not the order's, or not any more")
	ErrKeyReused = errors.New("the id was used for another wish")
)

// Refund decides to give money back for seats of an order, or for all that it still has: its tickets are void with the answer, the money and the seats
// follow by the workers. The same wish twice is one refund (again). Whether who asks may have it is the caller's to know. Errors: ErrNotFound, ErrNoLine,
// ErrKeyReused, ErrBusy, IllegalTransition.
func (s *Service) Refund(ctx context.Context, wish *ledger.RefundWish) (again bool, err error) {
	code, err := s.ledger.RefundDecide(ctx, wish, s.config.Now())
	if err == nil && code == ledger.RefundTooSoon {
		// A part of an order is refunded when its tickets are there, so that each part knows its own. They are a moment away.
		if err := s.Follow(ctx, wish.Order); err != nil {
			return false, errors.Join(ErrBusy, err)
		}
		code, err = s.ledger.RefundDecide(ctx, wish, s.config.Now())
	}
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return false, ErrNotFound
	case err != nil:
		return false, err
	}
	switch code {
	case ledger.RefundDecided:
		s.metrics.decidedRefunds.Inc()
		s.callSoon()
		return false, nil
	case ledger.RefundReplay:
		return true, nil
	case ledger.RefundNoLine:
		return false, ErrNoLine
	case ledger.RefundIDReused:
		return false, ErrKeyReused
	case ledger.RefundState, ledger.RefundNothing:
		o, err := s.Get(ctx, wish.Order)
		if err != nil {
			return false, err
		}
		return false, illegal(State(o.State), EventCancel)
	}
	return false, ErrBusy
}

// Refunds are the refunds of an order, in order of time.
func (s *Service) Refunds(ctx context.Context, order uuid.UUID) ([]ledger.Refund, error) {
	return s.ledger.RefundsOfOrder(ctx, order)
}

// callRefund sends captured money back. What was only authorised, as far as we know, is given back by a void; the provider knows better.
func (s *Service) callRefund(ctx context.Context, b *backJob) error {
	from, err := s.provider(b.Provider)
	if err != nil {
		return err
	}
	r, err := s.ledger.RefundGet(ctx, b.Refund)
	if err != nil || r.State == "sent" {
		return err
	}
	if r.Captured == 0 {
		if voided, err := s.voidRefund(ctx, from, b); voided || err != nil {
			return err
		}
	}
	key := b.Key
	if key == uuid.Nil {
		key = b.Refund
	}
	if err := from.Refund(ctx, b.Ref, key, b.Amount); err != nil {
		return err
	}
	s.metrics.refunded.Inc()
	_, err = s.ledger.RefundSent(ctx, b.Refund, s.config.Now())
	return err
}

// voidRefund gives back what was not taken yet. It says false when the money was taken: then it has to be sent.
func (s *Service) voidRefund(ctx context.Context, from Provider, b *backJob) (bool, error) {
	if err := from.Void(ctx, b.Ref); err != nil {
		status, asked := from.Status(ctx, b.Ref)
		if asked == nil && (status.State == PaymentCaptured || status.State == PaymentRefunded) {
			return false, nil
		}
		return false, errors.Join(err, asked)
	}
	s.metrics.voided.Inc()
	_, err := s.ledger.RefundVoided(ctx, b.Refund, s.config.Now())
	return true, err
}

// unsell frees the seats that an order still has although their lines, or the order, have ended.
func (s *Service) unsell(ctx context.Context, id uuid.UUID) error {
	o, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	seats, err := s.ledger.SeatsToUnsell(ctx, id)
	if err != nil || len(seats) == 0 {
		return err
	}
	answer, err := s.unsellSeats(ctx, &o, seats)
	if err != nil {
		return err
	}
	if seats, err = s.ledger.SeatsToUnsell(ctx, id); err != nil || len(seats) > 0 {
		return errors.Join(err, fmt.Errorf("%d seats of order %s are still its (code %d)", len(seats), id, answer.Code))
	}
	return nil
}

// unsellSeats asks each segment for its sold seats, and gives pins back when there are some: what is sold first, because what is left of the hold gives
// back what the sold seats do not.
func (s *Service) unsellSeats(ctx context.Context, o *ledger.Order, seats []ledger.LooseSeat) (answer stock.Answer, err error) {
	asks, pinned := map[stock.SegmentNo][]stock.SeatAsk{}, false
	for _, seat := range seats { // in order of segment
		if seat.State != int16(stock.Sold) {
			pinned = true
			continue
		}
		id := stock.SeatID(seat.Seat)
		asks[id.Segment()] = append(asks[id.Segment()], stock.SeatAsk{Seat: id})
	}
	for no, named := range asks {
		cmd := stock.Command{Kind: stock.KindRefund, Event: stock.EventID(o.Event), Segment: no, Hold: o.Hold, Order: o.ID, Attempt: o.Attempt, Ask: stock.Ask{Seats: named}}
		if answer, err = s.do(ctx, cmd); err != nil {
			return answer, err
		}
	}
	if pinned {
		err = s.unpin(ctx, ledger.LoosePin{Order: o.ID, Attempt: o.Attempt, Hold: o.Hold, Event: o.Event, Segment: o.Segment, State: o.State})
	}
	return answer, err
}

// tidyDisputed sells the pins of orders that came into dispute before their seats were sold: a dispute takes money, no seats.
func (s *Service) tidyDisputed(ctx context.Context) error {
	ids, err := s.ledger.OrdersToSell(ctx, tidyBatch)
	if err != nil {
		return err
	}
	return s.each(ctx, ids, func(ctx context.Context, id uuid.UUID) error {
		o, err := s.Get(ctx, id)
		if err != nil || State(o.State) != Disputed {
			return err
		}
		_, err = s.doAll(ctx, stock.KindSell, &o, o.Attempt, false)
		return err // a refusal means that it was done before
	})
}
