package api

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ticketrush/stockd/gate"
	"ticketrush/stockd/order"

	"github.com/google/uuid"
)

const gateKey = "gate-key"

func TestGateBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/v1/events/demo/gate-bundle"
	w.do("GET", path, "").want(t, 401, "unauthorized")
	w.do("GET", path, "", bearerKey(sellKey)).want(t, 403, "forbidden")
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.orders.keys = order.TicketKeys{7: public}
	w.orders.rules.Names = namesRequired
	ev := w.node.events[1]
	code := order.TicketCode{KeyID: 7, Event: ev.ID, Ticket: uuid.New(), Seat: 1 << 24, ValidFrom: w.now, Holder: order.HolderHash([]byte("0123456789abcdef"), "Ada", nil)}
	text := code.Sign(private)
	w.orders.gate = []GateTicket{{ID: code.Ticket, Seat: 1 << 24, Code: text, Holder: "Ada", Salt: []byte("0123456789abcdef")}}
	// More than one page is revoked, all at one moment.
	for range revokedPage + 3 {
		w.orders.revoked = append(w.orders.revoked, RevokedTicket{ID: uuid.New(), VoidedAt: w.now.Add(-time.Hour), Reason: "refunded"})
	}
	sortRevoked(w.orders.revoked)
	r := w.do("GET", path, "", bearerKey(gateKey)).want(t, 200, "")
	var b gate.Bundle
	if err := json.Unmarshal(r.text, &b); err != nil || b.Check() != nil {
		t.Fatalf("%v %v", err, b.Check())
	}
	if len(b.Revoked) != revokedPage+3 || b.Seats["16777216"] != "N-1-1" || !b.ValidUntil.Equal(ev.StartsAt.Add(24*time.Hour)) || strings.Contains(string(r.text), "Ada") {
		t.Errorf("%d revoked, %v, %v", len(b.Revoked), b.Seats, b.ValidUntil)
	}
	if v := b.Judge(text, ev.StartsAt, false); v.Result != gate.OK || v.Holder != "Ada" || v.Seat != "N-1-1" {
		t.Errorf("%+v", v)
	}
	// What is revoked after that is told, and nothing that was committed late is missed.
	late := RevokedTicket{ID: uuid.New(), VoidedAt: w.now.Add(-30 * time.Second), Reason: "transferred"}
	w.orders.revoked = append(w.orders.revoked, late)
	more := w.do("GET", "/v1/events/demo/revocations?since="+b.Since, "", bearerKey(gateKey)).want(t, 200, "")
	if list := more.body["revocations"].([]any); len(list) != 1 || list[0].(map[string]any)["ticket"] != prefixTicket+late.ID.String() || more.body["more"] != false {
		t.Errorf("%s", more.text)
	}
	if first := w.do("GET", "/v1/events/demo/revocations", "", bearerKey(gateKey)).want(t, 200, ""); first.body["more"] != true || len(first.body["revocations"].([]any)) != revokedPage {
		t.Error("the first page")
	}
	w.do("GET", "/v1/events/demo/revocations?since=abc", "", bearerKey(gateKey)).want(t, 422, "invalid")
}

func TestCheckins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/v1/events/demo/checkins"
	id := prefixTicket + uuid.NewString()
	scan := fmt.Sprintf(`{"ticket":%q,"at":"2026-12-01T08:00:00Z"}`, id)
	w.do("POST", path, `{"gate":"n","code":"x"}`).want(t, 401, "unauthorized")
	w.do("POST", path, `{"gate":"n","code":"x"}`, bearerKey(sellKey)).want(t, 403, "forbidden")
	for name, body := range map[string]string{
		"nothing": `{}`, "both": `{"gate":"n","code":"x","scans":[` + scan + `]}`, "no gate": `{"code":"x"}`, "a gate of spaces": `{"gate":" ","code":"x"}`, "no gate of a scan": `{"scans":[` + scan + `]}`,
		"no ticket": `{"gate":"n","scans":[{"ticket":"x","at":"2026-12-01T08:00:00Z"}]}`, "no time": `{"gate":"n","scans":[{"ticket":"` + id + `"}]}`,
		"another century": `{"gate":"n","scans":[{"ticket":"` + id + `","at":"1970-01-01T00:00:00Z"}]}`, "too many": `{"gate":"n","scans":[` + strings.Repeat(scan+",", 500) + scan + `]}`,
	} {
		if r := w.do("POST", path, body, bearerKey(gateKey)); r.status != 422 {
			t.Errorf("%s: %d %s", name, r.status, r.text)
		}
	}
	w.do("POST", path, `{"gate":"n","scans":[`+scan+`]}`, bearerKey(gateKey)).want(t, 200, "")
	if len(w.orders.late) != 1 || w.orders.late[0].Gate != "n" {
		t.Errorf("%+v", w.orders.late)
	}
	r := w.do("POST", path, `{"gate":"n","code":"x"}`, bearerKey(gateKey)).want(t, 200, "")
	if v := r.body["results"].([]any)[0].(map[string]any); v["result"] != "unreadable" || v["colour"] != "red" {
		t.Errorf("%s", r.text)
	}
}

