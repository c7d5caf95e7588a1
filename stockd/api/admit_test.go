package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ticketrush/stockd/shed"

	"github.com/google/uuid"
)

// narrow gives the API a gate with so many places.
func (w *world) narrow(t *testing.T, places int) {
	t.Helper()
	gate, err := shed.New(shed.Config{Work: places, Reads: places})
	if err != nil {
		t.Fatal(err)
	}
	w.server.Gate = gate
}

// slowly makes every command wait until the returned function is called for it.
func (w *world) slowly() (let func()) {
	gate := make(chan struct{})
	w.node.mu.Lock()
	w.node.before = func() { <-gate }
	w.node.mu.Unlock()
	return func() { gate <- struct{}{} }
}

// numbers are the gate's.
func (w *world) numbers() shed.Numbers { return w.server.Gate.Numbers(w.server.elapsed()) }

// TestWhoWaitsTooLongIsToldSo runs in a bubble with a clock of its own. One place, taken by a request that the owner does not answer; the others wait, each for
// as long as its class may, and are refused then, with a time to come again.
func TestWhoWaitsTooLongIsToldSo(t *testing.T) {
	t.Parallel()
	if _, err := contract(); err != nil { // made outside of the bubble
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.hold(1, "N-1-9")
		w.narrow(t, 1)
		let := w.slowly()
		answers := make(chan result, 3)
		ask := func(method, path, body string, options ...option) {
			go func() { answers <- w.do(method, path, body, options...) }()
			synctest.Wait()
		}
		begin := time.Now()
		ask("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(2))
		ask("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(3))
		ask("PATCH", "/v1/holds/"+first.string("id"), `{"extend":true}`, holdToken(first))
		if n := w.numbers(); n.Busy != [2]int{0, 1} || n.Waiting[shed.Hold] != 1 || n.Waiting[shed.Buy] != 1 {
			t.Fatalf("%+v", n)
		}
		w.do("GET", "/v1/events/demo/availability", "").want(t, 200, "") // reads have places of their own
		for _, patience := range []time.Duration{shed.Hold.Patience(), shed.Buy.Patience()} {
			r := (<-answers).want(t, 503, "overloaded")
			if waited := time.Since(begin); waited != patience {
				t.Errorf("refused after %v, want %v", waited, patience)
			}
			ms, err := strconv.Atoi(r.header.Get("X-Stockd-Retry-After-Ms"))
			if err != nil || ms < 100 || ms > 7500 || r.header.Get("Retry-After") == "" {
				t.Errorf("%v", r.header)
			}
		}
		let()
		(<-answers).want(t, 201, "")
		if n := w.numbers(); n.Busy != [2]int{0, 0} || n.Shed[shed.Hold][shed.Age] != 1 || n.Shed[shed.Buy][shed.Age] != 1 {
			t.Errorf("%+v", n)
		}
	})
}

// TestAPlaceGoesToWhoPays: of those who wait the one who has something comes first.
func TestAPlaceGoesToWhoPays(t *testing.T) {
	t.Parallel()
	if _, err := contract(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.hold(1, "N-1-1")
		w.narrow(t, 1)
		let := w.slowly()
		type answer struct {
			name string
			result
		}
		done := make(chan answer, 3)
		ask := func(name, method, path, body string, options ...option) {
			go func() { done <- answer{name, w.do(method, path, body, options...)} }()
			synctest.Wait()
		}
		ask("first", "POST", "/v1/events/demo/holds", `{"items":[{"seat":"N-1-5"}]}`, w.admitted(2))
		ask("newcomer", "POST", "/v1/events/demo/holds", `{"items":[{"seat":"N-1-7"}]}`, w.admitted(3))
		ask("buyer", "DELETE", "/v1/holds/"+first.string("id"), "", holdToken(first))
		for _, want := range []string{"first", "buyer", "newcomer"} {
			let()
			if got := <-done; got.name != want || got.status >= 300 {
				t.Errorf("%s was served with %d, want %s", got.name, got.status, want)
			}
		}
	})
}

