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
func (s *Service) StartPayment(ctx context.Context, id uuid.UUID, provider, returnURL string) (p ledger.Payment, again bool, err error) {
	from, ok := s.providers[provider]
	if !ok {
		return p, false, ErrNoProvider
	}
	o, err := s.Get(ctx, id)
	if err != nil {
		return p, false, err
	}
	now := s.config.Now()
	switch State(o.State) {
	case PendingPayment:
		o.Attempt, err = s.ledger.PaymentBegin(ctx, id, s.config.Attempts, now.Add(s.config.PayFor), now)
		switch {
		case errors.Is(err, ledger.ErrOrderState):
			return p, false, ErrBusy // somebody was faster; the next call finds their payment
		case errors.Is(err, ledger.ErrTooManyAttempts):
			return p, false, illegal(PendingPayment, EventPayStart)
		case err != nil:
			return p, false, err
		}
	case Paying:
		if p, ok := paymentOf(o, provider); ok {
			return p, true, nil
		}
		again = true
	default:
		return p, false, illegal(State(o.State), EventPayStart)
	}
	p, err = s.create(ctx, from, o, returnURL)
	return p, again, err
}

// paymentOf is the payment of the order's attempt at a provider.
func paymentOf(o ledger.Order, provider string) (ledger.Payment, bool) {
	for _, p := range o.Payments {
		if p.Attempt == o.Attempt && (provider == "" || p.Provider == provider) {
			return p, true
		}
	}
	return ledger.Payment{}, false
}

// create pins the seats and creates the payment. Both may be repeated.
func (s *Service) create(ctx context.Context, from Provider, o ledger.Order, returnURL string) (ledger.Payment, error) {
	answer, err := s.stock.Do(ctx, pin(o))
	if err != nil {
		return ledger.Payment{}, err // the order stays paying: the next call or the deadline goes on
	}
	if answer.Code != stock.CodeOK && answer.Code != stock.CodeReplay {
		if answer.Code == stock.CodeBusy {
			return ledger.Payment{}, ErrBusy
		}
		err := &Refused{Answer: answer}
		return ledger.Payment{}, errors.Join(err, s.failAttempt(ctx, o, fmt.Sprintf("the seats could not be pinned (code %d)", answer.Code)))
	}
	part := stock.CoordinatorOf(o.ID)
	pid := stock.NewCoordinatedID(part, o.ID, attemptKey(o.Attempt), "payment/"+from.Name())
	created, err := from.Create(ctx, Intent{ID: pid, Order: o.ID, Attempt: o.Attempt, Amount: o.Total, Currency: o.Currency, ReturnURL: returnURL})
	if err != nil {
		return ledger.Payment{}, fmt.Errorf("create the payment at %s: %w", from.Name(), err)
	}
	p := ledger.Payment{
		ID: pid, OrderID: o.ID, Attempt: o.Attempt, Provider: from.Name(), ProviderRef: created.Ref, PayUrl: created.PayURL, Amount: o.Total, Currency: o.Currency, State: PaymentCreated,
	}
	return p, s.ledger.PaymentInsert(ctx, p)
}

// attemptKey names an attempt in ids.
func attemptKey(attempt int32) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "attempt %d", attempt))
}

func pin(o ledger.Order) stock.Command {
	return stock.Command{Kind: stock.KindPin, Event: stock.EventID(o.Event), Segment: stock.SegmentNo(o.Segment), Hold: o.Hold, Order: o.ID, Attempt: o.Attempt}
}

// failAttempt ends an attempt: the order waits for payment again, and its seats are held by the hold, whose own deadline counts.
func (s *Service) failAttempt(ctx context.Context, o ledger.Order, reason string) error {
	moved, err := s.ledger.OrderMove(ctx, o.ID, ledger.OrderPaying, ledger.OrderPendingPayment, EventPayFail, o.Attempt, reason, s.config.Now())
	if err != nil || !moved {
		return err
	}
	return s.unpin(ctx, ledger.LoosePin{Order: o.ID, Attempt: o.Attempt, Hold: o.Hold, Event: o.Event, Segment: o.Segment, State: ledger.OrderPendingPayment})
}

// unpin undoes a pin that nobody waits for: to the hold while the order waits for payment, to the pool when it has ended.
func (s *Service) unpin(ctx context.Context, p ledger.LoosePin) error {
	_, err := s.stock.Do(ctx, stock.Command{
		Kind: stock.KindUnpin, Event: stock.EventID(p.Event), Segment: stock.SegmentNo(p.Segment), Hold: p.Hold, Order: p.Order, Attempt: p.Attempt,
		Free: p.State != ledger.OrderPendingPayment,
	})
	return err // a refusal means that it was done before
}

// overdue ends an attempt whose time is up: the provider is asked; what is authorised there is decided, anything else voided and expired.
func (s *Service) overdue(ctx context.Context, id uuid.UUID) error {
	o, err := s.Get(ctx, id)
	if err != nil || State(o.State) != Paying || o.PayingUntil.After(s.config.Now()) {
		return err
	}
	if p, ok := paymentOf(o, ""); ok {
		from, known := s.providers[p.Provider]
		if !known {
			return fmt.Errorf("order %s is paid at %q, which is not configured any more", id, p.Provider)
		}
		status, err := from.Status(ctx, p.ProviderRef)
		if err != nil {
			return fmt.Errorf("ask %s about payment %s: %w", p.Provider, p.ID, err)
		}
		if status == PaymentAuthorized || status == PaymentCaptured {
			return s.settle(ctx, p)
		}
		if err := from.Void(ctx, p.ProviderRef); err != nil {
			return fmt.Errorf("void payment %s at %s: %w", p.ID, p.Provider, err)
		}
		if err := s.ledger.PaymentState(ctx, p.ID, PaymentVoided, s.config.Now()); err != nil {
			return err
		}
	}
	moved, err := s.ledger.OrderMove(ctx, id, ledger.OrderPaying, ledger.OrderExpired, EventDeadline, o.Attempt, "not paid in time", s.config.Now())
	if err != nil || !moved {
		return err
	}
	return s.unpin(ctx, ledger.LoosePin{Order: id, Attempt: o.Attempt, Hold: o.Hold, Event: o.Event, Segment: o.Segment, State: ledger.OrderExpired})
}

// callTimeout bounds one call to a provider or to the stock that a worker makes.
const callTimeout = 10 * time.Second
