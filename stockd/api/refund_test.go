package api

import (
	"fmt"
	"testing"
	"time"

	"ticketrush/stockd/stock"
)

// issued is an order with its tickets, as far as the stub goes.
func (w *world) issued(visitor byte, seats ...string) result {
	w.t.Helper()
	h := w.hold(visitor, seats...)
	o := w.do("POST", "/v1/holds/"+h.string("id")+"/order", "", holdToken(h)).want(w.t, 201, "")
	id, _ := parseID(o.string("id"), prefixOrder)
	order := w.orders.orders[id]
	order.State = "issued"
	w.orders.orders[id] = order
	return o
}

func TestRefundByOps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.issued(1, "N-1-1", "N-1-2")
	path, ops := "/v1/orders/"+o.string("id")+"/refunds", bearerKey(opsKey)
	for body, pointer := range map[string]string{
		`{"items":[{"seat":"N-1-3"}]}`: "/items/0", `{"items":[{"seat":"N-1-1"},{"seat":"N-1-1"}]}`: "/items/1", `{"items":[{"seat":"N-1-1"},{}]}`: "/items/1",
		`{"reason":"` + fmt.Sprintf("%0201d", 0) + `"}`: "/reason",
	} {
		r := w.do("POST", path, body, ops).want(t, 422, "invalid")
		if at := r.body["errors"].([]any)[0].(map[string]any)["pointer"]; at != pointer {
			t.Errorf("%s: %s", body, r.text)
		}
	}
	const k = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2aff"
	r := w.do("POST", path, `{"items":[{"seat":"N-1-2"}],"reason":"ill"}`, ops, key(k)).want(t, 201, "")
	refund := r.body["refunds"].([]any)[0].(map[string]any)
	if refund["state"] != "decided" || refund["reason"] != "ill" || fmt.Sprint(refund["items"]) != "[N-1-2]" {
		t.Errorf("%s", r.text)
	}
	if lines := r.body["lines"].([]any); lines[0].(map[string]any)["state"] != nil || lines[1].(map[string]any)["state"] != "refunded" {
		t.Errorf("%s", r.text)
	}
	again := w.do("POST", path, `{"items":[{"seat":"N-1-2"}],"reason":"ill"}`, ops, key(k)).want(t, 200, "")
	if again.header.Get("Idempotency-Replayed") != "true" || len(again.body["refunds"].([]any)) != 1 {
		t.Errorf("%s", again.text)
	}
	for err, kind := range map[error]string{ErrNoLine: "invalid", ErrKeyReused: "key-reused", &IllegalTransition{From: "disputed", Event: "cancel"}: "illegal-transition"} {
		w.orders.fail = err
		status := 422
		if kind == "illegal-transition" {
			status = 409
		}
		w.do("POST", path, "", ops).want(t, status, kind)
	}
}

// A buyer may give tickets back as long as the event says so, and never at another's order.
func TestRefundByTheBuyer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.issued(1, "N-1-1"), w.issued(2, "N-1-5")
	path := "/v1/orders/" + o.string("id")
	w.do("POST", path+"/refunds", "", orderToken(o)).want(t, 403, "forbidden")
	w.do("POST", path+"/cancel", "", orderToken(o)).want(t, 403, "forbidden")
	w.refundsUntil(-time.Minute)
	w.do("POST", path+"/refunds", "", orderToken(o)).want(t, 403, "forbidden")
	w.refundsUntil(time.Minute)
	w.do("POST", path+"/refunds", "", orderToken(p)).want(t, 403, "hold-not-yours")
	w.do("POST", path+"/refunds", "").want(t, 403, "hold-not-yours")
	if r := w.do("POST", path+"/cancel", "", orderToken(o)).want(t, 200, ""); r.string("state") != "refunding" {
		t.Errorf("%s", r.text)
	}
	w.do("POST", "/v1/orders/"+p.string("id")+"/refunds", "", orderToken(p)).want(t, 201, "")
}

// refundsUntil lets buyers give tickets back for a while from now on.
func (w *world) refundsUntil(d time.Duration) {
	w.node.mu.Lock()
	defer w.node.mu.Unlock()
	for id, ev := range w.node.events {
		changed := *ev
		changed.RefundsUntil = w.node.now().Add(d)
		w.node.events[id] = &changed
	}
}

func TestSeatOffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.issued(1, "N-1-1")
	path := "/v1/orders/" + o.string("id")
	id, _ := parseID(o.string("id"), prefixOrder)
	w.do("POST", path+"/offer", `{"accept":true}`, orderToken(o)).want(t, 409, "illegal-transition")
	order := w.orders.orders[id]
	order.State, order.Offer = "paying", &SeatOffer{Seats: []stock.SeatID{order.Lines[0].Seat + 3}, Until: w.now.Add(time.Minute)}
	w.orders.orders[id] = order
	r := w.do("GET", path, "", orderToken(o)).want(t, 200, "")
	offer, _ := r.body["offer"].(map[string]any)
	if offer["until_in_s"] != 60.0 || offer["items"].([]any)[0].(map[string]any)["seat"] != "N-1-4" {
		t.Errorf("%s", r.text)
	}
	w.do("POST", path+"/offer", `{}`, orderToken(o)).want(t, 422, "invalid")
	w.do("POST", path+"/offer", `{"accept":true}`).want(t, 403, "hold-not-yours")
	r = w.do("POST", path+"/offer", `{"accept":true}`, orderToken(o)).want(t, 200, "")
	if r.string("state") != "paid" || r.body["lines"].([]any)[0].(map[string]any)["seat"] != "N-1-4" {
		t.Errorf("%s", r.text)
	}
}
