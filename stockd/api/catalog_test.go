package api

import (
	"encoding/binary"
	"net/http/httptest"
	"strings"
	"testing"

	"ticketrush/stockd/stock"
)

func TestChartAndEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ops := bearerKey(opsKey)
	c := w.do("POST", "/v1/charts", string(chartText()), ops).want(t, 201, "")
	if c.body["seats"] != 30.0 || c.body["areas"] != 1.0 {
		t.Fatalf("%s", c.text)
	}
	if again := w.do("POST", "/v1/charts", string(chartText()), ops).want(t, 200, ""); again.string("id") != c.string("id") {
		t.Fatalf("%s", again.text)
	}
	body := `{"slug":"gala","name":"Gala","chart":"` + c.string("id") + `","starts_at":"2026-12-24T19:00:00Z","currency":"EUR","room":"",
		"types":["adult"],"prices":[{"category":"A","type":"adult","face":1000},{"category":"B","type":"adult","face":500,"fee":50}],"limits":{"tid":2},"open":true}`
	const k = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2b00"
	ev := w.do("POST", "/v1/events", body, ops, key(k)).want(t, 201, "")
	if ev.string("state") != "on_sale" || ev.body["hold_ttl_s"] != 600.0 || ev.body["capacity"] != 80.0 {
		t.Fatalf("%s", ev.text)
	}
	w.do("POST", "/v1/events", body, ops, key(k)).want(t, 200, "")
	w.do("POST", "/v1/events", strings.Replace(body, "1000", "1001", 1), ops, key(k)).want(t, 422, "key-reused")
	w.do("POST", "/v1/events", strings.Replace(body, "1000", "1001", 1), ops).want(t, 409, "slug-taken")
	if len(w.node.audits) != 2 || w.node.audits[1].Key.Person != "Ada" || w.node.audits[1].Action != "event.create" {
		t.Fatalf("audit %+v", w.node.audits)
	}
	// Without a room anybody may hold; their key has to be a random UUID then.
	w.do("POST", "/v1/events/gala/holds", holdBodyOK).want(t, 201, "")
	w.do("POST", "/v1/events/gala/holds", holdBodyOK, key("not-a-uuid")).want(t, 400, "key-missing")

	r := w.do("GET", "/v1/events/gala", "").want(t, 200, "")
	tag := r.header.Get("ETag")
	w.do("GET", "/v1/events/gala", "", header("If-None-Match", tag)).want(t, 304, "")
	paused := w.do("PATCH", "/v1/events/gala", `{"state":"paused"}`, ops, header("If-Match", tag)).want(t, 200, "")
	if paused.header.Get("ETag") == tag || paused.string("state") != "paused" {
		t.Fatalf("%s", paused.text)
	}
	again := w.do("PATCH", "/v1/events/gala", `{"state":"paused"}`, ops, header("If-Match", tag)).want(t, 200, "")
	if again.header.Get("Idempotency-Replayed") != "true" {
		t.Fatal("not marked as replayed")
	}
	w.do("PATCH", "/v1/events/gala", `{"state":"closed"}`, ops, header("If-Match", tag)).want(t, 412, "stale-version")
}

func TestChartFromCSV(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.do("POST", "/v1/charts", "section,row,seat,category,x,y,flags\nN,1,1,A,0,0,\nN,1,2,A,10,0,\n", bearerKey(opsKey), header("Content-Type", "text/csv")).want(t, 201, "")
	if c.body["seats"] != 2.0 {
		t.Fatalf("%s", c.text)
	}
}

func TestBadEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.do("POST", "/v1/charts", string(chartText()), bearerKey(opsKey)).want(t, 201, "")
	good := `{"slug":"gala","name":"Gala","chart":"` + c.string("id") + `","starts_at":"2026-12-24T19:00:00Z","currency":"EUR","prices":[{"category":"A","type":"adult","face":1000},{"category":"B","type":"adult","face":500}]}`
	for _, change := range [][3]string{
		{`"slug":"gala"`, `"slug":"Gala!"`, "/slug"},
		{`"name":"Gala"`, `"name":""`, "/name"},
		{`"name":"Gala"`, `"name":"Gala","rooms":1`, "/rooms"},
		{c.string("id"), "cht_0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2b00", "/chart"},
		{"2026-12-24T19:00:00Z", "tomorrow", "/starts_at"},
		{`"EUR"`, `"euro"`, "/currency"},
		{`"category":"A"`, `"category":"Z"`, "/prices/0/category"},
		{`"type":"adult"`, `"type":"dog"`, "/prices/0/type"},
		{`,{"category":"B","type":"adult","face":500}`, ``, "/prices"},
		{`1000`, `-1`, "/prices/0/face"},
		{`1000`, `10.5`, "/prices/0/face"},
		{`"currency"`, `"hold_ttl_s":1,"currency"`, "/hold_ttl_s"},
		{`"currency"`, `"limits":{"tid":-1},"currency"`, "/limits/tid"},
		{`"currency"`, `"organiser":"The House","currency"`, "/organiser"},
		{`"currency"`, `"types":["adult","adult"],"currency"`, "/types/1"},
		{`"currency"`, `"types":["adult","dog"],"currency"`, "/prices"},
	} {
		body := strings.Replace(good, change[0], change[1], 1)
		r := w.do("POST", "/v1/events", body, bearerKey(opsKey))
		if r.status != 422 || !strings.Contains(string(r.text), `"pointer":"`+change[2]+`"`) {
			t.Errorf("%s: %d %s", change[1], r.status, r.text)
		}
	}
	w.do("POST", "/v1/events", good, bearerKey(opsKey)).want(t, 201, "")
}

func TestMap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.do("GET", "/v1/events/demo/map", "").want(t, 200, "")
	segments := r.body["segments"].([]any)
	first := segments[0].(map[string]any)["seats"].([]any)[0].(map[string]any)
	if len(segments) != 2 || first["id"] != "N-1-1" || len(r.body["areas"].([]any)) != 1 {
		t.Fatalf("%s", r.text)
	}
	w.do("GET", "/v1/events/demo/map", "", header("If-None-Match", r.header.Get("ETag"))).want(t, 304, "")
}

func TestAvailability(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hold(1, "N-1-2")
	r := w.do("GET", "/v1/events/demo/availability?seats=1", "").want(t, 200, "")
	totals := r.body["totals"].(map[string]any)
	if totals["capacity"] != 80.0 || totals["held"] != 1.0 || totals["free"] != 79.0 {
		t.Fatalf("%s", r.text)
	}
	// 20 seats in 5 bytes, seat 2 is held: 1 in bits 2 and 3.
	if seats := r.body["seats"].(map[string]any); seats["1"] != "BAAAAAA=" || len(seats) != 2 {
		t.Fatalf("%s", r.text)
	}
	w.do("GET", "/v1/events/demo/availability?seats=1", "", header("If-None-Match", r.header.Get("ETag"))).want(t, 304, "")
	r = w.do("GET", "/v1/events/demo/availability?segment=2", "").want(t, 200, "")
	if r.body["totals"].(map[string]any)["capacity"] != 10.0 || r.body["seats"] != nil {
		t.Fatalf("%s", r.text)
	}
	r = w.do("GET", "/v1/events/demo/availability", "", header("Accept", availabilityType)).want(t, 200, "")
	b := r.text
	if string(b[:4]) != "TRA1" || binary.BigEndian.Uint32(b[16:]) != 3 || binary.BigEndian.Uint32(b[20:]) != 1 || binary.BigEndian.Uint32(b[28:]) != 19 {
		t.Fatalf("% x", b)
	}
	if n := 20 + 3*24 + 5 + 3; len(b) != n || b[44] != 4 {
		t.Fatalf("%d bytes, want %d; % x", len(b), n, b)
	}
}