// TestWhoGoesAwayWhileWaitingCostsNothing: their place in the line is free at once, and what they asked for is not done.
func TestWhoGoesAwayWhileWaitingCostsNothing(t *testing.T) {
	t.Parallel()
	if _, err := contract(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.narrow(t, 1)
		let := w.slowly()
		answers := make(chan result, 2)
		go func() { answers <- w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(2)) }()
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			answers <- w.do("POST", "/v1/events/demo/holds", holdBodyOK, w.admitted(3), func(r *http.Request) { *r = *r.WithContext(ctx) })
		}()
		synctest.Wait()
		leave()
		(<-answers).want(t, 503, "overloaded")
		if n := w.numbers(); n.Waiting[shed.Hold] != 0 || n.Shed[shed.Hold][shed.Gone] != 1 {
			t.Errorf("%+v", n)
		}
		let()
		(<-answers).want(t, 201, "")
	})
}

// TestWhatWatchesTheNodeIsNeverShed.
func TestWhatWatchesTheNodeIsNeverShed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow(t, 1)
	for _, c := range shed.Classes() { // all places are taken, for good
		if _, why := w.server.Gate.Enter(c, 0); why != shed.Admitted {
			t.Fatal(why)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		w.do("GET", path, "").want(t, 200, "")
	}
	text := string(w.do("GET", "/metrics", "").text)
	for _, line := range []string{`stockd_shed_waiting{class="buy"} 1`, `stockd_shed_busy{pool="work"} 1`, `stockd_shed_share{class="hold"} 1`, `stockd_shed_total{class="hold",reason="age"} 0`} {
		if !strings.Contains(text, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

// TestEveryRouteHasItsClass: payments and what belongs to them are never in the class of newcomers.
func TestEveryRouteHasItsClass(t *testing.T) {
	t.Parallel()
	for _, rt := range routes {
		own := strings.HasPrefix(rt.path, "/v1/holds/") || strings.HasPrefix(rt.path, "/v1/orders/") || strings.HasPrefix(rt.path, "/v1/tickets/") || strings.HasPrefix(rt.path, "/v1/webhooks/")
		switch {
		case own && rt.method == http.MethodGet && rt.class != shed.Look, own && rt.method != http.MethodGet && rt.class != shed.Buy:
			t.Errorf("%s %s is of class %v", rt.method, rt.path, rt.class)
		case rt.read != (rt.method == http.MethodGet && (rt.class == shed.Browse || rt.class == shed.Look) && !rt.open):
			t.Errorf("%s %s: counts as a read: %v", rt.method, rt.path, rt.read)
		}
	}
}

// wire is the API on a real connection.
func (w *world) wire(t *testing.T) net.Conn {
	t.Helper()
	server := httptest.NewServer(w.server.handler())
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestABodyThatDripsInTakesNoPlace: while its body is under way a request waits for nobody and nobody for it.
func TestABodyThatDripsInTakesNoPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.narrow(t, 1)
	conn := w.wire(t)
	pass := w.pass("demo", 4, 10*time.Minute)
	fmt.Fprintf(conn, "POST /v1/events/demo/holds HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: %s\r\nAuthorization: WaitingRoom %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		uuid.NewString(), pass, len(holdBodyOK))
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100") { // the node reads the body now
		t.Fatalf("%q %v", line, err)
	}
	fmt.Fprint(conn, holdBodyOK[:5])
	if n := w.numbers(); n.Busy != [2]int{0, 0} {
		t.Errorf("%+v", n)
	}
	w.hold(5, "N-1-9")
	fmt.Fprint(conn, holdBodyOK[5:])
	if _, err := answer.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(answer, nil)
	if err != nil || r.StatusCode != http.StatusCreated {
		t.Errorf("%v %v", r, err)
	}
}

// TestLargeBodiesAreBounded: what is past the small part needs one of a few permits; what is past the limit is not read at all.
func TestLargeBodiesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	large := `{"items":[{"seat":"` + strings.Repeat("x", smallBody) + `"}]}`
	w.do("POST", "/v1/events/demo/holds", large, w.admitted(1)).want(t, 422, "invalid")
	for range largeBodies {
		w.server.bodies <- struct{}{}
	}
	w.do("POST", "/v1/events/demo/holds", large, w.admitted(1)).want(t, 503, "overloaded")
	w.hold(1, "N-1-1") // a small one needs none
	conn := w.wire(t)
	fmt.Fprintf(conn, "POST /v1/events/demo/holds HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", bodyMax+1)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(text), "too-large") {
		t.Errorf("%d %s", r.StatusCode, text)
	}
}