func sortRevoked(list []RevokedTicket) {
	slices.SortFunc(list, func(a, b RevokedTicket) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}

// eventAt puts an event on sale that begins at a time.
func (c *cluster) eventAt(slug string, starts time.Time) result {
	c.t.Helper()
	plan := c.do(0, "POST", "/v1/charts?name="+slug, string(chartText()), bearerKey(opsKey), header("Content-Type", "application/json"))
	ev := c.do(0, "POST", "/v1/events", fmt.Sprintf(`{"slug":%q,"name":"Soon","chart":%q,"starts_at":%q,"currency":"EUR","room":"e2e","types":["adult"],
		"prices":[{"category":"A","type":"adult","face":8500,"fee":350,"tax":100},{"category":"B","type":"adult","face":5000}],"limits":{"tid":6},"open":true}`,
		slug, plan.string("id"), starts.UTC().Format(time.RFC3339)), bearerKey(opsKey)).want(c.t, 201, "")
	for i := range c.nodes {
		c.until("event is known", func() bool { return c.raw(i, "/v1/events/"+slug) == http.StatusOK })
	}
	return ev
}

// gates: real nodes. Two gates at once, a gate without a network, and what is void.
func gates(t *testing.T, c *cluster) {
	ops := bearerKey(opsKey)
	ev := c.eventAt("soon", time.Now().Add(time.Hour))
	h := c.do(0, "POST", "/v1/events/soon/holds", `{"items":[{"seat":"N-1-1"},{"seat":"N-1-2"},{"seat":"N-1-3"}]}`, c.visitor(51)).want(t, 201, "")
	o := c.do(0, "POST", "/v1/holds/"+h.string("id")+"/order", ``, holdToken(h)).want(t, 201, "")
	tickets := c.pay(0, o).body["tickets"].([]any)
	code := func(i int) string { return tickets[i].(map[string]any)["code"].(string) }
	at := "/v1/events/soon/checkins"
	verdicts := make(chan map[string]any, 8)
	for i := range 8 {
		go func() {
			r := c.do(i%2, "POST", at, fmt.Sprintf(`{"gate":"g%d","code":%q}`, i, code(0)), ops)
			verdicts <- r.body["results"].([]any)[0].(map[string]any)
		}()
	}
	green := 0
	for range 8 {
		v := <-verdicts
		if v["result"] == "ok" {
			green++
		} else if first, _ := v["first"].(map[string]any); v["result"] != "again" || first["gate"] == "" || v["seat"] != "N-1-1" {
			t.Errorf("%v", v)
		}
	}
	if green != 1 {
		t.Errorf("%d gates let the same ticket in", green)
	}
	// A gate that did not hear the answer asks again.
	k := key(uuid.NewString())
	for range 2 {
		if r := c.do(0, "POST", at, fmt.Sprintf(`{"gate":"g1","code":%q}`, code(1)), ops, k).want(t, 200, ""); !strings.Contains(string(r.text), `"result":"ok"`) {
			t.Errorf("%s", r.text)
		}
	}
	// A gate without a network had it earlier; it may tell so as often as it likes.
	earlier := fmt.Sprintf(`{"gate":"cellar","scans":[{"ticket":%q,"at":%q},{"ticket":%q,"at":%q},{"ticket":"tkt_%s","at":"2026-12-12T10:00:00Z"}]}`,
		tickets[1].(map[string]any)["id"], time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), tickets[2].(map[string]any)["id"], time.Now().UTC().Format(time.RFC3339), uuid.NewString())
	for range 2 {
		r := c.do(1, "POST", at, earlier, ops).want(t, 200, "")
		var results []string
		for _, v := range r.body["results"].([]any) {
			results = append(results, v.(map[string]any)["result"].(string))
		}
		if fmt.Sprint(results) != "[ok ok revoked]" {
			t.Errorf("%s", r.text)
		}
	}
	if r := c.do(0, "POST", at, fmt.Sprintf(`{"gate":"g1","code":%q}`, code(2)), ops).want(t, 200, ""); !strings.Contains(string(r.text), `"gate":"cellar"`) {
		t.Errorf("%s", r.text)
	}
	// Passed on: the old code is red, in the bundle too.
	c.do(0, "PUT", "/v1/events/soon/ticket-rules", `{"names":"optional"}`, ops).want(t, 200, "")
	fresh := c.do(0, "PUT", "/v1/tickets/"+tickets[2].(map[string]any)["id"].(string)+"/holder", `{"name":"Ada Lovelace"}`, orderToken(o)).want(t, 200, "")
	if r := c.do(0, "POST", at, fmt.Sprintf(`{"gate":"g1","code":%q}`, code(2)), ops).want(t, 200, ""); !strings.Contains(string(r.text), `"result":"revoked"`) {
		t.Errorf("%s", r.text)
	}
	if r := c.do(0, "POST", at, fmt.Sprintf(`{"gate":"g1","code":%q}`, fresh.string("code")), ops).want(t, 200, ""); !strings.Contains(string(r.text), `"holder":"Ada Lovelace"`) {
		t.Errorf("%s", r.text)
	}
	var b gate.Bundle
	if err := json.Unmarshal(c.do(1, "GET", "/v1/events/soon/gate-bundle", "", ops).want(t, 200, "").text, &b); err != nil {
		t.Fatal(err)
	}
	if v := b.Judge(code(2), time.Now(), false); v.Result != gate.Revoked {
		t.Errorf("%+v", v)
	}
	if v := b.Judge(fresh.string("code"), time.Now(), false); v.Result != gate.OK || v.Holder != "Ada Lovelace" || "evt_"+b.Event.String() != ev.string("id") {
		t.Errorf("%+v", v)
	}
}
