package order

import (
	"context"
	"fmt"

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
		if _, err := s.take(ctx, ledger.PaymentFact{Provider: provider, ID: m.ID, Ref: m.Ref, Kind: m.Kind, Amount: m.Amount, Currency: m.Currency, At: m.At, Body: body}); err != nil {
			return err
		}
	}
	return nil
}

// asked is the fact that a provider answered when it was asked for a payment's state.
func (s *Service) asked(ctx context.Context, p *ledger.Payment, is Status) (ledger.FactVerdict, error) {
	return s.take(ctx, ledger.PaymentFact{
		Provider: p.Provider, ID: fmt.Sprintf("asked:%s:%s", p.ProviderRef, is.State), Ref: p.ProviderRef, Kind: is.State, Amount: is.Amount, Currency: is.Currency,
		At: s.config.Now(),
	})
}

// take commits a fact and does what follows from it at once; workers do it as well, should this process end here.
func (s *Service) take(ctx context.Context, fact ledger.PaymentFact) (ledger.FactVerdict, error) {
	v, err := s.facts.do(ctx, fact)
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
	case ledger.FactNotPinned, ledger.FactNotPaying, ledger.FactOther, ledger.FactOrphan, ledger.FactMismatch:
		s.callSoon()
	}
	return v, nil
}
