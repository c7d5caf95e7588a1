package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/paypage"
)

// slowDelay is how long the bank takes for what is slow, and lateDelay how long after the shop's deadline it authorises what is late.
const (
	slowDelay = 3 * time.Second
	lateDelay = 3 * time.Second
)

// Topics of the outbox: a message to the shop, and a payment whose time comes.
const (
	topicWebhook   = Name + "-webhook"
	topicAuthorize = Name + "-authorize"
)

// deliveryGrace is how long the outbox leaves a message to who is telling it at once.
const deliveryGrace = 10 * time.Second

// webhookJob is a message to be delivered later, by any node to itself: the one that was paid at may be gone.
type webhookJob struct {
	Body json.RawMessage `json:"body"`
}

// authorizeJob is a payment that the bank authorises when its time has come.
type authorizeJob struct {
	Ref string `json:"ref"`
}

// errAction is told to the caller as it is.
var errAction = errors.New("the action must be one of " + strings.Join(paypage.Actions, ", "))

// apply does what the buyer or the bank said and tells the shop. What was decided before stays as it is.
func (s *Provider) apply(ctx context.Context, ref, action string, now time.Time) (ledger.SandboxPayment, error) {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if err != nil {
		return p, err
	}
	switch action {
	case paypage.ActionSuccess, paypage.ActionDouble, paypage.ActionLost:
		err = s.decide(ctx, p, order.PaymentCreated, order.PaymentAuthorized, action, now)
	case paypage.ActionTwice:
		if err = s.decide(ctx, p, order.PaymentCreated, order.PaymentAuthorized, action, now); err == nil {
			err = s.takeAgain(ctx, p, now)
		}
	case paypage.ActionDecline:
		err = s.decide(ctx, p, order.PaymentCreated, order.PaymentFailed, action, now)
	case paypage.ActionAfterAll:
		err = s.decide(ctx, p, order.PaymentFailed, order.PaymentAuthorized, action, now)
	case paypage.ActionSlow:
		err = s.wait(ctx, ref, now.Add(slowDelay))
	case paypage.ActionLate:
		err = s.wait(ctx, ref, p.PayBy.Add(lateDelay))
	case paypage.ActionDispute:
		err = s.dispute(ctx, p, "", "opened", order.DisputeOpened, now)
	case paypage.ActionDisputeWon:
		err = s.dispute(ctx, p, "opened", "won", order.DisputeWon, now)
	case paypage.ActionDisputeLost:
		err = s.dispute(ctx, p, "opened", "lost", order.DisputeLost, now)
	case paypage.ActionSendRefunds, paypage.ActionRefuseRefunds, paypage.ActionFailRefunds:
		err = s.ledger.SandboxRefundsAre(ctx, ref, strings.TrimSuffix(action, "-refunds"))
	default:
		return p, errAction
	}
	if err != nil {
		return p, err
	}
	return s.ledger.SandboxGet(ctx, ref)
}

// decide moves a payment and tells the shop: at once, and by the outbox when this process ends before it was told. A payment that is not in the state
// was decided before, and is left alone.
func (s *Provider) decide(ctx context.Context, p ledger.SandboxPayment, from, to, action string, now time.Time) error {
	body, err := newMessage(p, to, now)
	if err != nil {
		return err
	}
	note := tellNote(p.Ref+":"+to, body, now)
	first, err := s.ledger.SandboxDecide(ctx, p.Ref, from, to, note)
	if err != nil || !first {
		return err
	}
	return s.tell(ctx, action, note, body, now)
}

// tellNote is a message for the outbox, which leaves it for a while to who is telling it at once.
func tellNote(about string, body []byte, now time.Time) ledger.SandboxNote {
	return ledger.SandboxNote{Dedup: topicWebhook + ":" + about, Topic: topicWebhook, Payload: webhookJob{Body: body}, Due: now.Add(deliveryGrace)}
}

// tell delivers a message that is in the outbox, and takes it out when the shop took it or is never to hear of it.
func (s *Provider) tell(ctx context.Context, action string, note ledger.SandboxNote, body []byte, now time.Time) error {
	times := 1
	switch action {
	case paypage.ActionLost:
		times = 0
	case paypage.ActionDouble:
		times = 2
	}
	for range times {
		if !s.told(ctx, body, now) {
			return nil
		}
	}
	return s.ledger.OutboxDoneByKey(ctx, note.Dedup, now)
}

// told says whether the shop took a message; if not, the outbox tells it again.
func (s *Provider) told(ctx context.Context, body []byte, now time.Time) bool {
	return s.Send(ctx, s.webhookURL, body, now) == nil
}

// wait lets the bank take its time: it authorises the payment when it is due, whoever is asked to void it meanwhile.
func (s *Provider) wait(ctx context.Context, ref string, due time.Time) error {
	_, err := s.ledger.SandboxDecide(ctx, ref, order.PaymentCreated, pending, ledger.SandboxNote{
		Dedup: topicAuthorize + ":" + ref, Topic: topicAuthorize, Payload: authorizeJob{Ref: ref}, Due: due,
	})
	return err
}

// Deferred implements order.Deferring.
func (s *Provider) Deferred(ctx context.Context, topic string, payload []byte, now time.Time) error {
	switch topic {
	case topicAuthorize:
		var job authorizeJob
		if err := json.Unmarshal(payload, &job); err != nil {
			return err
		}
		return s.authorize(ctx, job.Ref, now)
	case topicWebhook:
		var job webhookJob
		if err := json.Unmarshal(payload, &job); err != nil {
			return err
		}
		return s.Send(ctx, s.webhookURL, job.Body, now)
	}
	return fmt.Errorf("the sandbox has put off nothing called %q", topic)
}

// authorize ends a wait.
func (s *Provider) authorize(ctx context.Context, ref string, now time.Time) error {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if err != nil {
		return err
	}
	return s.decide(ctx, p, pending, order.PaymentAuthorized, paypage.ActionSuccess, now)
}

// takeAgain is a second payment for the same order, which the bank captures at once and the shop knows nothing of.
func (s *Provider) takeAgain(ctx context.Context, p ledger.SandboxPayment, now time.Time) error {
	p.Ref += "-again"
	p.Payment = uuid.NewSHA1(p.Payment, []byte("again"))
	p.State = order.PaymentCreated
	if err := s.ledger.SandboxInsert(ctx, p); err != nil {
		return err
	}
	return s.decide(ctx, p, order.PaymentCreated, order.PaymentCaptured, paypage.ActionSuccess, now)
}

// dispute is what a cardholder and their bank do about captured money.
func (s *Provider) dispute(ctx context.Context, p ledger.SandboxPayment, from, to, kind string, now time.Time) error {
	p.Amount -= p.Refunded
	body, err := newMessage(p, kind, now)
	if err != nil {
		return err
	}
	note := tellNote(p.Ref+":"+kind, body, now)
	moved, err := s.ledger.SandboxDispute(ctx, p.Ref, from, to, note)
	if err != nil || !moved {
		return err
	}
	return s.tell(ctx, paypage.ActionDispute, note, body, now)
}
