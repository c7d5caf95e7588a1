package order

import (
	"cmp"
	"context"
	"time"

	"ticketrush/ledger"
)

// How often what is past its time is ended, how many rows of a kind at once, and in how many calls of a round: a backlog of months must not keep the ledger
// from selling.
const (
	retainEvery = time.Minute
	retainMax   = 500
	retainCalls = 20
)

// retain ends personal data, and what else is past its time, at a steady pace.
func (s *Service) retain(ctx context.Context) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.Retain(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("what is past its time could not all be ended; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Retain ends once what is past its time, in bounded portions.
func (s *Service) Retain(ctx context.Context) error {
	for range retainCalls {
		ended, err := s.ledger.Retain(ctx, s.config.Keep, retainMax, s.config.Now())
		for kind, n := range ended {
			s.metrics.ended.WithLabelValues(kind).Add(float64(n))
		}
		if err != nil || !ended.More(retainMax) {
			return err
		}
	}
	return nil
}

const day = 24 * time.Hour

// kept fills in how long personal data are kept without another word. What providers sent is kept for longer than a refund, or a first look at a dispute, takes.
func kept(keep ledger.Retention) ledger.Retention {
	keep.ClientIP = cmp.Or(keep.ClientIP, 30*day)
	keep.Names = cmp.Or(keep.Names, 90*day)
	keep.Messages = cmp.Or(keep.Messages, 30*day)
	keep.Webhooks = cmp.Or(keep.Webhooks, 90*day)
	return keep
}
