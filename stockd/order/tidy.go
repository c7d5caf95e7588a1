package order

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// How much a worker takes at once, how long it leaves a paid order to whoever decided it, and in how many rounds it counts once the calls to be made.
const (
	tidyBatch   = 256
	followGrace = 2 * time.Second
	countRounds = 15
)

// tidy looks, at a steady pace, for whatever a crash, a lost message or a silent provider has left undone.
func (s *Service) tidy(ctx context.Context) {
	tick := time.NewTicker(s.config.Every)
	defer tick.Stop()
	for round := 1; ; round++ {
		select {
		case <-tick.C:
			err := s.tidyOnce(ctx, false)
			if round%countRounds == 1 {
				err = errors.Join(err, s.countCalls(ctx))
			}
			if err != nil && ctx.Err() == nil {
				s.log.Warn("some orders could not be tidied up; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Tidy does once what is left to do: ends overdue attempts, undoes loose pins, follows paid orders, refunds those of cancelled events, makes the calls of the outbox.
func (s *Service) Tidy(ctx context.Context) error {
	return errors.Join(s.tidyOnce(ctx, true), s.makeCalls(ctx), s.countCalls(ctx))
}

func (s *Service) tidyOnce(ctx context.Context, stuck bool) error {
	return errors.Join(s.tidyOverdue(ctx, stuck), s.tidyPins(ctx), s.tidyPaid(ctx), s.tidyMass(ctx), s.tidyDisputed(ctx), s.tidyLate(ctx))
}

func (s *Service) mine(order uuid.UUID) bool { return s.config.Mine(stock.CoordinatorOf(order)) }

func (s *Service) tidyPins(ctx context.Context) error {
	pins, err := s.ledger.LoosePins(ctx, tidyBatch)
	if err != nil {
		return err
	}
	var g group
	for _, p := range pins {
		if s.mine(p.Order) {
			g.run(func() error { return s.unpin(ctx, p) })
		}
	}
	return g.wait()
}

func (s *Service) tidyPaid(ctx context.Context) error {
	ids, err := s.ledger.OrdersToFollow(ctx, s.config.Now().Add(-followGrace), tidyBatch)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if s.mine(id) {
			s.followSoon(id)
		}
	}
	return nil
}