// What is free by price category is counted by segments where their seats are alike, seat by seat where they are not.
func TestAvailabilityByCategory(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]struct {
		mixed bool
		want  string
	}{
		"alike": {false, `"categories":[{"category":"A","free":19},{"category":"B","free":60}]`},
		"mixed": {true, `"categories":[{"category":"A","free":17},{"category":"B","free":62}]`},
	} {
		w := newWorld(t)
		if is.mixed {
			seats := w.node.events[1].Segments[0].Seats
			seats[0].Category, seats[1].Category, seats[2].Category = 1, 1, 1
		}
		w.hold(1, "N-1-2")
		for _, path := range []string{"", "?seats=1"} {
			if r := w.do("GET", "/v1/events/demo/availability"+path, "").want(t, 200, ""); !strings.Contains(string(r.text), is.want) {
				t.Errorf("%s%s: %s, want %s", name, path, r.text, is.want)
			}
		}
		if r := w.do("GET", "/v1/events/demo/availability?segment=2", "").want(t, 200, ""); r.body["categories"] != nil {
			t.Errorf("%s: of one segment: %s", name, r.text)
		}
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seg := w.node.events[1].Segments[0]
	w.node.deltas <- Delta{ID: "a.0", Reset: true}
	w.node.deltas <- Delta{ID: "a.1", Counts: map[stock.SegmentNo]stock.Counts{1: {Capacity: 20, Free: 19, Paying: 1}},
		Seats: []SeatChange{{stock.NewSeatID(seg.No, 3), stock.Paying}}}
	w.node.deltas <- Delta{ID: "a.2", Counts: map[stock.SegmentNo]stock.Counts{3: {Capacity: 50, Free: 50}}}
	w.node.deltas <- Delta{ID: "a.3", Reset: true}
	close(w.node.deltas)
	r := w.do("GET", "/v1/events/demo/availability/stream", "").want(t, 200, "")
	if r.header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v", r.header)
	}
	events := strings.Split(strings.TrimSpace(string(r.text)), "\n\n")
	if len(events) != 4 || !strings.HasPrefix(events[0], "id: a.0\nevent: snapshot\ndata: {") || !strings.HasPrefix(events[3], "id: a.3\nevent: snapshot\n") {
		t.Fatalf("%q", events)
	}
	if want := "id: a.1\nevent: seats\ndata: " + `{"segments":[{"segment":1,"section":"N","area":false,"capacity":20,"free":19,"held":1,"sold":0}],"changes":[{"segment":1,"seats":[[3,2]]}]}`; events[1] != want {
		t.Fatalf("%s\nwant\n%s", events[1], want)
	}
	if !strings.HasPrefix(events[2], "id: a.2\nevent: counts\n") {
		t.Fatalf("%s", events[2])
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.streams = make(chan struct{})
	w.do("GET", "/v1/events/demo/availability/stream", "").want(t, 503, "overloaded")
}

// The node of the event does not answer: what is known here has to do.
func TestAvailabilityWhenTheEventNodeIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.node.foreign = true
	w.do("GET", "/v1/events/demo/availability", "").want(t, 200, "")
}

func TestAvailabilityIsHandedToTheEventNode(t *testing.T) {
	t.Parallel()
	there := newWorld(t)
	there.hold(1, "N-1-1")
	server := httptest.NewServer(there.handler)
	defer server.Close()
	here := newWorld(t)
	here.node.foreign, here.node.eventNode = true, strings.TrimPrefix(server.URL, "http://")
	r := here.do("GET", "/v1/events/demo/availability", "").want(t, 200, "")
	if r.body["totals"].(map[string]any)["held"] != 1.0 {
		t.Fatalf("%s", r.text)
	}
}

func TestOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do("GET", "/healthz", "").want(t, 200, "")
	w.do("GET", "/readyz", "").want(t, 200, "")
	w.node.reasons = []string{"no session"}
	w.do("GET", "/readyz", "").want(t, 503, "")
	w.do("GET", "/admin/status", "", bearerKey(opsKey)).want(t, 200, "")
	if r := w.do("GET", "/metrics", "").want(t, 200, ""); !strings.Contains(string(r.text), "stockd_api_seconds_bucket") {
		t.Fatalf("%s", r.text)
	}
	if r := w.do("GET", "/v1/openapi.yaml", "").want(t, 200, ""); string(r.text) != string(Contract) {
		t.Fatal("another contract")
	}
}
