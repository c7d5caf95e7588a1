package order

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// How much a worker takes at once, how long it leaves to whoever began, and how often a call is tried.
const (
	tidyBatch         = 256
	followGrace       = 2 * time.Second
	outboxAttemptsMax = 12
)

// topicVoid is the outbox topic of payments to be given back.
const topicVoid = "void"

// voidJob is a payment to be given back.
type voidJob struct {
	Provider string    `json:"provider"`
	Ref      string    `json:"ref"`
	Payment  uuid.UUID `json:"payment"`
}

func (s *Service) giveBack(ctx context.Context, provider, ref, dedup string, payment uuid.UUID) error {
	return s.ledger.OutboxAdd(ctx, dedup, topicVoid, voidJob{Provider: provider, Ref: ref, Payment: payment}, s.config.Now())
}

// tidy looks, at a steady pace, for whatever a crash, a lost message or a silent provider has left undone.
func (s *Service) tidy(ctx context.Context) {
	tick := time.NewTicker(s.config.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.Tidy(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("some orders could not be tidied up; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Tidy does once what is left to do: ends overdue attempts, undoes loose pins, follows paid orders, makes the calls of the outbox.
func (s *Service) Tidy(ctx context.Context) error {
	return errors.Join(s.tidyOverdue(ctx), s.tidyPins(ctx), s.tidyPaid(ctx), s.tidyOutbox(ctx))
}

func (s *Service) mine(order uuid.UUID) bool { return s.config.Mine(stock.CoordinatorOf(order)) }

func (s *Service) tidyOverdue(ctx context.Context) (errs error) {
	ids, err := s.ledger.OrdersOverdue(ctx, s.config.Now(), tidyBatch)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if s.mine(id) {
			errs = errors.Join(errs, s.overdue(ctx, id))
		}
	}
	return errs
}

func (s *Service) tidyPins(ctx context.Context) (errs error) {
	pins, err := s.ledger.LoosePins(ctx, tidyBatch)
	if err != nil {
		return err
	}
	for _, p := range pins {
		// A pin of an earlier attempt of an order that is being paid is replaced by the next pin.
		if s.mine(p.Order) && p.State != ledger.OrderPaying {
			errs = errors.Join(errs, s.unpin(ctx, p))
		}
	}
	return errs
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

func (s *Service) tidyOutbox(ctx context.Context) (errs error) {
	jobs, err := s.ledger.OutboxTake(ctx, tidyBatch, s.config.Now())
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if err := s.call(ctx, job); err != nil {
			if job.Attempts >= outboxAttemptsMax {
				s.metrics.dead.Inc()
				s.log.Error("a call was given up; somebody must look at ledger.outbox", "id", job.ID, "topic", job.Topic, "error", err)
			}
			errs = errors.Join(errs, err, s.ledger.OutboxFailed(ctx, job.ID, err, outboxAttemptsMax, s.config.Now()))
			continue
		}
		errs = errors.Join(errs, s.ledger.OutboxDone(ctx, job.ID, s.config.Now()))
	}
	return errs
}

// call makes one call of the outbox.
func (s *Service) call(ctx context.Context, job ledger.OutboxJob) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	switch job.Topic {
	case topicVoid:
		var v voidJob
		if err := json.Unmarshal(job.Payload, &v); err != nil {
			return err
		}
		return s.callVoid(ctx, v)
	case topicSandboxWebhook:
		var w webhookJob
		if err := json.Unmarshal(job.Payload, &w); err != nil {
			return err
		}
		sandbox, ok := s.providers[SandboxName].(*Sandbox)
		if !ok {
			return errors.New("the sandbox provider is not configured")
		}
		return sandbox.Send(ctx, w.URL, w.Body, s.config.Now())
	default:
		return fmt.Errorf("nobody handles the outbox topic %q", job.Topic)
	}
}

func (s *Service) callVoid(ctx context.Context, v voidJob) error {
	from, ok := s.providers[v.Provider]
	if !ok {
		return fmt.Errorf("the provider %q is not configured any more", v.Provider)
	}
	if err := from.Void(ctx, v.Ref); err != nil {
		return err
	}
	s.metrics.voided.Inc()
	if v.Payment == uuid.Nil {
		return nil
	}
	return s.ledger.PaymentState(ctx, v.Payment, PaymentVoided, s.config.Now())
}
