package api

import (
	"testing"

	"github.com/google/uuid"
)

// wideSale: seats in two sections and places of an area in one hold, all or none, from a hold to tickets, each request to another node than the last.
func wideSale(t *testing.T, c *cluster) {
	const holds = "/v1/events/wide/holds"
	c.event("wide", string(chartText()), "application/json", `"adult","child"`, e2ePrices)
	const body = `{"items":[{"seat":"N-1-15"},{"seat":"S-1-5"},{"seat":"N-1-17"},{"area":"floor","quantity":2}]}`
	me, k := c.visitor(21), key(uuid.NewString())
	h := c.do(0, "POST", holds, body, me, k).want(t, 201, "")
	if h.body["together"] != false || len(h.body["items"].([]any)) != 5 {
		t.Fatalf("%s", h.text)
	}
	if again := c.do(1, "POST", holds, body, me, k).want(t, 200, ""); again.string("id") != h.string("id") {
		t.Fatalf("%s", again.text)
	}
	c.do(1, "POST", holds, `{"items":[{"seat":"N-1-16"},{"seat":"S-1-6"}]}`, me, k).want(t, 422, "key-reused")
	// It counts against the limit of six as a whole, before anything of it is sold.
	late := key(uuid.NewString())
	for i := range 3 { // told again under its key, by any node
		c.do(i, "POST", holds, `{"items":[{"seat":"N-1-16"},{"seat":"S-1-6"}]}`, me, late).wantLimit(t, "tid", 6, 5)
	}
	// None, when one is taken: the others stay free.
	c.do(0, "POST", holds, `{"items":[{"seat":"N-1-18"},{"seat":"S-1-5"},{"area":"floor"}]}`, c.visitor(22)).want(t, 409, "seat-taken")
	other := c.do(1, "POST", holds, `{"items":[{"seat":"N-1-18"}]}`, c.visitor(22)).want(t, 201, "")
	c.do(1, "DELETE", "/v1/holds/"+other.string("id"), "", holdToken(other)).want(t, 204, "")
	path := "/v1/holds/" + h.string("id")
	c.do(1, "GET", path, "", holdToken(h)).want(t, 200, "")
	c.do(0, "PATCH", path, `{"extend":true}`, holdToken(h)).want(t, 200, "")
	k = key(uuid.NewString())
	o := c.do(1, "POST", path+"/order", ``, holdToken(h), k).want(t, 201, "")
	if again := c.do(0, "POST", path+"/order", ``, holdToken(h), k).want(t, 200, ""); again.string("id") != o.string("id") {
		t.Fatalf("%s", again.text)
	}
	c.do(0, "POST", path+"/order", ``, holdToken(h)).want(t, 409, "illegal-transition")
	c.do(0, "DELETE", path, "", holdToken(h)).want(t, 409, "illegal-transition")
	if tickets := c.pay(0, o).body["tickets"].([]any); len(tickets) != 5 {
		t.Fatalf("%d tickets", len(tickets))
	}
	if order := c.do(1, "GET", "/v1/orders/"+o.string("id"), "", orderToken(o)).want(t, 200, ""); order.string("state") != "issued" || len(order.body["lines"].([]any)) != 5 {
		t.Fatalf("%s", order.text)
	}
	wideGivenUp(t, c)
}

// wideGivenUp: released, and cancelled with its order, every seat of it is free again at once.
func wideGivenUp(t *testing.T, c *cluster) {
	const holds = "/v1/events/wide/holds"
	const body = `{"items":[{"seat":"N-1-19"},{"seat":"S-1-7"}]}`
	for i := range 2 {
		h := c.do(i, "POST", holds, body, c.visitor(23)).want(t, 201, "")
		k := key(uuid.NewString())
		if i == 0 {
			c.do(1, "DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h), k).want(t, 204, "")
			if again := c.do(0, "DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h), k).want(t, 204, ""); again.header.Get("Idempotency-Replayed") != "true" {
				t.Fatal("not marked as replayed")
			}
		} else {
			o := c.do(0, "POST", "/v1/holds/"+h.string("id")+"/order", ``, holdToken(h)).want(t, 201, "")
			c.do(1, "POST", "/v1/orders/"+o.string("id")+"/cancel", `{}`, orderToken(o)).want(t, 200, "")
		}
		c.do(0, "GET", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 410, "hold-expired")
		c.until("its seats are free", func() bool {
			a := c.do(1, "POST", holds, body, c.visitor(24))
			if a.status == 201 {
				c.do(1, "DELETE", "/v1/holds/"+a.string("id"), "", holdToken(a)).want(t, 204, "")
			}
			return a.status == 201
		})
	}
	// A party that may sit anywhere is split over what is free: more than any one segment takes.
	party := c.do(0, "POST", holds, `{"best_available":{"quantity":20,"together":"any","orphans":"allow"}}`, bearerKey(opsKey)).want(t, 201, "")
	sections := map[any]int{}
	for _, item := range party.body["items"].([]any) {
		sections[item.(map[string]any)["section"]]++
	}
	if party.body["together"] != false || len(sections) != 2 || len(party.body["items"].([]any)) != 20 {
		t.Fatalf("%v: %s", sections, party.text)
	}
	c.do(0, "DELETE", "/v1/holds/"+party.string("id"), "", holdToken(party)).want(t, 204, "")
	c.do(0, "POST", holds, `{"best_available":{"quantity":20,"together":"preferred"}}`, bearerKey(opsKey)).want(t, 409, "")
}

func TestWideHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const holds = "/v1/events/demo/holds"
	const body = `{"items":[{"seat":"N-1-1"},{"seat":"S-1-1"},{"area":"floor","quantity":2}]}`
	k := key(uuid.NewString())
	h := w.do("POST", holds, body, w.admitted(1), k).want(t, 201, "")
	if again := w.do("POST", holds, body, w.admitted(1), k).want(t, 200, ""); again.string("id") != h.string("id") {
		t.Fatalf("%s", again.text)
	}
	w.do("POST", holds, `{"items":[{"seat":"N-1-2"},{"seat":"S-1-1"}]}`, w.admitted(2)).want(t, 409, "seat-taken")
	w.do("POST", holds, `{"items":[{"seat":"N-1-2"}]}`, w.admitted(2)).want(t, 201, "")
	w.do("PATCH", "/v1/holds/"+h.string("id"), `{"extend":true}`, holdToken(h)).want(t, 200, "")
	w.do("POST", holds+"?segment=1", `{"items":[{"seat":"S-1-2"},{"area":"floor"}]}`, w.admitted(3)).want(t, 422, "invalid")
	w.do("DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 204, "")
	w.do("GET", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 410, "hold-expired")
}
