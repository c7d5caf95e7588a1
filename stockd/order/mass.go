package order

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// massBatch is how many refunds of a cancelled event are decided in one commit; massSteps is how many commits one round of the worker makes, so that a
// hall of a million does not keep it from its other work.
const (
	massBatch = 64
	massSteps = 32
)

// tidyMass goes on with the mass refunds of cancelled events. Where it stopped is in the ledger: an order that is still to be refunded.
func (s *Service) tidyMass(ctx context.Context) error {
	open, err := s.ledger.MassRefundsOpen(ctx)
	for _, mass := range open {
		err = errors.Join(err, s.massRefund(ctx, mass))
	}
	return err
}

func (s *Service) massRefund(ctx context.Context, mass uuid.UUID) error {
	after := uuid.Nil
	for range massSteps {
		last, err := s.ledger.MassRefundStep(ctx, mass, after, massBatch, s.config.Now())
		if err != nil || last == uuid.Nil {
			return err
		}
		after = last
		s.callSoon()
	}
	return nil
}
