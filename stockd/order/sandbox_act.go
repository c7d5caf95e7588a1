package order

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/paypage"
)

// slowDelay is how long the bank takes for what is slow, and lateDelay how long after the shop's deadline it authorises what is late.
const (
	slowDelay = 3 * time.Second
	lateDelay = 3 * time.Second
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
func (s *Sandbox) apply(ctx context.Context, ref, action string, now time.Time) (ledger.SandboxPayment, error) {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if err != nil {
		return p, err
	}
	switch action {
	case paypage.ActionSuccess, paypage.ActionDouble, paypage.ActionLost:
		err = s.decide(ctx, p, PaymentCreated, PaymentAuthorized, action, now)
	case paypage.ActionTwice:
		if err = s.decide(ctx, p, PaymentCreated, PaymentAuthorized, action, now); err == nil {
			err = s.takeAgain(ctx, p, now)
		}
	case paypage.ActionDecline:
		err = s.decide(ctx, p, PaymentCreated, PaymentFailed, action, now)
	case paypage.ActionAfterAll:
		err = s.decide(ctx, p, PaymentFailed, PaymentAuthorized, action, now)
	case paypage.ActionSlow:
		err = s.wait(ctx, ref, now.Add(slowDelay))
	case paypage.ActionLate:
		err = s.wait(ctx, ref, p.PayBy.Add(lateDelay))
	case paypage.ActionDispute:
		err = s.dispute(ctx, p, "", "opened", DisputeOpened, now)
	case paypage.ActionDisputeWon:
		err = s.dispute(ctx, p, "opened", "won", DisputeWon, now)
	case paypage.ActionDisputeLost:
		err = s.dispute(ctx, p, "opened", "lost", DisputeLost, now)
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
func (s *Sandbox) decide(ctx context.Context, p ledger.SandboxPayment, from, to, action string, now time.Time) error {
	body, err := message(p, to, now)
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
	return ledger.SandboxNote{Dedup: topicSandboxWebhook + ":" + about, Topic: topicSandboxWebhook, Payload: webhookJob{Body: body}, Due: now.Add(deliveryGrace)}
}

// tell delivers a message that is in the outbox, and takes it out when the shop took it or is never to hear of it.
func (s *Sandbox) tell(ctx context.Context, action string, note ledger.SandboxNote, body []byte, now time.Time) error {
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
func (s *Sandbox) told(ctx context.Context, body []byte, now time.Time) bool {
	return s.Send(ctx, s.webhookURL, body, now) == nil
}

// wait lets the bank take its time: it authorises the payment when it is due, whoever is asked to void it meanwhile.
func (s *Sandbox) wait(ctx context.Context, ref string, due time.Time) error {
	_, err := s.ledger.SandboxDecide(ctx, ref, PaymentCreated, sandboxPending, ledger.SandboxNote{
		Dedup: topicSandboxAuthorize + ":" + ref, Topic: topicSandboxAuthorize, Payload: authorizeJob{Ref: ref}, Due: due,
	})
	return err
}

// authorize ends a wait.
func (s *Sandbox) authorize(ctx context.Context, ref string, now time.Time) error {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if err != nil {
		return err
	}
	return s.decide(ctx, p, sandboxPending, PaymentAuthorized, paypage.ActionSuccess, now)
}

// takeAgain is a second payment for the same order, which the bank captures at once and the shop knows nothing of.
func (s *Sandbox) takeAgain(ctx context.Context, p ledger.SandboxPayment, now time.Time) error {
	p.Ref += "-again"
	p.Payment = uuid.NewSHA1(p.Payment, []byte("again"))
	p.State = PaymentCreated
	if err := s.ledger.SandboxInsert(ctx, p); err != nil {
		return err
	}
	return s.decide(ctx, p, PaymentCreated, PaymentCaptured, paypage.ActionSuccess, now)
}

// dispute is what a cardholder and their bank do about captured money.
func (s *Sandbox) dispute(ctx context.Context, p ledger.SandboxPayment, from, to, kind string, now time.Time) error {
	p.Amount -= p.Refunded
	body, err := message(p, kind, now)
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
