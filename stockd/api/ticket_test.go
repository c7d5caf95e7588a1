package api

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

// ticketed is an order with one ticket.
func (w *world) ticketed(visitor byte, seat string) (order result, ticket map[string]any) {
	w.t.Helper()
	h := w.hold(visitor, seat)
	o := w.do("POST", "/v1/holds/"+h.string("id")+"/order", "", holdToken(h)).want(w.t, 201, "")
	id, _ := parseID(o.string("id"), prefixOrder)
	issued := w.orders.orders[id]
	issued.State = "issued"
	w.orders.orders[id] = issued
	r := w.do("GET", "/v1/orders/"+o.string("id")+"/tickets", "", orderToken(o)).want(w.t, 200, "")
	return o, r.body["tickets"].([]any)[0].(map[string]any)
}

func TestTicketRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/v1/events/demo/ticket-rules"
	if r := w.do("GET", path, "").want(t, 200, ""); r.string("names") != "none" || r.string("changes_until") != "2026-12-11T09:00:00Z" {
		t.Errorf("%s", r.text)
	}
	w.do("PUT", path, `{"names":"required"}`).want(t, 401, "unauthorized")
	w.do("PUT", path, `{"names":"required"}`, bearerKey(sellKey)).want(t, 403, "forbidden")
	for _, body := range []string{`{}`, `{"names":"maybe"}`, `{"names":"none","transfers":-1}`, `{"names":"none","name_changes":101}`, `{"names":"none","changes_end_s":-1}`} {
		w.do("PUT", path, body, bearerKey(opsKey)).want(t, 422, "invalid")
	}
	r := w.do("PUT", path, `{"names":"required","transfers":0,"changes_end_s":86400}`, bearerKey(opsKey)).want(t, 200, "")
	if r.body["name_changes"] != 3.0 || r.body["transfers"] != 0.0 || r.string("changes_until") != "2026-12-10T09:00:00Z" {
		t.Errorf("what was left out did not stay: %s", r.text)
	}
}

func TestHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, ticket := w.ticketed(1, "N-1-1")
	other, _ := w.ticketed(2, "N-1-5")
	w.orders.rules.Names = namesRequired
	id := ticket["id"].(string)
	uid, _ := parseID(id, prefixTicket)
	list := w.do("GET", "/v1/orders/"+o.string("id")+"/tickets", "", orderToken(o)).want(t, 200, "")
	if one := list.body["tickets"].([]any)[0].(map[string]any); one["needs_name"] != true || one["code"] != "" || one["name_changes_left"] != 3.0 {
		t.Errorf("%s", list.text)
	}
	w.do("GET", ticket["svg"].(string), "", orderToken(o)).want(t, 409, "name-missing")
	if page := w.do("GET", ticket["page"].(string), "", orderToken(o)).want(t, 200, ""); strings.Contains(string(page.text), "<svg") || !strings.Contains(string(page.text), "Give the name") {
		t.Errorf("%s", page.text)
	}
	path := "/v1/orders/" + o.string("id") + "/tickets/" + id + "/holder"
	w.do("PUT", path, `{"name":"Ada"}`).want(t, 403, "hold-not-yours")
	w.do("PUT", path, `{"name":"Ada"}`, orderToken(other)).want(t, 403, "hold-not-yours")
	w.do("PUT", "/v1/orders/"+other.string("id")+"/tickets/"+id+"/holder", `{"name":"Ada"}`, orderToken(o)).want(t, 404, "not-found")
	w.do("PUT", path, `{"name":"Ada"}`, orderToken(o), without("Idempotency-Key")).want(t, 400, "key-missing")
	for _, body := range []string{`{}`, `{"name":""}`, `{"name":"  "}`, `{"name":"123"}`, `{"name":"a\u0007b"}`, `{"name":"` + strings.Repeat("ä", 201) + `"}`, `{"name":"Ada","document":"?"}`} {
		w.do("PUT", path, body, orderToken(o)).want(t, 422, "invalid")
	}
	w.orders.answer = Ticket{ID: uuid.New(), Order: uid, Event: 1, State: ticketValid, Code: "new", Named: true, Holder: "Zoë Ada"}
	r := w.do("PUT", path, `{"name":" Zoe\u0308  Ada ","document":"c01-x00 t47"}`, orderToken(o)).want(t, 200, "")
	wish := w.orders.wish
	if wish.Name != "Zoë Ada" || wish.Ticket != uid || wish.Document == uuid.Nil || wish.Force || r.string("code") != "new" || r.string("holder") != "Zoë Ada" {
		t.Errorf("%+v %s", wish, r.text)
	}
	w.do("PUT", path, `{"name":"Zoë Ada","document":"C01X00T47"}`, bearerKey(opsKey)).want(t, 200, "")
	if again := w.orders.wish; again.Document != wish.Document || !again.Force || again.Request.Fingerprint != wish.Request.Fingerprint {
		t.Errorf("the same document in another spelling: %+v %+v", again, wish)
	}
	for reason := range ticketReasons {
		w.orders.refuse = &TicketRefused{reason}
		if r := w.do("PUT", path, `{"name":"Ada"}`, orderToken(o)).want(t, 409, "ticket-refused"); r.string("reason") != string(reason) || r.string("detail") == "" {
			t.Errorf("%s", r.text)
		}
	}
	w.orders.refuse = ErrTicketKeyReused
	w.do("PUT", path, `{"name":"Ada"}`, orderToken(o)).want(t, 422, "key-reused")
	// An event with a limit per document wants one.
	w.node.events[1].LimitDocument = 1
	w.do("PUT", path, `{"name":"Ada"}`, orderToken(o)).want(t, 422, "invalid")
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, ticket := w.ticketed(1, "N-1-1")
	path := "/v1/tickets/" + ticket["id"].(string)
	w.orders.offer = Offer{ID: uuid.New(), Code: "ABCDE", State: "open"}
	w.do("POST", path+"/offers", `{}`).want(t, 403, "hold-not-yours")
	w.do("POST", path+"/offers", `{"ttl_s":5}`, orderToken(o)).want(t, 422, "invalid")
	offer := w.do("POST", path+"/offers", ``, orderToken(o)).want(t, 201, "")
	if offer.string("code") != "ABCDE" || offer.body["expires_in_s"] != 259200.0 {
		t.Errorf("%s", offer.text)
	}
	at := path + "/offers/" + offer.string("id")
	w.do("DELETE", path+"/offers/off_1", "", orderToken(o)).want(t, 404, "not-found")
	w.do("DELETE", at, "", orderToken(o)).want(t, 204, "")
	w.orders.again = true
	if r := w.do("DELETE", at, "", orderToken(o)).want(t, 204, ""); r.header.Get("Idempotency-Replayed") != "true" {
		t.Error("not marked as replayed")
	}
	w.orders.again = false
	w.do("POST", "/v1/ticket-transfers", `{}`).want(t, 422, "invalid")
	w.do("POST", "/v1/ticket-transfers", `{"code":"`+strings.Repeat("A", 65)+`"}`).want(t, 422, "invalid")
	order, _ := parseID(o.string("id"), prefixOrder)
	theirs := Ticket{ID: uuid.New(), Order: order, Event: 1, State: ticketValid, Code: "new", Transferred: true}
	w.orders.answer = theirs
	r := w.do("POST", "/v1/ticket-transfers", `{"code":"ABCDE"}`).want(t, 201, "")
	if r.string("token") != w.orders.TicketToken(theirs.ID) || !strings.HasPrefix(r.header.Get("Set-Cookie"), "tkt_"+theirs.ID.String()+"=") || r.header.Get("Location") != "/v1/tickets/"+r.string("id") {
		t.Errorf("%s %v", r.text, r.header)
	}
	// What the code is for, before it is used: no token, no account, and its answer has no code.
	id, _ := parseID(ticket["id"].(string), prefixTicket)
	mine, _, _ := w.orders.Ticket(t.Context(), id)
	w.orders.offer.Event, w.orders.offer.Seat, w.orders.offer.Code = 1, mine.Seat, ""
	w.do("POST", "/v1/ticket-offers", `{}`).want(t, 422, "invalid")
	shown := w.do("POST", "/v1/ticket-offers", `{"code":"abcde"}`, without("Idempotency-Key")).want(t, 200, "")
	if shown.string("seat") != "N-1-1" || shown.string("section") != "N" || shown.string("names") != "none" || shown.body["needs_account"] != false || w.orders.code != "abcde" || strings.Contains(string(shown.text), `"code"`) {
		t.Errorf("%s %q", shown.text, w.orders.code)
	}
	w.orders.refuse = &TicketRefused{TicketOfferAccepted}
	w.do("POST", "/v1/ticket-offers", `{"code":"ABCDE"}`).want(t, 409, "ticket-refused")
	w.orders.refuse = ErrNotFound
	w.do("POST", "/v1/ticket-offers", `{"code":"ABCDF"}`).want(t, 404, "not-found")
	w.do("POST", "/v1/ticket-transfers", `{"code":"ABCDF"}`).want(t, 404, "not-found")
	w.orders.refuse = nil
	// The order's bearer does not see it any more, the recipient does.
	w.orders.given = &theirs
	path = "/v1/tickets/" + r.string("id")
	for _, form := range []string{"", ".svg", ".html"} {
		w.do("GET", path+form, "", orderToken(o)).want(t, 403, "hold-not-yours")
		w.do("GET", path+form, "", header("X-Ticket-Token", "st1.x")).want(t, 403, "hold-not-yours")
		w.do("GET", path+form, "", header("X-Ticket-Token", r.string("token"))).want(t, 200, "")
		w.do("GET", path+form, "", header("Cookie", "tkt_"+theirs.ID.String()+"="+r.string("token"))).want(t, 200, "")
	}
	w.do("PUT", path+"/holder", `{"name":"Ada"}`, orderToken(o)).want(t, 403, "hold-not-yours")
	list := w.do("GET", "/v1/orders/"+o.string("id")+"/tickets", "", orderToken(o)).want(t, 200, "")
	if strings.Contains(string(list.text), theirs.ID.String()) || len(list.body["tickets"].([]any)) != 1 {
		t.Errorf("%s", list.text)
	}
	theirs.State = ticketVoid
	w.do("GET", path+".png", "", header("X-Ticket-Token", r.string("token"))).want(t, 409, "ticket-refused")
}

