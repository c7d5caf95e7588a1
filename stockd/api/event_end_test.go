package api

import (
	"context"
	"testing"
	"time"

	"ticketrush/stockd/stock"
)

func (n *stubNode) CancelEvent(_ context.Context, id stock.EventID, reason, actor string) (*Event, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ev := *n.events[id]
	if !ev.RecognisedAt.IsZero() {
		return nil, false, ErrEventHeld
	}
	if !ev.CancelledAt.IsZero() {
		return &ev, true, nil
	}
	ev.State, ev.CancelledAt, ev.Version = stateClosed, n.now(), ev.Version+1
	n.events[id] = &ev
	n.mass = MassRefund{Reason: reason, Actor: actor, BegunAt: n.now(), Open: 3, Refunds: 2, Sent: 1, Amount: 200, AmountSent: 100, Currency: ev.Currency}
	return &ev, false, nil
}

func (n *stubNode) PostponeEvent(_ context.Context, id stock.EventID, startsAt, refundsUntil time.Time) (*Event, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ev := *n.events[id]
	if !ev.CancelledAt.IsZero() {
		return nil, false, ErrEventCancelled
	}
	again := ev.StartsAt.Equal(startsAt)
	ev.StartsAt, ev.RefundsUntil = startsAt, refundsUntil
	n.events[id] = &ev
	return &ev, again, nil
}

func (n *stubNode) MassRefund(context.Context, stock.EventID) (MassRefund, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mass.BegunAt.IsZero() {
		return n.mass, ErrNotFound
	}
	return n.mass, nil
}

// Ops cancel an event once; what is wrong with the wish is said, and a cancelled event cannot be opened, nor put off.
func TestCancelAnEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ops, path := bearerKey(opsKey), "/v1/events/demo/cancellation"
	w.do("GET", path, "", ops).want(t, 404, "not-found")
	w.do("POST", path, `{"reason":"rain"}`).want(t, 401, "unauthorized")
	w.do("POST", path, `{"reason":"rain"}`, bearerKey(sellKey)).want(t, 403, "forbidden")
	w.do("POST", path, `{"reason":""}`, ops).want(t, 422, "invalid")
	w.do("POST", path, `{}`, ops).want(t, 422, "invalid")
	w.do("POST", "/v1/events/nothing/cancellation", `{"reason":"rain"}`, ops).want(t, 404, "not-found")
	r := w.do("POST", path, `{"reason":"rain"}`, ops).want(t, 202, "")
	if r.string("reason") != "rain" || r.string("actor") != "ops" || r.body["finished_at"] != nil {
		t.Errorf("%s", r.text)
	}
	if again := w.do("POST", path, `{"reason":"snow"}`, ops).want(t, 200, ""); again.string("reason") != "rain" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s", again.text)
	}
	if got := w.do("GET", path, "", ops).want(t, 200, ""); string(got.text) != string(r.text) {
		t.Errorf("%s, want %s", got.text, r.text)
	}
	ev := w.do("GET", "/v1/events/demo", "").want(t, 200, "")
	if ev.string("state") != "closed" || ev.string("cancelled_at") == "" {
		t.Errorf("%s", ev.text)
	}
	w.do("PATCH", "/v1/events/demo", `{"state":"on_sale"}`, ops, header("If-Match", "*")).want(t, 409, "illegal-transition")
	w.do("POST", "/v1/events/demo/postponement", `{"starts_at":"`+stamp(w.now.Add(time.Hour))+`"}`, ops).want(t, 409, "illegal-transition")
}

func TestPostponeAnEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ops, path := bearerKey(opsKey), "/v1/events/demo/postponement"
	for _, body := range []string{`{}`, `{"starts_at":"` + stamp(w.now.Add(-time.Second)) + `"}`} {
		w.do("POST", path, body, ops).want(t, 422, "invalid")
	}
	to := stamp(w.now.Add(1000 * time.Hour).Truncate(time.Second))
	r := w.do("POST", path, `{"starts_at":"`+to+`","refunds_until":"`+to+`"}`, ops).want(t, 200, "")
	if r.string("starts_at") != to || r.string("refunds_until") != to {
		t.Errorf("%s", r.text)
	}
	if again := w.do("POST", path, `{"starts_at":"`+to+`"}`, ops).want(t, 200, ""); again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s", again.text)
	}
}
