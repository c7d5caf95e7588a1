package order

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// How the outbox is worked off: how many calls at once, how long one is left to who took it (longer than a call may take), how often it is
// tried before people must look at it, and how long at most between two tries. 12 tries take about 40 minutes.
const (
	callsAtOnce     = 8
	callTimeout     = 10 * time.Second
	callLease       = 3 * callTimeout
	callAttemptsMax = 12
	callPauseMax    = 10 * time.Minute
)

// Topics of the outbox. The ledger's functions write them too.
const (
	topicVoid   = "void"   // an authorisation that pays nothing
	topicRefund = "refund" // captured money that goes back
	topicOrphan = "orphan" // money of a payment that we do not know
	topicUnsell = "unsell" // seats of an order that has ended, or of lines of it
)

// backJob is money to be given back.
type backJob struct {
	Provider string    `json:"provider"`
	Ref      string    `json:"ref"`
	Payment  uuid.UUID `json:"payment"`
	Refund   uuid.UUID `json:"refund"`
	Key      uuid.UUID `json:"key"` // the provider's idempotency key of the refund; zero: the refund itself
	Amount   int64     `json:"amount"`
	Currency string    `json:"currency"`
	Posted   bool      `json:"posted"` // an orphan's money was captured and is in the books
}

// unsellJob is an order of which seats come back.
type unsellJob struct {
	Order uuid.UUID `json:"order"`
}

// callSoon wakes the worker of the outbox.
func (s *Service) callSoon() {
	select {
	case s.calls <- struct{}{}:
	default: // it is awake
	}
}

// outbox makes the calls that are due, at a steady pace and when it is woken.
func (s *Service) outbox(ctx context.Context) {
	tick := time.NewTicker(s.config.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.calls:
		case <-ctx.Done():
			return
		}
		if err := s.makeCalls(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("some calls to providers failed; they are tried again", "error", err)
		}
	}
}

// makeCalls makes the calls that are due.
func (s *Service) makeCalls(ctx context.Context) error {
	now := s.config.Now()
	jobs, err := s.ledger.OutboxTake(ctx, callsAtOnce, now.Add(callLease), now)
	for len(jobs) > 0 && err == nil {
		var g group
		for _, job := range jobs {
			g.run(func() error { return s.work(ctx, job) })
		}
		if err = g.wait(); err != nil {
			break
		}
		jobs, err = s.ledger.OutboxTake(ctx, callsAtOnce, now.Add(callLease), now)
	}
	return err
}

// work makes one call and writes down what became of it.
func (s *Service) work(ctx context.Context, job ledger.OutboxJob) error {
	err := s.call(ctx, job)
	now := s.config.Now()
	if err == nil {
		return s.ledger.OutboxDone(ctx, job, now)
	}
	if job.Attempts >= callAttemptsMax {
		s.metrics.dead.Inc()
		s.log.Error("a call was given up; somebody must look at ledger.outbox", "id", job.ID, "topic", job.Topic, "error", err)
	}
	again := pause(job.Attempts)
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) { // the provider has said for how long it wants to be left alone
		again = max(again, min(later.RetryAfter(), callPauseMax))
	}
	return errors.Join(err, s.ledger.OutboxFailed(ctx, job.ID, err, now.Add(again), callAttemptsMax, now))
}

// countCalls tells the metrics how many calls wait, and how many were given up.
func (s *Service) countCalls(ctx context.Context) error {
	waiting, dead, err := s.ledger.OutboxCount(ctx)
	if err != nil {
		return err
	}
	s.metrics.calls.WithLabelValues("waiting").Set(float64(waiting))
	s.metrics.calls.WithLabelValues("dead").Set(float64(dead))
	return nil
}

// pause is how long to wait after a number of failed attempts: doubled each time, and a random half of it, so that calls that failed together
// do not come back together.
func pause(attempts int32) time.Duration {
	d := min(callPauseMax, time.Second<<min(attempts, 20))
	return d/2 + rand.N(d/2)
}

