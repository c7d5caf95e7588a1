package order

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// What became of a provider's message, as the ledger keeps it.
const (
	outcomeApplied  = "applied"
	outcomeIgnored  = "ignored"  // nothing to do: a repetition, or something known
	outcomeOrphan   = "orphan"   // no payment of ours
	outcomeConflict = "conflict" // a payment that cannot pay its order: it is given back
)

// Webhook takes a provider's messages. The signature is checked over the raw bytes first. A fact is always accepted; whether it could be
// applied is its result in the ledger. A nil error means that everything is committed: answer 2xx then, and only then.
func (s *Service) Webhook(ctx context.Context, provider string, body []byte, header map[string][]string) error {
	from, ok := s.providers[provider]
	if !ok {
		return ErrNoProvider
	}
	messages, err := from.Verify(body, header, s.config.Now())
	if err != nil {
		return err
	}
	for _, m := range messages {
		if err := s.receive(ctx, provider, m, body); err != nil {
			return err
		}
	}
	return nil
}

// receive keeps a message and applies it, once: a message that was kept but has no result was cut off in the middle, and is applied now.
func (s *Service) receive(ctx context.Context, provider string, m Message, body []byte) error {
	fresh, err := s.ledger.PaymentEventInsert(ctx, ledger.PaymentEvent{
		Provider: provider, EventID: m.ID, ProviderRef: m.Ref, Kind: m.Kind, Amount: m.Amount, Currency: m.Currency, At: m.At, Body: body,
	})
	if err != nil {
		return err
	}
	if !fresh {
		if _, err := s.ledger.PaymentEventOutcome(ctx, provider, m.ID); err == nil || !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
	}
	outcome, detail, err := s.take(ctx, provider, m)
	if err != nil {
		return err
	}
	return s.ledger.PaymentEventResult(ctx, provider, m.ID, outcome, detail)
}

// take applies a message and says what became of it.
func (s *Service) take(ctx context.Context, provider string, m Message) (outcome, detail string, err error) {
	p, err := s.ledger.PaymentByRef(ctx, provider, m.Ref)
	if errors.Is(err, ledger.ErrNotFound) {
		return outcomeOrphan, "no payment has this reference", s.giveBack(ctx, provider, m.Ref, "void-ref:"+provider+":"+m.Ref, uuid.Nil)
	}
	if err != nil {
		return "", "", err
	}
	switch m.Kind {
	case PaymentAuthorized:
		if m.Amount != p.Amount || m.Currency != p.Currency {
			return outcomeConflict, fmt.Sprintf("%d %s were authorised, the order is %d %s", m.Amount, m.Currency, p.Amount, p.Currency), s.void(ctx, p)
		}
		return s.authorized(ctx, p)
	case PaymentFailed:
		if err := s.ledger.PaymentState(ctx, p.ID, PaymentFailed, s.config.Now()); err != nil {
			return "", "", err
		}
		o, err := s.Get(ctx, p.OrderID)
		if err != nil {
			return "", "", err
		}
		if State(o.State) != Paying || o.Attempt != p.Attempt {
			return outcomeIgnored, "the order does not wait for this attempt", nil
		}
		return outcomeApplied, "", s.failAttempt(ctx, o, "declined by "+provider)
	default:
		return outcomeIgnored, "nothing follows from " + m.Kind, nil
	}
}

// authorized decides an order that a payment was authorised for.
func (s *Service) authorized(ctx context.Context, p ledger.Payment) (outcome, detail string, err error) {
	if err := s.ledger.PaymentState(ctx, p.ID, PaymentAuthorized, s.config.Now()); err != nil {
		return "", "", err
	}
	verdict, err := s.decided(ctx, ledger.Decision{Order: p.OrderID, Attempt: p.Attempt, Payment: p.ID})
	if err != nil {
		return "", "", err
	}
	switch verdict {
	case ledger.DecidedPaid:
		s.followSoon(p.OrderID)
		return outcomeApplied, "", nil
	case ledger.DecidedAlready:
		s.followSoon(p.OrderID)
		return outcomeIgnored, "the order was paid by this payment before", nil
	default:
		return outcomeConflict, decidedNames[verdict], s.void(ctx, p)
	}
}

// settle is authorized for a payment that was asked about.
func (s *Service) settle(ctx context.Context, p ledger.Payment) error {
	_, _, err := s.authorized(ctx, p)
	return err
}

// void gives a payment back that pays nothing. The call is made from the outbox: it is committed before anybody is told.
func (s *Service) void(ctx context.Context, p ledger.Payment) error {
	return s.giveBack(ctx, p.Provider, p.ProviderRef, "void:"+p.ID.String(), p.ID)
}