// Where the site has accounts a ticket goes from one account to another, and whoever looks at an offer is told so.
func TestTransferToAnAccount(t *testing.T) {
	t.Parallel()
	w := limited(t, 0, 0, 0)
	o, ticket := w.ticketed(1, "N-1-1")
	id, _ := parseID(ticket["id"].(string), prefixTicket)
	mine, _, _ := w.orders.Ticket(t.Context(), id)
	w.orders.offer = Offer{ID: uuid.New(), State: "open", Event: 1, Seat: mine.Seat}
	if r := w.do("POST", "/v1/ticket-offers", `{"code":"ABCDE"}`).want(t, 200, ""); r.body["needs_account"] != true {
		t.Errorf("%s", r.text)
	}
	order, _ := parseID(o.string("id"), prefixOrder)
	w.orders.answer = Ticket{ID: uuid.New(), Order: order, Event: 1, State: ticketValid, Transferred: true}
	if r := w.do("POST", "/v1/ticket-transfers", `{"code":"ABCDE"}`).want(t, 401, "account-token"); r.string("reason") != "missing" || w.orders.account != "" {
		t.Errorf("%s", r.text)
	}
	w.do("POST", "/v1/ticket-transfers", `{"code":"ABCDE"}`, header(accountHeader, "x")).want(t, 401, "account-token")
	w.do("POST", "/v1/ticket-transfers", `{"code":"ABCDE"}`, w.logged("grace")).want(t, 201, "")
	if w.orders.account != "grace" {
		t.Errorf("the ticket went to %q", w.orders.account)
	}
	// The same key of another account is another request: it gets no copy of the ticket.
	k := key(uuid.NewString())
	w.do("POST", "/v1/ticket-transfers", `{"code":"ABCDE"}`, w.logged("grace"), k).want(t, 201, "")
	graces := w.orders.accepted
	w.do("POST", "/v1/ticket-transfers", `{"code":"ABCDE"}`, w.logged("heidi"), k).want(t, 201, "")
	if heidis := w.orders.accepted; heidis.Scope == graces.Scope || heidis.Key != graces.Key {
		t.Errorf("%+v is the request of %+v", heidis, graces)
	}
}
