package api

import (
	"fmt"
	"strings"
	"testing"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.hold(1, "N-1-1", "N-1-2")
	path := "/v1/holds/" + h.string("id")
	const k = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2aff"
	const buyer = `{"buyer":{"name":"Ada","email":"ada@example.org"}}`
	o := w.do("POST", path+"/order", buyer, holdToken(h), key(k)).want(t, 201, "")
	if o.body["total"] != 17700.0 || o.string("state") != "pending_payment" || o.string("hold") != h.string("id") || len(o.body["lines"].([]any)) != 2 {
		t.Fatalf("%s", o.text)
	}
	if again := w.do("POST", path+"/order", buyer, holdToken(h), key(k)).want(t, 200, ""); again.string("id") != o.string("id") {
		t.Fatalf("%s", again.text)
	}
	// Frozen: one open order, no release, but more time.
	r := w.do("POST", path+"/order", buyer, holdToken(h)).want(t, 409, "illegal-transition")
	if r.body["from"] != "ordered" || r.body["event"] != "order" || fmt.Sprint(r.body["allowed"]) != "[extend]" {
		t.Fatalf("%s", r.text)
	}
	w.do("DELETE", path, "", holdToken(h)).want(t, 409, "illegal-transition")
	w.do("PATCH", path, `{"extend":true}`, holdToken(h)).want(t, 200, "")
	if r := w.do("GET", path, "", holdToken(h)).want(t, 200, ""); r.string("order") != o.string("id") {
		t.Fatalf("%s", r.text)
	}
	order := "/v1/orders/" + o.string("id")
	w.do("GET", order, "", orderToken(o)).want(t, 200, "")
	w.do("GET", order, "", holdToken(h)).want(t, 403, "hold-not-yours")
	w.do("GET", order+"/tickets", "", orderToken(o)).want(t, 202, "")
	w.do("POST", order+"/payments", `{"provider":"sandbox","return_url":"/tickets"}`, orderToken(o)).want(t, 201, "")
	for body, pointer := range map[string]string{
		`{"provider":"bank"}`: "/provider", `{}`: "/provider", `{"provider":"sandbox","return_url":"//evil.example"}`: "/return_url",
		`{"provider":"sandbox","return_url":"https://evil.example"}`: "/return_url", `{"provider":"sandbox","return_url":"/\\evil"}`: "/return_url",
	} {
		r := w.do("POST", order+"/payments", body, orderToken(o)).want(t, 422, "invalid")
		if at := r.body["errors"].([]any)[0].(map[string]any)["pointer"]; at != pointer {
			t.Errorf("%s: %s", body, r.text)
		}
	}
	w.orders.fail = &IllegalTransition{From: "paying", Event: "cancel"}
	r = w.do("POST", order+"/cancel", `{}`, orderToken(o)).want(t, 409, "illegal-transition")
	if r.body["from"] != "paying" {
		t.Fatalf("%s", r.text)
	}
	w.orders.fail = nil
	c := w.do("POST", order+"/cancel", `{}`, orderToken(o)).want(t, 200, "")
	if c.string("state") != "cancelled" {
		t.Fatalf("%s", c.text)
	}
	if again := w.do("POST", order+"/cancel", ``, orderToken(o)).want(t, 200, ""); again.header.Get("Idempotency-Replayed") != "true" {
		t.Fatal("not marked as replayed")
	}
	w.do("GET", path, "", holdToken(h)).want(t, 410, "hold-expired")
}

func TestTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h, other := w.hold(1, "N-1-1"), w.hold(2, "N-1-5")
	o := w.do("POST", "/v1/holds/"+h.string("id")+"/order", "", holdToken(h)).want(t, 201, "")
	p := w.do("POST", "/v1/holds/"+other.string("id")+"/order", "", holdToken(other)).want(t, 201, "")
	id, _ := parseID(o.string("id"), prefixOrder)
	issued := w.orders.orders[id]
	issued.State = "issued"
	w.orders.orders[id] = issued
	r := w.do("GET", "/v1/orders/"+o.string("id")+"/tickets", "", orderToken(o)).want(t, 200, "")
	ticket := r.body["tickets"].([]any)[0].(map[string]any)
	if ticket["seat"] != "N-1-1" || ticket["section"] != "N" {
		t.Fatalf("%s", r.text)
	}
	for form, kind := range map[string]string{"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf", "page": "text/html; charset=utf-8"} {
		path := ticket[form].(string)
		if r := w.do("GET", path, "", orderToken(o)).want(t, 200, ""); r.header.Get("Content-Type") != kind {
			t.Errorf("%v", r.header)
		}
		w.do("GET", path, "", header("Cookie", "order_"+id.String()+"="+o.string("token"))).want(t, 200, "")
		w.do("GET", path, "", orderToken(p)).want(t, 403, "hold-not-yours")
		w.do("GET", path, "").want(t, 403, "hold-not-yours")
		w.do("GET", path+"?code=aztec&tz=Europe/Berlin", "", orderToken(o)).want(t, 200, "")
		w.do("GET", path+"?code=morse", "", orderToken(o)).want(t, 422, "invalid")
		w.do("GET", path+"?tz=Local", "", orderToken(o)).want(t, 422, "invalid")
	}
	page := w.do("GET", r.string("page")+"?tz=Asia/Tokyo", "", orderToken(o)).want(t, 200, "")
	for _, want := range []string{"Row 1, seat 1", "Friday, 11 December 2026, 18:00 JST", "/tickets.pdf?tz=Asia%2FTokyo", "<svg "} {
		if !strings.Contains(string(page.text), want) {
			t.Errorf("the page lacks %q: %s", want, page.text)
		}
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || page.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%v", page.header)
	}
	if pdf := w.do("GET", r.string("pdf"), "", orderToken(o)).want(t, 200, ""); !strings.HasPrefix(string(pdf.text), "%PDF-") {
		t.Errorf("%.80s", pdf.text)
	}
	w.do("GET", r.string("pdf"), "", orderToken(p)).want(t, 403, "hold-not-yours")
	w.do("GET", "/v1/tickets/tkt_1.svg", "").want(t, 404, "not-found")
	w.do("GET", "/v1/tickets/"+ticket["id"].(string)+".gif", "", orderToken(o)).want(t, 404, "not-found")
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/v1/webhooks/sandbox"
	w.do("POST", path, `{"id":"evt_1"}`, without("Idempotency-Key")).want(t, 204, "")
	for _, c := range []struct {
		err    error
		status int
		kind   string
	}{
		{ErrSignature, 401, "unauthorized"},
		{ErrBadEvent, 400, "malformed"},
		{ErrNotFound, 404, "not-found"},
		{ErrMismatch, 409, "payment-mismatch"},
		{ErrLedgerAway, 503, "ledger-unavailable"},
	} {
		w.orders.fail = fmt.Errorf("webhook: %w", c.err)
		w.do("POST", path, `{}`).want(t, c.status, c.kind)
	}
}