// call makes one call of the outbox.
func (s *Service) call(ctx context.Context, job ledger.OutboxJob) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	switch job.Topic {
	case topicVoid:
		return decoded(job.Payload, func(b backJob) error { return s.callVoid(ctx, &b) })
	case topicRefund:
		return decoded(job.Payload, func(b backJob) error { return s.callRefund(ctx, &b) })
	case topicOrphan:
		return decoded(job.Payload, func(b backJob) error { return s.callOrphan(ctx, &b) })
	case topicUnsell:
		return decoded(job.Payload, func(u unsellJob) error { return s.unsell(ctx, u.Order) })
	}
	name, _, _ := strings.Cut(job.Topic, "-")
	if p, ok := s.providers[name].(Deferring); ok {
		return p.Deferred(ctx, job.Topic, job.Payload, s.config.Now())
	}
	return fmt.Errorf("nobody handles the outbox topic %q; if it is a payment provider's, turn the provider on", job.Topic)
}

func decoded[T any](payload []byte, then func(T) error) error {
	var v T
	if err := json.Unmarshal(payload, &v); err != nil {
		return err
	}
	return then(v)
}

func (s *Service) provider(name string) (Provider, error) {
	if p, ok := s.providers[name]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("the provider %q is not configured any more", name)
}

// callVoid gives an authorisation back. Where the provider has captured it meanwhile, that fact makes it a refund.
func (s *Service) callVoid(ctx context.Context, b *backJob) error {
	from, err := s.provider(b.Provider)
	if err != nil {
		return err
	}
	if err := from.Void(ctx, b.Ref); err != nil {
		if status, asked := from.Status(ctx, b.Ref); asked == nil && status.State == PaymentCaptured {
			if p, found := s.ledger.PaymentByRef(ctx, b.Provider, b.Ref); found == nil {
				_, err = s.asked(ctx, &p, status)
			}
		}
		return err
	}
	s.metrics.voided.Inc()
	return s.ledger.PaymentState(ctx, b.Payment, PaymentVoided, s.config.Now())
}

// callOrphan gives back the money of a payment that we do not know, unless we know it by now.
func (s *Service) callOrphan(ctx context.Context, b *backJob) error {
	from, err := s.provider(b.Provider)
	if err != nil {
		return err
	}
	status, err := from.Status(ctx, b.Ref)
	if err != nil {
		return err
	}
	if p, err := s.ledger.PaymentByRef(ctx, b.Provider, b.Ref); err == nil && !b.Posted {
		_, err = s.ask(ctx, &p)
		return err
	}
	if status.State != PaymentCaptured && status.State != PaymentRefunded {
		s.metrics.voided.Inc()
		return from.Void(ctx, b.Ref)
	}
	id := uuid.NewSHA1(uuid.NameSpaceURL, []byte("ticketrush/orphan/"+b.Provider+"/"+b.Ref))
	if err := from.Refund(ctx, b.Ref, id, b.Amount); err != nil {
		return err
	}
	s.metrics.refunded.Inc()
	if !b.Posted {
		return nil
	}
	return s.ledger.OrphanRefunded(ctx, b.Provider, b.Ref, b.Amount, b.Currency, s.config.Now())
}

// group runs a few functions at once and joins their errors.
type group struct {
	wg    sync.WaitGroup
	slots chan struct{}
	mu    sync.Mutex
	errs  error
}

func (g *group) run(f func() error) {
	if g.slots == nil {
		g.slots = make(chan struct{}, callsAtOnce)
	}
	g.slots <- struct{}{}
	g.wg.Go(func() {
		err := f()
		<-g.slots
		g.mu.Lock()
		g.errs = errors.Join(g.errs, err)
		g.mu.Unlock()
	})
}

func (g *group) wait() error {
	g.wg.Wait()
	return g.errs
}
