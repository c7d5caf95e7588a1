package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
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

// wideByName: tickets that are sold by name in several sections at once. Each document counts with its ticket, a repetition of a refusal is told which
// limit it was, and what is given up gives all of them back.
func wideByName(t *testing.T, c *cluster) {
	const holds = "/v1/events/names/holds"
	c.eventWith("names", string(chartText()), "application/json", `"adult","child"`, e2ePrices, `{"tid":8,"document":2}`)
	before := c.counted()
	body := func(documents string) string {
		return `{"buyer":{"documents":[` + documents + `]},"items":[{"seat":"S-1-1"},{"area":"floor","quantity":2},{"seat":"N-1-1"},{"seat":"S-1-2"}]}`
	}
	me := c.visitor(31)
	c.do(0, "POST", holds, body(`"ADA111","BEN222","BEN222","CYD333"`), me).want(t, 422, "invalid")
	h := c.do(0, "POST", holds, body(`"ADA111","BEN222","BEN222","CYD333","ADA111"`), me).want(t, 201, "")
	if n := c.counted() - before; n != 5+5 {
		t.Fatalf("five tickets of one visitor count %d", n)
	}
	k := key(uuid.NewString())
	const more = `{"buyer":{"documents":["DAN444","ada-111"]},"items":[{"seat":"N-1-2"},{"seat":"S-1-3"}]}`
	for i := range 4 {
		c.do(i, "POST", holds, more, c.visitor(32), k).wantLimit(t, "document", 2, 2)
	}
	k = key(uuid.NewString())
	const mine = `{"buyer":{"documents":["DAN444","DAN444","EVE555","EVE555"]},"items":[{"seat":"N-1-2"},{"seat":"N-1-3"},{"seat":"S-1-3"},{"seat":"S-1-4"}]}`
	for i := range 2 {
		c.do(i, "POST", holds, mine, me, k).wantLimit(t, "tid", 8, 5)
	}
	// One seat of it is taken: its documents are free again at once.
	c.do(1, "POST", holds, `{"buyer":{"documents":["DAN444","EVE555"]},"items":[{"seat":"N-1-2"},{"seat":"S-1-1"}]}`, c.visitor(32)).want(t, 409, "seat-taken")
	if n := c.counted() - before; n != 5+5 {
		t.Fatalf("a hold that was not had leaves %d", n-10)
	}
	c.do(1, "DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 204, "")
	if n := c.counted() - before; n != 0 {
		t.Fatalf("everything was given back, and the counters say %d", n)
	}
	// A party that may sit anywhere is split by name as well.
	names := make([]string, 20)
	for i := range names {
		names[i] = fmt.Sprintf(`"PARTY%d"`, i/2)
	}
	party := fmt.Sprintf(`{"buyer":{"documents":[%s]},"best_available":{"quantity":20,"together":"any","orphans":"allow"}}`, strings.Join(names, ","))
	c.until("the seats are free", func() bool {
		p := c.do(0, "POST", holds, party, bearerKey(opsKey))
		if p.status == 201 {
			c.do(0, "DELETE", "/v1/holds/"+p.string("id"), "", holdToken(p)).want(t, 204, "")
		}
		return p.status == 201
	})
	h = c.do(1, "POST", holds, body(`"ADA111","BEN222","BEN222","CYD333","ADA111"`), me).want(t, 201, "")
	o := c.do(0, "POST", "/v1/holds/"+h.string("id")+"/order", ``, holdToken(h)).want(t, 201, "")
	if tickets := c.pay(1, o).body["tickets"].([]any); len(tickets) != 5 {
		t.Fatalf("%d tickets", len(tickets))
	}
	c.do(0, "POST", holds, more, c.visitor(32)).wantLimit(t, "document", 2, 2)
	if n := c.counted() - before; n != 5+5 {
		t.Fatalf("five tickets that were sold count %d", n)
	}
}

// TestWideDocuments: each leg has the documents of its own tickets, in the order in which they were sent.
func TestWideDocuments(t *testing.T) {
	t.Parallel()
	w := limited(t, 9, 0, 2)
	const body = `{"buyer":{"documents":["S0001","F0001","F0002","N0001","F0003","S0002"]},"items":[
		{"seat":"S-1-5"},{"area":"floor","quantity":2},{"seat":"N-1-1"},{"area":"floor"},{"seat":"S-1-2"}]}`
	w.do("POST", holdsOfDemo, body, w.admitted(1)).want(t, 201, "")
	ev := w.node.events[1]
	names := map[uuid.UUID]string{}
	for _, d := range []string{"S0001", "F0001", "F0002", "N0001", "F0003", "S0002"} {
		names[w.server.pseudonym("document", ev, d)] = d
	}
	labels, floor := map[string]string{}, map[string]bool{}
	for seat, key := range w.node.standFor {
		if label := ev.labels([]stock.SeatID{seat})[0]; strings.HasPrefix(names[key], "F") {
			floor[label] = true
		} else {
			labels[label] = names[key]
		}
	}
	if want := map[string]string{"S-1-5": "S0001", "S-1-2": "S0002", "N-1-1": "N0001"}; !maps.Equal(labels, want) || len(floor) != 3 {
		t.Errorf("the documents stand for %v and, on the floor, %v; want %v", labels, floor, want)
	}
	var row []string
	for _, q := range w.node.wideQuotas {
		if q.Dimension == stock.DimensionDocument {
			row = append(row, names[q.Key])
		} else if q.Dimension != stock.DimensionTid || q.Limit != 9 {
			t.Errorf("%+v", q)
		}
	}
	if want := []string{"N0001", "S0001", "S0002", "F0001", "F0002", "F0003"}; !slices.Equal(row, want) || len(w.node.wideQuotas) != 7 {
		t.Errorf("the hold counts %v, want %v", row, want)
	}
}

// TestSplitDocuments: a party that is split keeps its documents, in the order of the map.
func TestSplitDocuments(t *testing.T) {
	t.Parallel()
	w := limited(t, 0, 0, 1)
	var names []string
	for i := range 22 {
		names = append(names, fmt.Sprintf(`"DOC%04d"`, i))
	}
	body := `{"buyer":{"documents":[` + strings.Join(names, ",") + `]},"best_available":{"quantity":22,"together":"any","orphans":"allow"}}`
	w.do("POST", holdsOfDemo, body, w.admitted(1)).want(t, 201, "")
	ev := w.node.events[1]
	seats := slices.Sorted(maps.Keys(w.node.standFor))
	if len(seats) != 22 || seats[0].Segment() == seats[21].Segment() {
		t.Fatalf("documents stand for %v", seats)
	}
	for i, seat := range seats {
		if w.node.standFor[seat] != w.server.pseudonym("document", ev, fmt.Sprintf("DOC%04d", i)) {
			t.Errorf("seat %v is not for the document of ticket %d", ev.labels([]stock.SeatID{seat}), i)
		}
	}
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
	taken := w.do("POST", holds, `{"items":[{"seat":"N-1-2"},{"seat":"S-1-1"},{"seat":"S-1-2"}]}`, w.admitted(2)).want(t, 409, "seat-taken")
	if got := fmt.Sprint(taken.body["conflicts"], taken.body["alternatives"]); got != "[S-1-1] [S-1-2 S-1-3]" {
		t.Errorf("conflicts and alternatives are %s", got)
	}
	w.do("POST", holds, `{"items":[{"seat":"N-1-2"}]}`, w.admitted(2)).want(t, 201, "")
	w.do("PATCH", "/v1/holds/"+h.string("id"), `{"extend":true}`, holdToken(h)).want(t, 200, "")
	w.do("POST", holds+"?segment=1", `{"items":[{"seat":"S-1-2"},{"area":"floor"}]}`, w.admitted(3)).want(t, 422, "invalid")
	w.do("DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 204, "")
	w.do("GET", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 410, "hold-expired")
}
