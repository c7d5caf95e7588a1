package order

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"ticketrush/ledger"
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
		known, err := s.named(ctx, provider, &m)
		if err != nil {
			return err
		}
		if !known && m.Shared {
			continue // somebody else's, at the same account
		}
		if _, err := s.take(ctx, ledger.PaymentFact{Provider: provider, ID: m.ID, Ref: m.Ref, Kind: m.Kind, Refund: m.Refund, Amount: m.Amount, Currency: m.Currency, At: m.At, Body: body}); err != nil {
			return err
		}
	}
	return nil
}

// named turns the name by which a message tells of a payment into ours, and keeps the others, where a provider has several. It says whether the payment
// is ours; of a provider that has one name for each it does not ask.
func (s *Service) named(ctx context.Context, provider string, m *Message) (known bool, err error) {
	if m.Payment == uuid.Nil && m.Also == "" && !m.Shared {
		return false, nil
	}
	ref, err := s.ledger.PaymentNamed(ctx, provider, m.Ref, m.Also, m.Payment)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m.Ref = ref
	return true, nil
}

// asked is the fact that a provider answered when it was asked for a payment's state.
func (s *Service) asked(ctx context.Context, p *ledger.Payment, is Status) (ledger.FactVerdict, error) {
	if _, err := s.named(ctx, p.Provider, &Message{Ref: p.ProviderRef, Also: is.Also}); err != nil {
		return ledger.FactVerdict{}, err
	}
	return s.take(ctx, ledger.PaymentFact{
		Provider: p.Provider, ID: fmt.Sprintf("asked:%s:%s", p.ProviderRef, is.State), Ref: p.ProviderRef, Kind: is.State, Amount: is.Amount, Currency: is.Currency,
		At: s.config.Now(),
	})
}

// take commits a fact and does what follows from it at once; workers do it as well, should this process end here.
func (s *Service) take(ctx context.Context, fact ledger.PaymentFact) (ledger.FactVerdict, error) {
	v, err := s.facts.Do(ctx, fact)
	if err != nil {
		return v, err
	}
	switch v.Code {
	case ledger.FactPaid, ledger.FactAlready:
		s.followSoon(v.Order)
	case ledger.FactFailed:
		if err := s.unpinOrder(ctx, v.Order); err != nil {
			s.log.Warn("the seats of a failed payment are still pinned; it is tried again", "order", v.Order, "error", err)
		}
	case ledger.FactNotPinned, ledger.FactNotPaying, ledger.FactOther, ledger.FactOrphan, ledger.FactMismatch, ledger.FactDisputeLost:
		s.callSoon()
	case ledger.FactLate:
		if err := s.Late(ctx, v.Order); err != nil {
			s.log.Warn("seats for a payment that came late are still being looked for", "order", v.Order, "error", err)
		}
	case ledger.FactRefundFailed:
		s.log.Error("a provider could not send a refund; it is sent again, later each time", "order", v.Order, "refund", fact.Refund, "provider", fact.Provider)
	case ledger.FactRefundUnknown:
		s.log.Error("a provider has sent money back that nobody here has decided; somebody must say what it was for", "order", v.Order, "payment", fact.Ref, "provider", fact.Provider)
	case ledger.FactDisputed:
		s.log.Warn("a buyer disputes a payment", "order", v.Order, "payment", fact.Ref, "provider", fact.Provider)
	}
	return v, nil
}
