package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// StartPayment begins to pay an order: the order turns paying, its seats are pinned to the attempt, and only then a payment is created at the
// provider. While an attempt is open, it answers with that attempt's payment and says so; the same after a crash in the middle.
//
// A call that has waited for long has been sent again by its client, and that one may have begun an attempt and seen it fail: a late call must not
// begin another, which nobody would know of. It is told to come again.
//
// key names the request: a copy of it that comes when its attempt has failed already, out of a network or a process that had stopped, is answered with
// that attempt's payment.
func (s *Service) StartPayment(ctx context.Context, id, key uuid.UUID, provider, returnURL string) (p ledger.Payment, again bool, err error) {
	from, ok := s.providers[provider]
	if !ok {
		return p, false, ErrNoProvider
	}
	asked := s.config.Now()
	o, err := s.Get(ctx, id)
	if err != nil {
		return p, false, err
	}
	for _, p := range o.Payments {
		if p.Key == key && key != uuid.Nil {
			return p, true, nil
		}
	}
	now := s.config.Now()
	switch State(o.State) {
	case PendingPayment:
		if now.Sub(asked) > askedMax {
			return p, false, ErrBusy
		}
		// Only the attempt after the one that was read: when another began and failed meanwhile, this call is a late one.
		next := o.Attempt + 1
		o.PayingUntil = now.Add(s.config.PayFor)
		o.Attempt, err = s.ledger.PaymentBegin(ctx, id, min(s.config.Attempts, next), o.PayingUntil, now)
		switch {
		case errors.Is(err, ledger.ErrOrderState), errors.Is(err, ledger.ErrTooManyAttempts) && next <= s.config.Attempts:
			return p, false, ErrBusy // somebody was faster; the next call finds their payment
		case errors.Is(err, ledger.ErrTooManyAttempts), errors.Is(err, ledger.ErrEventCancelled):
			return p, false, illegal(PendingPayment, EventPayStart)
		case errors.Is(err, ledger.ErrHoldOver):
			return p, false, illegal(Expired, EventPayStart) // the hold's owner is about to say so in the ledger
		case err != nil:
			return p, false, err
		}
	case Paying:
		if p, ok := paymentOf(&o, provider); ok {
			return p, true, nil
		}
		if _, err := s.ledger.LateGet(ctx, id); !errors.Is(err, ledger.ErrNotFound) {
			return p, false, errors.Join(illegal(Paying, EventPayStart), err) // it was paid, late: seats are looked for
		}
		again = true
	default:
		return p, false, illegal(State(o.State), EventPayStart)
	}
	p, err = s.create(ctx, from, &o, key, returnURL)
	return p, again, err
}

// askedMax is how old a request may be that begins an attempt: younger than any client's patience.
const askedMax = 2 * time.Second

// paymentOf is the payment of the order's attempt at a provider, or at any.
func paymentOf(o *ledger.Order, provider string) (ledger.Payment, bool) {
	for _, p := range o.Payments {
		if p.Attempt == o.Attempt && (provider == "" || p.Provider == provider) {
			return p, true
		}
	}
	return ledger.Payment{}, false
}

// create pins the seats and creates the payment. Both may be repeated. What is refused for good ends the attempt; of what is not known, the
// next call or the deadline finds out.
func (s *Service) create(ctx context.Context, from Provider, o *ledger.Order, key uuid.UUID, returnURL string) (ledger.Payment, error) {
	answer, err := s.doAll(ctx, stock.KindPin, o, o.Attempt, true)
	if err != nil {
		return ledger.Payment{}, err
	}
	if answer.Code != stock.CodeOK && answer.Code != stock.CodeReplay {
		if answer.Code == stock.CodeBusy {
			return ledger.Payment{}, ErrBusy
		}
		return ledger.Payment{}, errors.Join(&Refused{Answer: answer}, s.failAttempt(ctx, o, fmt.Sprintf("the seats could not be pinned (code %d)", answer.Code)))
	}
	pid := stock.NewCoordinatedID(stock.CoordinatorOf(o.ID), o.ID, attemptKey(o.Attempt), "payment/"+from.Name())
	created, err := from.Create(ctx, Intent{ID: pid, Order: o.ID, Attempt: o.Attempt, Amount: o.Total, Currency: o.Currency, ReturnURL: returnURL, PayBy: o.PayingUntil})
	if err != nil {
		err = fmt.Errorf("create the payment at %s: %w", from.Name(), err)
		if _, other := paymentOf(o, ""); errors.Is(err, ErrDeclined) && !other {
			err = errors.Join(err, s.failAttempt(ctx, o, "refused by "+from.Name()))
		}
		return ledger.Payment{}, err
	}
	p := ledger.Payment{
		ID: pid, OrderID: o.ID, Attempt: o.Attempt, Provider: from.Name(), ProviderRef: created.Ref, PayUrl: created.PayURL, Key: key, Amount: o.Total, Currency: o.Currency, State: PaymentCreated,
	}
	return p, s.ledger.PaymentInsert(ctx, p)
}

// attemptKey names an attempt in ids.
func attemptKey(attempt int32) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "attempt %d", attempt))
}

// Busy means that something else of the hold or its order is in flight, for milliseconds.
const (
	busyTries = 6
	busyPause = 5 * time.Millisecond // doubled each time
)

// do runs a command, and again while the stock is busy with the same hold.
func (s *Service) do(ctx context.Context, cmd stock.Command) (answer stock.Answer, err error) {
	for try := range busyTries {
		answer, err = s.stock.Do(ctx, cmd)
		if err != nil || answer.Code != stock.CodeBusy || try == busyTries-1 {
			break
		}
		select {
		case <-time.After(busyPause << try):
		case <-ctx.Done():
			return answer, ctx.Err()
		}
	}
	return answer, err
}

// failAttempt ends an attempt for which no payment was made: the order waits for payment again, and its seats are held by the hold, whose own
// deadline counts.
func (s *Service) failAttempt(ctx context.Context, o *ledger.Order, reason string) error {
	moved, err := s.ledger.OrderMove(ctx, o.ID, ledger.OrderPaying, ledger.OrderPendingPayment, EventPayFail, o.Attempt, reason, s.config.Now())
	if err != nil || !moved {
		return err
	}
	return s.unpin(ctx, ledger.LoosePin{Order: o.ID, Attempt: o.Attempt, Hold: o.Hold, Event: o.Event, Segment: o.Segment, State: ledger.OrderPendingPayment})
}

// unpinOrder undoes the pins of an order that does not wait for a payment any more.
func (s *Service) unpinOrder(ctx context.Context, id uuid.UUID) error {
	o, err := s.Get(ctx, id)
	if err != nil || (State(o.State) != PendingPayment && State(o.State) != Expired) {
		return err
	}
	return s.unpin(ctx, ledger.LoosePin{Order: o.ID, Attempt: o.Attempt, Hold: o.Hold, Event: o.Event, Segment: o.Segment, State: o.State})
}

// unpin undoes a pin that nobody waits for: to the hold while the order waits for payment, to the pool when it has ended.
func (s *Service) unpin(ctx context.Context, p ledger.LoosePin) error {
	if p.Segment == 0 {
		return s.unpinWide(ctx, p)
	}
	_, err := s.do(ctx, stock.Command{
		Kind: stock.KindUnpin, Event: stock.EventID(p.Event), Segment: stock.SegmentNo(p.Segment), Hold: p.Hold, Order: p.Order, Attempt: p.Attempt,
		Free: p.State != ledger.OrderPendingPayment,
	})
	return err // a refusal means that it was done before
}
