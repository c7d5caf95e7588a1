package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ticketrush/pass"
)

const holdBodyOK = `{"items":[{"seat":"N-1-1"}]}`

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const holds = "/v1/events/demo/holds"
	mine, other := w.hold(1, "N-1-9"), w.hold(2, "N-1-12")
	holdPath := "/v1/holds/" + mine.string("id")
	expired := header("Authorization", "WaitingRoom "+w.pass("demo", 1, -time.Second))
	elsewhere := header("Authorization", "WaitingRoom "+w.pass("other", 1, time.Minute))
	good := w.pass("demo", 1, time.Minute)
	forged := header("X-Wr-Pass", good[:len(good)-2]+flip(good[len(good)-2:]))
	place := w.token(pass.Queued)
	deep := `{"items":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		kind, pointer            string
		options                  []option
	}{
		{"malformed JSON", "POST", holds, `{"items":[`, 400, "malformed", "", nil},
		{"empty body", "POST", holds, ``, 400, "malformed", "", []option{header("Content-Type", "application/json")}},
		{"two values", "POST", holds, holdBodyOK + `{}`, 400, "malformed", "", nil},
		{"not an object", "POST", holds, `[]`, 422, "invalid", "", nil},
		{"too deep", "POST", holds, deep, 400, "malformed", "", nil},
		{"unknown member", "POST", holds, `{"items":[{"seat":"N-1-1","row":1}]}`, 422, "invalid", "/items/0/row", nil},
		{"member twice", "POST", holds, `{"items":[{"seat":"N-1-1","seat":"N-1-2"}]}`, 422, "invalid", "/items/0/seat", nil},
		{"wrong case", "POST", holds, `{"Items":[{"seat":"N-1-1"}]}`, 422, "invalid", "/Items", nil},
		{"wrong type", "POST", holds, `{"items":[{"seat":7}]}`, 422, "invalid", "/items/0/seat", nil},
		{"null", "POST", holds, `{"items":null}`, 422, "invalid", "/items", nil},
		{"fraction", "POST", holds, `{"best_available":{"quantity":1.5}}`, 422, "invalid", "/best_available/quantity", nil},
		{"huge number", "POST", holds, `{"best_available":{"quantity":5000000000}}`, 422, "invalid", "", nil},
		{"no quantity", "POST", holds, `{"best_available":{}}`, 422, "invalid", "/best_available/quantity", nil},
		{"items and best_available", "POST", holds, `{"items":[{"seat":"N-1-1"}],"best_available":{"quantity":1}}`, 422, "invalid", "", nil},
		{"no items", "POST", holds, `{"items":[]}`, 422, "invalid", "/items", nil},
		{"unknown seat", "POST", holds, `{"items":[{"seat":"N-1-99"}]}`, 422, "invalid", "/items/0/seat", nil},
		{"seat twice", "POST", holds, `{"items":[{"seat":"N-1-1"},{"seat":"N-1-1"}]}`, 422, "invalid", "/items/1/seat", nil},
		{"unknown type", "POST", holds, `{"items":[{"seat":"N-1-1","type":"dog"}]}`, 422, "invalid", "/items/0/type", nil},
		{"type without a price", "POST", holds, `{"items":[{"seat":"S-1-1","type":"child"}]}`, 422, "invalid", "/items/0", nil},
		{"unknown area", "POST", holds, `{"items":[{"area":"roof"}]}`, 422, "invalid", "/items/0/area", nil},
		{"unknown category", "POST", holds, `{"best_available":{"quantity":1,"categories":["Z"]}}`, 422, "invalid", "/best_available/categories/0", nil},
		{"unknown section", "POST", holds, `{"best_available":{"quantity":1,"sections":["Z"]}}`, 422, "invalid", "/best_available/sections/0", nil},
		{"too many in several segments", "POST", holds, `{"items":[{"seat":"N-1-1"},{"area":"floor","quantity":64}]}`, 422, "invalid", "/items", nil},
		{"unknown segment", "POST", holds + "?segment=99", holdBodyOK, 422, "invalid", "segment", nil},
		{"wrong segment", "POST", holds + "?segment=2", holdBodyOK, 422, "invalid", "segment", nil},
		{"account by a fan", "POST", holds, `{"buyer":{"account":"u"},"items":[{"seat":"N-1-1"}]}`, 403, "forbidden", "", nil},
		{"no key", "POST", holds, holdBodyOK, 400, "key-missing", "", []option{without("Idempotency-Key")}},
		{"short key", "POST", holds, holdBodyOK, 400, "key-missing", "", []option{key("abc")}},
		{"wrong content type", "POST", holds, holdBodyOK, 415, "unsupported-media-type", "", []option{header("Content-Type", "text/plain")}},
		{"wrong charset", "POST", holds, holdBodyOK, 415, "unsupported-media-type", "", []option{header("Content-Type", "application/json; charset=latin1")}},
		{"large body", "POST", holds, `{"items":[` + strings.Repeat(" ", 70000) + `]}`, 413, "too-large", "", nil},
		{"no pass", "POST", holds, holdBodyOK, 403, "admission-required", "", []option{without("Authorization")}},
		{"forged pass", "POST", holds, holdBodyOK, 403, "admission-required", "", []option{without("Authorization"), forged}},
		{"garbage pass", "POST", holds, holdBodyOK, 403, "admission-required", "", []option{header("Authorization", "WaitingRoom xyz")}},
		{"expired pass", "POST", holds, holdBodyOK, 403, "admission-required", "", []option{expired}},
		{"pass of another room", "POST", holds, holdBodyOK, 403, "admission-required", "", []option{elsewhere}},
		{"place instead of a pass", "POST", holds, holdBodyOK, 403, "admission-required", "", []option{place}},
		{"unknown API key", "POST", holds, holdBodyOK, 401, "unauthorized", "", []option{bearerKey("nope")}},
		{"unknown event", "POST", "/v1/events/nope/holds", holdBodyOK, 404, "not-found", "", nil},
		{"unknown event's map", "GET", "/v1/events/nope/map", "", 404, "not-found", "", nil},
		{"unknown event's stream", "GET", "/v1/events/nope/availability/stream", "", 404, "not-found", "", nil},
		{"no hold token", "GET", holdPath, "", 403, "hold-not-yours", "", nil},
		{"foreign hold token", "GET", holdPath, "", 403, "hold-not-yours", "", []option{holdToken(other)}},
		{"foreign token deletes", "DELETE", holdPath, "", 403, "hold-not-yours", "", []option{holdToken(other)}},
		{"foreign token orders", "POST", holdPath + "/order", "", 403, "hold-not-yours", "", []option{holdToken(other)}},
		{"sell key without token", "GET", holdPath, "", 403, "forbidden", "", []option{bearerKey(sellKey)}},
		{"not a hold id", "GET", "/v1/holds/7", "", 404, "not-found", "", nil},
		{"not an order id", "GET", "/v1/orders/ord_7", "", 404, "not-found", "", nil},
		{"order without token", "GET", "/v1/orders/ord_0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a11", "", 403, "hold-not-yours", "", nil},
		{"no such order", "GET", "/v1/orders/ord_0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a11", "", 404, "not-found", "", []option{bearerKey(opsKey)}},
		{"nothing to change", "PATCH", holdPath, `{}`, 422, "invalid", "/extend", []option{holdToken(mine)}},
		{"bad e-mail", "POST", holdPath + "/order", `{"buyer":{"email":"x"}}`, 422, "invalid", "/buyer/email", []option{holdToken(mine)}},
		{"events need ops", "POST", "/v1/events", `{}`, 403, "forbidden", "", []option{bearerKey(sellKey)}},
		{"charts need a key", "POST", "/v1/charts", `{}`, 401, "unauthorized", "", nil},
		{"bad chart", "POST", "/v1/charts", `{}`, 422, "invalid", "", []option{bearerKey(opsKey)}},
		{"no If-Match", "PATCH", "/v1/events/demo", `{"state":"paused"}`, 428, "precondition-required", "", []option{bearerKey(opsKey)}},
		{"bad If-Match", "PATCH", "/v1/events/demo", `{"state":"paused"}`, 400, "malformed", "", []option{bearerKey(opsKey), header("If-Match", "3")}},
		{"old If-Match", "PATCH", "/v1/events/demo", `{"state":"paused"}`, 412, "stale-version", "", []option{bearerKey(opsKey), header("If-Match", `"9"`)}},
		{"no such state", "PATCH", "/v1/events/demo", `{"state":"draft"}`, 422, "invalid", "/state", []option{bearerKey(opsKey), header("If-Match", `"1"`)}},
		{"unknown form", "GET", "/v1/events/demo/availability", "", 406, "not-acceptable", "", []option{header("Accept", "text/csv")}},
		{"bad segment", "GET", "/v1/events/demo/availability?segment=x", "", 422, "invalid", "segment", nil},
		{"ticket image", "GET", "/v1/tickets/tkt_1.gif", "", 404, "not-found", "", nil},
		{"unknown ticket", "GET", "/v1/tickets/tkt_0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a11.svg", "", 403, "hold-not-yours", "", nil},
		{"status needs a key", "GET", "/admin/status", "", 401, "unauthorized", "", []option{without("Authorization")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := append([]option{}, c.options...)
			if strings.HasSuffix(c.path, "/holds") || strings.Contains(c.path, "/holds?") {
				options = append([]option{w.admitted(3)}, options...)
			}
			r := send(t, w.handler, c.method, c.path, c.body, options...).want(t, c.status, c.kind)
			if r.header.Get("Content-Type") != "application/problem+json" || r.body["status"] != float64(c.status) {
				t.Errorf("%v %s", r.header, r.text)
			}
			if c.pointer != "" && !strings.Contains(string(r.text), fmt.Sprintf(`"pointer":%q`, c.pointer)) {
				t.Errorf("no pointer %s: %s", c.pointer, r.text)
			}
		})
	}
	if c := w.node.Counts(1).Segments[1]; c.Held != 2 || c.Free != 18 {
		t.Errorf("bad input has moved seats: %+v", c)
	}
}

// token signs something that is not a pass.
func (w *world) token(kind pass.Type) option {
	text, err := w.keys.Sign(&pass.Token{Type: kind, Room: pass.RoomNumber("demo"), Issued: w.now, Expires: w.now.Add(time.Hour)})
	if err != nil {
		w.t.Fatal(err)
	}
	return header("Authorization", "WaitingRoom "+text)
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

func TestNotOnSale(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, state string
		opens       time.Duration
		opensIn     any
	}{
		{"early", stateOnSale, time.Hour, 3600.0},
		{"draft", stateDraft, 0, nil},
		{"draft with a time", stateDraft, time.Hour, 3600.0},
		{"paused", statePaused, 0, nil},
		{"closed", stateClosed, 0, nil},
	} {
		w := newWorld(t)
		ev := *w.node.events[1]
		ev.State = c.state
		if c.opens > 0 {
			ev.OpensAt = w.now.Add(c.opens)
		}
		w.node.events[1] = &ev
		r := w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(1)).want(t, 409, "not-on-sale")
		if r.body["opens_in_s"] != c.opensIn || (c.opensIn != nil) != (r.body["opens_at"] == "2026-12-01T10:00:00Z") || r.body["state"] != c.state {
			t.Errorf("%s: %s", c.name, r.text)
		}
	}
}

// A hold that was made before the sale was paused is still found by its key.
func TestReplayWhilePaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const k = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2aff"
	first := w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(1), key(k)).want(t, 201, "")
	w.do("PATCH", "/v1/events/demo", `{"state":"paused"}`, bearerKey(opsKey), header("If-Match", `"1"`)).want(t, 200, "")
	again := w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(1), key(k)).want(t, 200, "")
	if again.string("id") != first.string("id") {
		t.Fatalf("%s", again.text)
	}
	w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(1)).want(t, 409, "not-on-sale")
}

func TestNodeAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		kind  string
		retry string
	}{
		{ErrMoving, "segment-moving", "20"},
		{ErrLedgerAway, "ledger-unavailable", ""},
		{ErrOverloaded, "overloaded", ""},
	} {
		w := newWorld(t)
		h := w.hold(1, "N-1-1")
		w.node.fail = fmt.Errorf("node: %w", c.err)
		for _, r := range []result{
			w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(1)),
			w.do("GET", "/v1/holds/"+h.string("id"), "", holdToken(h)),
			w.do("PATCH", "/v1/holds/"+h.string("id"), `{"extend":true}`, holdToken(h)),
			w.do("DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h)),
		} {
			r.want(t, 503, c.kind)
			if r.header.Get("Retry-After") == "" || c.retry != "" && r.header.Get("X-Stockd-Retry-After-Ms") != c.retry {
				t.Errorf("%s: %v", c.kind, r.header)
			}
		}
	}
}

func TestUnknownErrorsAndPanicsAreAnsweredWithAnInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.node.fail = errors.New("secret cause")
	r := w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(1)).want(t, 500, "internal")
	if strings.Contains(string(r.text), "secret") || !strings.HasPrefix(r.string("instance"), "urn:uuid:") {
		t.Errorf("%s", r.text)
	}
	w.node.fail, w.node.boom = nil, true
	r = w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(1)).want(t, 500, "internal")
	if strings.Contains(string(r.text), "boom") || !strings.HasPrefix(r.string("instance"), "urn:uuid:") {
		t.Errorf("%s", r.text)
	}
}

func TestDirectClientsAreSentToTheOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.hold(1, "N-1-1")
	w.node.foreign = true
	direct := header("X-Stockd-Direct", "1")
	path := "/v1/holds/" + h.string("id")
	for _, r := range []result{
		w.do("POST", "/v1/events/demo/holds", `{"items":[{"seat":"N-1-2"}]}`, w.admitted(1), direct),
		w.do("POST", "/v1/events/demo/holds?segment=1", `{"best_available":{"quantity":1}}`, w.admitted(1), direct),
		w.do("GET", path, "", holdToken(h), direct),
		w.do("PATCH", path, `{"extend":true}`, holdToken(h), direct),
		w.do("POST", path+"/order", ``, holdToken(h), direct),
		w.do("DELETE", path, "", holdToken(h), direct),
	} {
		r.want(t, 421, "wrong-node")
		if r.header.Get("X-Stockd-Owner") != "127.0.0.1:7102" || r.header.Get("X-Stockd-Epoch") != "3" {
			t.Errorf("%v", r.header)
		}
	}
	// Others are served here.
	w.do("GET", path, "", holdToken(h)).want(t, 200, "")
	w.do("POST", "/v1/events/demo/holds", `{"items":[{"seat":"N-1-2"}]}`, w.admitted(1)).want(t, 201, "")
	// A direct client that leaves the choice of the segment to us is served too.
	w.do("POST", "/v1/events/demo/holds", `{"best_available":{"quantity":1}}`, w.admitted(1), direct).want(t, 201, "")
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := w.server.handler() // not in the contract: nothing to check against
	send(t, handler, "GET", "/v2/events", "").want(t, 404, "not-found")
	r := send(t, handler, "PUT", "/v1/events/demo", "{}").want(t, 405, "method-not-allowed")
	if r.header.Get("Allow") != "GET, HEAD, PATCH" {
		t.Errorf("Allow: %q", r.header.Get("Allow"))
	}
	r = send(t, handler, "GET", "/v1/events", "").want(t, 405, "method-not-allowed")
	if r.header.Get("Allow") != "POST" {
		t.Errorf("Allow: %q", r.header.Get("Allow"))
	}
	if r := send(t, handler, "HEAD", "/v1/events/demo", ""); r.status != http.StatusOK {
		t.Errorf("HEAD: %d", r.status)
	}
}

func TestReadsAreLimitedPerClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.reads = newReadLimit(1, 2)
	one := header("X-Wr-Tid", strings.Repeat("a", 32))
	w.do("GET", "/v1/events/demo", "", one).want(t, 200, "")
	w.do("GET", "/v1/events/demo", "", one).want(t, 200, "")
	r := w.do("GET", "/v1/events/demo", "", one).want(t, 429, "rate-limited")
	if r.header.Get("Retry-After") != "1" {
		t.Errorf("%v", r.header)
	}
	w.do("GET", "/v1/events/demo", "", header("X-Wr-Tid", strings.Repeat("b", 32))).want(t, 200, "")
	// An address may be many people: ten times as much.
	for range 20 {
		w.do("GET", "/v1/events/demo", "").want(t, 200, "")
	}
	w.do("GET", "/v1/events/demo", "").want(t, 429, "rate-limited")
	w.now = w.now.Add(time.Second)
	w.do("GET", "/v1/events/demo", "", one).want(t, 200, "")
	w.do("GET", "/v1/events/demo", "", one).want(t, 429, "rate-limited")
}

// A stranger's X-Wr-Tid and X-Forwarded-For are not believed.
func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, _ := http.NewRequest("GET", "/", nil)
	r.RemoteAddr = "203.0.113.9:1"
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	r.Header.Set("X-Wr-Tid", strings.Repeat("a", 32))
	r.Header.Set("X-Forwarded-Proto", "https")
	if ip := w.server.clientIP(r); ip != "203.0.113.9" {
		t.Error(ip)
	}
	if client, _ := w.server.reader(r); client != "ip 203.0.113.9" {
		t.Error(client)
	}
	if w.server.secure(r) {
		t.Error("secure")
	}
	r.RemoteAddr = "127.0.0.1:1"
	if ip := w.server.clientIP(r); ip != "198.51.100.1" {
		t.Error(ip)
	}
}
