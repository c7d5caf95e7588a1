package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHoldNamedSeatsAndReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"items":[{"seat":"N-1-3","type":"adult"},{"seat":"N-1-4","type":"child"}]}`
	const k = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2aff"
	first := w.do("POST", "/v1/events/demo/holds", body, w.admitted(1), key(k)).want(t, 201, "")
	if got := first.seats(); !slices.Equal(got, []string{"N-1-3", "N-1-4"}) {
		t.Fatalf("seats %v", got)
	}
	if first.body["together"] != true || first.body["expires_in_s"] != 600.0 || first.header.Get("Location") != "/v1/holds/"+first.string("id") {
		t.Fatalf("%s", first.text)
	}
	cookie := first.header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, first.string("id")+"=") || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Fatalf("cookie %q", cookie)
	}
	w.now = w.now.Add(100 * time.Second)
	// The same request with other spaces and another order of members is the same request.
	again := w.do("POST", "/v1/events/demo/holds", ` {"items":[{"type":"adult","seat":"N-1-3"},{"type":"child","seat":"N-1-4"}]} `, w.admitted(1), key(k)).want(t, 200, "")
	if again.header.Get("Idempotency-Replayed") != "true" || again.string("id") != first.string("id") || again.body["expires_in_s"] != 500.0 {
		t.Fatalf("%v %s", again.header, again.text)
	}
	w.do("POST", "/v1/events/demo/holds", `{"items":[{"seat":"N-1-5"}]}`, w.admitted(1), key(k)).want(t, 422, "key-reused")
	// The same key of another visitor is another key.
	w.do("POST", "/v1/events/demo/holds", `{"items":[{"seat":"N-1-5"}]}`, w.admitted(2), key(k)).want(t, 201, "")
}

func TestHoldConflictAndNearest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hold(1, "N-1-3")
	r := w.do("POST", "/v1/events/demo/holds", `{"items":[{"seat":"N-1-3"},{"seat":"N-1-4"}]}`, w.admitted(2)).want(t, 409, "seat-taken")
	if got := fmt.Sprint(r.body["conflicts"]); got != "[N-1-3]" {
		t.Fatalf("conflicts %s", got)
	}
	if alternatives, _ := r.body["alternatives"].([]any); len(alternatives) != 2 {
		t.Fatalf("alternatives %v", r.body["alternatives"])
	}
	r = w.do("POST", "/v1/events/demo/holds", `{"items":[{"seat":"N-1-3"},{"seat":"N-1-4"}],"on_conflict":"nearest"}`, w.admitted(2)).want(t, 201, "")
	if r.body["substituted"] != true || len(r.seats()) != 2 || slices.Contains(r.seats(), "N-1-3") {
		t.Fatalf("%s", r.text)
	}
}

func TestHoldBestAvailableGoesOnToTheNextSegment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const best = `{"best_available":{"quantity":4,"together":"%s"}}`
	r := w.do("POST", "/v1/events/demo/holds", fmt.Sprintf(best, "required"), w.admitted(1)).want(t, 201, "")
	if !strings.HasPrefix(r.seats()[0], "N-") || r.body["rung"] != 1.0 {
		t.Fatalf("%s", r.text)
	}
	for i := byte(2); i < 6; i++ { // 16 seats left in N, 4 each
		w.do("POST", "/v1/events/demo/holds", fmt.Sprintf(best, "preferred"), w.admitted(i)).want(t, 201, "")
	}
	r = w.do("POST", "/v1/events/demo/holds", fmt.Sprintf(best, "preferred"), w.admitted(7)).want(t, 201, "")
	if !strings.HasPrefix(r.seats()[0], "S-") {
		t.Fatalf("%s", r.text)
	}
	r = w.do("POST", "/v1/events/demo/holds", `{"best_available":{"quantity":4,"categories":["A"]}}`, w.admitted(8)).want(t, 409, "all-held")
	if r.body["free_estimate_s"] != 600.0 {
		t.Fatalf("%s", r.text)
	}
	w.do("POST", "/v1/events/demo/holds", `{"best_available":{"quantity":6,"sections":["S"]}}`, w.admitted(9)).want(t, 201, "")
}

// A party that would rather sit together gets neighbours in a later section, not singles in the best one.
func TestHoldBestAvailablePrefersTogetherElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := 2; i <= 20; i += 2 {
		w.hold(byte(i), fmt.Sprintf("N-1-%d", i))
	}
	r := w.do("POST", "/v1/events/demo/holds", `{"best_available":{"quantity":3}}`, w.admitted(99)).want(t, 201, "")
	if !strings.HasPrefix(r.seats()[0], "S-") || r.body["together"] != true {
		t.Fatalf("%s", r.text)
	}
	r = w.do("POST", "/v1/events/demo/holds", `{"best_available":{"quantity":3,"categories":["A"],"together":"required"}}`, w.admitted(98)).want(t, 409, "not-together")
	if r.body["largest_run"] != 1.0 {
		t.Fatalf("%s", r.text)
	}
}

// The first try took seats of one segment; the repetition finds other counts, and still has to find what the first try took.
func TestHoldBestAvailableReplayWinsOverOtherCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const k = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2afe"
	const body = `{"best_available":{"quantity":2}}`
	first := w.do("POST", "/v1/events/demo/holds", body, w.admitted(1), key(k)).want(t, 201, "")
	w.node.order = w.node.order[:0:0]
	w.node.order = append(w.node.order, 2)
	again := w.do("POST", "/v1/events/demo/holds", body, w.admitted(1), key(k)).want(t, 200, "")
	if again.string("id") != first.string("id") {
		t.Fatalf("%s", again.text)
	}
	if counts := w.node.Counts(1).Segments; counts[1].Held != 2 || counts[2].Held != 0 {
		t.Fatalf("counts %+v", counts)
	}
}

func TestHoldArea(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.do("POST", "/v1/events/demo/holds", `{"items":[{"area":"floor","quantity":2}]}`, w.admitted(1)).want(t, 201, "")
	items := r.body["items"].([]any)
	if len(items) != 2 || items[0].(map[string]any)["area"] != "floor" || items[1].(map[string]any)["unit"] != 2.0 {
		t.Fatalf("%s", r.text)
	}
	w.do("POST", "/v1/events/demo/holds", `{"items":[{"area":"floor","quantity":49}]}`, bearerKey(sellKey)).want(t, 409, "all-held")
}

func TestHoldLimitIsPerVisitor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const k = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2afd"
	w.hold(1, "N-1-1", "N-1-2", "N-1-3", "N-1-4")
	const more = `{"best_available":{"quantity":3}}`
	r := w.do("POST", "/v1/events/demo/holds", more, w.admitted(1), key(k)).want(t, 409, "limit-reached")
	if r.body["dimension"] != "tid" || r.body["limit"] != 6.0 {
		t.Fatalf("%s", r.text)
	}
	// The refusal is remembered under its key.
	w.do("POST", "/v1/events/demo/holds", more, w.admitted(1), key(k)).want(t, 409, "limit-reached")
	w.do("POST", "/v1/events/demo/holds", more, w.admitted(2), key(k)).want(t, 201, "")
	w.do("POST", "/v1/events/demo/holds", more, bearerKey(sellKey), key(k)).want(t, 201, "")
}

func TestHoldExtendReleaseExpire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.hold(1, "N-1-1")
	path := "/v1/holds/" + h.string("id")
	w.do("GET", path, "", holdToken(h)).want(t, 200, "")
	w.do("GET", path, "", header("Cookie", strings.SplitN(h.header.Get("Set-Cookie"), ";", 2)[0])).want(t, 200, "")
	w.now = w.now.Add(5 * time.Minute)
	const k = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2afc"
	r := w.do("PATCH", path, `{"extend":true}`, holdToken(h), key(k)).want(t, 200, "")
	if r.body["expires_in_s"] != 600.0 {
		t.Fatalf("%s", r.text)
	}
	if again := w.do("PATCH", path, `{"extend":true}`, holdToken(h), key(k)).want(t, 200, ""); again.header.Get("Idempotency-Replayed") != "true" {
		t.Fatal("not marked as replayed")
	}
	w.do("DELETE", path, "", holdToken(h), key(k)).want(t, 422, "key-reused")
	const d = "0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2afb"
	w.do("DELETE", path, "", holdToken(h), key(d)).want(t, 204, "")
	if again := w.do("DELETE", path, "", holdToken(h), key(d)).want(t, 204, ""); again.header.Get("Idempotency-Replayed") != "true" {
		t.Fatal("not marked as replayed")
	}
	w.do("DELETE", path, "", holdToken(h)).want(t, 410, "hold-expired")
	w.do("GET", path, "", holdToken(h)).want(t, 410, "hold-expired")
	w.do("GET", path, "", bearerKey(opsKey)).want(t, 404, "not-found")

	h = w.hold(1, "N-1-1")
	w.now = w.now.Add(10 * time.Minute)
	path = "/v1/holds/" + h.string("id")
	w.do("GET", path, "", holdToken(h)).want(t, 410, "hold-expired")
	w.do("PATCH", path, `{"extend":true}`, holdToken(h)).want(t, 410, "hold-expired")
	w.do("POST", path+"/order", ``, holdToken(h)).want(t, 410, "hold-expired")
	w.hold(2, "N-1-1")
}

// TestHoldFight: 200 buyers want 20 seats, each of them some seat that others want too.
func TestHoldFight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	owner := map[string]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			body := fmt.Sprintf(`{"items":[{"seat":"N-1-%d"}],"on_conflict":"nearest"}`, i%20+1)
			r := w.do("POST", "/v1/events/demo/holds", body, w.admitted(byte(i)))
			switch r.status {
			case http.StatusCreated:
				mu.Lock()
				defer mu.Unlock()
				for _, s := range r.seats() {
					if other, taken := owner[s]; taken {
						t.Errorf("%s is held by %d and %d", s, other, i)
					}
					owner[s] = i
				}
			case http.StatusConflict:
			default:
				t.Errorf("status %d: %s", r.status, r.text)
			}
		})
	}
	wg.Wait()
	if len(owner) != 20 {
		t.Fatalf("%d seats are held, want 20", len(owner))
	}
}
