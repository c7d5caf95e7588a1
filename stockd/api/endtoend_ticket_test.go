package api

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

// ticketsByName: what becomes of tickets at the real nodes: a name, a new name, a transfer, and who may see what.
func ticketsByName(t *testing.T, c *cluster) {
	c.do(0, "PUT", "/v1/events/night/ticket-rules", `{"names":"required","name_changes":1,"transfers":1}`, bearerKey(opsKey)).want(t, 200, "")
	defer c.do(0, "PUT", "/v1/events/night/ticket-rules", `{"names":"none"}`, bearerKey(opsKey))
	h := c.do(0, "POST", "/v1/events/night/holds", `{"items":[{"seat":"N-1-15"},{"seat":"N-1-16"}]}`, c.visitor(41)).want(t, 201, "")
	o := c.do(0, "POST", "/v1/holds/"+h.string("id")+"/order", ``, holdToken(h)).want(t, 201, "")
	list := c.pay(0, o)
	first := list.body["tickets"].([]any)[0].(map[string]any)
	if first["needs_name"] != true || first["code"] != "" {
		t.Fatalf("%s", list.text)
	}
	c.do(1, "GET", first["svg"].(string), "", orderToken(o)).want(t, 409, "name-missing")
	path, k := "/v1/orders/"+o.string("id")+"/tickets/"+first["id"].(string)+"/holder", key(uuid.NewString())
	named := c.do(1, "PUT", path, `{"name":"Ada Lovelace"}`, orderToken(o), k).want(t, 200, "")
	if again := c.do(0, "PUT", path, `{"name":"Ada Lovelace"}`, orderToken(o), k).want(t, 200, ""); again.string("id") != named.string("id") || again.header.Get("Idempotency-Replayed") != "true" {
		t.Fatalf("%s", again.text)
	}
	c.do(0, "PUT", path, `{"name":"Eve"}`, orderToken(o), k).want(t, 422, "key-reused")
	if r := c.do(0, "PUT", path, `{"name":"Eve"}`, orderToken(o)).want(t, 409, "ticket-refused"); r.string("reason") != "void" {
		t.Fatalf("%s", r.text)
	}
	c.do(1, "GET", "/v1/tickets/"+named.string("id")+".png", "", orderToken(o)).want(t, 200, "")
	if page := c.do(1, "GET", list.string("page"), "", orderToken(o)).want(t, 200, ""); !strings.Contains(string(page.text), "Ada Lovelace") || strings.Count(string(page.text), "<svg") != 1 {
		t.Fatalf("%s", page.text)
	}
	// Given away: the giver's is void, the recipient names themselves, and the order's token opens it no more.
	offer := c.do(0, "POST", "/v1/tickets/"+named.string("id")+"/offers", ``, orderToken(o)).want(t, 201, "")
	if again := c.do(1, "GET", "/v1/tickets/"+named.string("id"), "", orderToken(o)).want(t, 200, ""); again.body["offer"].(map[string]any)["code"] != offer.string("code") {
		t.Fatalf("the giver cannot read the code again: %s", again.text)
	}
	shown := c.do(1, "POST", "/v1/ticket-offers", `{"code":"`+offer.string("code")+`"}`).want(t, 200, "")
	if shown.string("seat") != named.string("seat") || shown.string("names") != "required" || strings.Contains(string(shown.text), "Ada") {
		t.Fatalf("%s", shown.text)
	}
	got := c.do(1, "POST", "/v1/ticket-transfers", `{"code":"`+offer.string("code")+`"}`).want(t, 201, "")
	mine := header("X-Ticket-Token", got.string("token"))
	c.do(0, "POST", "/v1/ticket-transfers", `{"code":"`+offer.string("code")+`"}`).want(t, 409, "ticket-refused")
	if r := c.do(0, "POST", "/v1/ticket-offers", `{"code":"`+offer.string("code")+`"}`).want(t, 409, "ticket-refused"); r.string("reason") != "offer-accepted" {
		t.Fatalf("%s", r.text)
	}
	c.do(0, "GET", "/v1/tickets/"+got.string("id"), "", orderToken(o)).want(t, 403, "hold-not-yours")
	grace := c.do(0, "PUT", "/v1/tickets/"+got.string("id")+"/holder", `{"name":"Grace"}`, mine).want(t, 200, "")
	c.do(1, "GET", "/v1/tickets/"+grace.string("id")+".svg", "", header("X-Ticket-Token", grace.string("token"))).want(t, 200, "")
	if grace.body["transfers_left"] != 0.0 || grace.body["name_changes_left"] != 1.0 || grace.string("holder") != "Grace" {
		t.Fatalf("%s", grace.text)
	}
	list = c.do(0, "GET", "/v1/orders/"+o.string("id")+"/tickets", "", orderToken(o)).want(t, 200, "")
	if strings.Contains(string(list.text), "Grace") || len(list.body["tickets"].([]any)) != 2 || !strings.Contains(string(list.text), `"void_reason":"transferred"`) {
		t.Fatalf("%s", list.text)
	}
}
