package order

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// overdue ends an attempt whose time is up. The provider is asked: what has succeeded there is decided; else the order expires, and then the
// payment is voided. In this order, because a success between the question and the void must find either a paying order or a void to come.
// A provider that does not answer makes the order stuck: it is asked again, and at the end the order expires whatever it says.
func (s *Service) overdue(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	o, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	now := s.config.Now()
	state, late := State(o.State), !o.PayingUntil.After(now)
	if state != Stuck && (state != Paying || !late) {
		return nil
	}
	if l, err := s.ledger.LateGet(ctx, id); err == nil && l.State != ledger.LatePlaced {
		return s.Late(ctx, id) // it ends by itself
	} else if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	silent := false
	for i := range o.Payments {
		p := &o.Payments[i]
		if p.Attempt != o.Attempt || p.State == PaymentFailed || p.State == PaymentVoided {
			continue
		}
		paid, err := s.ask(ctx, p)
		if paid {
			return err
		}
		if err != nil {
			silent = true
			s.log.Warn("a payment provider does not say what became of a payment; it is asked again", "order", id, "payment", p.ID, "error", err)
		}
	}
	if silent && state == Paying {
		s.metrics.stuck.Inc()
		_, err := s.ledger.OrderStuck(ctx, id, o.Attempt, "the provider does not answer", now.Add(s.config.StuckFor), now)
		return err
	}
	if silent && !late {
		return s.ledger.OrderAskAt(ctx, id, now.Add(askAgain(o.PayingUntil.Sub(now), s.config.StuckFor)))
	}
	return s.expire(ctx, &o)
}

// How soon a silent provider is asked again, at first and at most.
const (
	askFirst = 5 * time.Second
	askMost  = 2 * time.Minute
)

// askAgain is how long to wait before a silent provider is asked again: as long as it has been silent, so that the pauses double, and a random half of it,
// so that what got stuck together is not asked about together.
func askAgain(left, all time.Duration) time.Duration {
	d := min(max(all-left, askFirst), askMost)
	return d/2 + rand.N(d/2)
}

// ask asks the provider for a payment's state and applies a success. It says whether the payment has paid its order.
func (s *Service) ask(ctx context.Context, p *ledger.Payment) (paid bool, err error) {
	from, known := s.providers[p.Provider]
	if !known {
		return false, fmt.Errorf("the provider %q is not configured any more", p.Provider)
	}
	status, err := from.Status(ctx, p.ProviderRef)
	if err != nil || (status.State != PaymentAuthorized && status.State != PaymentCaptured) {
		return false, err
	}
	v, err := s.asked(ctx, p, status)
	if err != nil {
		return true, err // not known: the order stays as it is until the next time
	}
	return v.Code == ledger.FactPaid || v.Code == ledger.FactAlready, nil
}

// expire ends an order whose payment took too long, gives back what may still come, and frees its seats.
func (s *Service) expire(ctx context.Context, o *ledger.Order) error {
	moved, err := s.ledger.OrderExpire(ctx, o.ID, o.State, o.Attempt, "not paid in time", s.config.Now())
	if err != nil || !moved {
		return err
	}
	s.callSoon()
	return s.unpin(ctx, ledger.LoosePin{Order: o.ID, Attempt: o.Attempt, Hold: o.Hold, Event: o.Event, Segment: o.Segment, State: ledger.OrderExpired})
}

// tidyOverdue ends the attempts whose time is up.
func (s *Service) tidyOverdue(ctx context.Context, stuck bool) error {
	ids, err := s.ledger.OrdersOverdue(ctx, s.config.Now(), stuck, tidyBatch)
	if err != nil {
		return err
	}
	return s.each(ctx, ids, s.overdue)
}

// each does something for the orders of this node, a few at a time.
func (s *Service) each(ctx context.Context, ids []uuid.UUID, do func(context.Context, uuid.UUID) error) error {
	var g group
	for _, id := range ids {
		if s.mine(id) {
			g.run(func() error { return do(ctx, id) })
		}
	}
	return g.wait()
}
