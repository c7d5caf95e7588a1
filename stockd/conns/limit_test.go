package conns

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// house is a real server with a limit, and a clock that the test sets.
type house struct {
	t      *testing.T
	limit  *Limit
	addr   string
	mu     sync.Mutex
	now    time.Time
	states chan http.ConnState // each change that the limit has taken in
	block  chan struct{}       // /wait answers when it is closed
}

func newHouse(t *testing.T, most int) *house {
	t.Helper()
	h := &house{t: t, now: time.Unix(1_800_000_000, 0), states: make(chan http.ConnState, 1000), block: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			<-h.block
		}
		fmt.Fprint(w, "hello")
	})}
	h.limit = New(most, server, "test", prometheus.NewRegistry())
	h.limit.now = func() time.Time {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.now
	}
	follow := server.ConnState
	server.ConnState = func(c net.Conn, s http.ConnState) {
		follow(c, s)
		h.states <- s
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = inner.Addr().String()
	go func() { _ = server.Serve(h.limit.Listen(inner)) }()
	t.Cleanup(func() { server.Close() })
	return h
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// await waits until the server has told of a state.
func (h *house) await(want http.ConnState) {
	h.t.Helper()
	for {
		select {
		case s := <-h.states:
			if s == want {
				return
			}
		case <-time.After(time.Minute):
			h.t.Fatalf("no connection became %v", want)
		}
	}
}

// client is one connection.
type client struct {
	net.Conn
	read *bufio.Reader
}

func (h *house) dial() *client {
	h.t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	return &client{c, bufio.NewReader(c)}
}

// get asks and gives the status, 0 when the connection ends without an answer.
func (c *client) get(path string) int {
	if path != "" {
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	}
	r, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	_, _ = io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

func (h *house) want(c *client, path string, status int, what string) {
	h.t.Helper()
	if got := c.get(path); got != status {
		h.t.Errorf("%s: status %d, want %d", what, got, status)
	}
}

func (h *house) open() int {
	h.limit.mu.Lock()
	defer h.limit.mu.Unlock()
	return h.limit.open
}

func count(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

// TestTheSilentOneMakesRoom: of three kept connections the one that has been silent for longest ends when a fourth comes.
func TestTheSilentOneMakesRoom(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 3)
	var kept []*client
	for range 3 {
		c := h.dial()
		h.want(c, "/", 200, "first request")
		h.await(http.StateIdle)
		h.pass(time.Second)
		kept = append(kept, c)
	}
	h.want(kept[0], "/", 200, "again") // now the second one is the oldest
	h.await(http.StateIdle)
	h.pass(time.Second)
	h.want(h.dial(), "/", 200, "the fourth")
	h.want(kept[1], "", 0, "the one that had been silent for longest")
	h.want(kept[0], "/", 200, "the others go on")
	h.want(kept[2], "/", 200, "the others go on")
	if closed := count(t, h.limit.closed); closed != 1 || h.open() != 3 {
		t.Errorf("%v closed, %d open", closed, h.open())
	}
}

// TestWhoIsAtWorkStays: a new connection is told that there is no room, and has it when somebody has finished.
func TestWhoIsAtWorkStays(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 2)
	var busy []*client
	for range 2 {
		c := h.dial()
		fmt.Fprint(c, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		h.await(http.StateActive)
		busy = append(busy, c)
	}
	h.pass(time.Hour)
	third := h.dial()
	fmt.Fprint(third, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(third.read, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || r.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(string(text), "/problems/overloaded") {
		t.Errorf("%d %v %s %v", r.StatusCode, r.Header, text, err)
	}
	if refused := count(t, h.limit.refused); refused != 1 {
		t.Errorf("%v refused", refused)
	}
	close(h.block)
	for _, c := range busy {
		h.want(c, "", 200, "who was at work")
		h.await(http.StateIdle)
	}
	h.want(h.dial(), "/", 200, "when there is room")
}

// TestANewcomerHasAMoment: who has just connected is not closed for the next one; who has been silent for a second is.
func TestANewcomerHasAMoment(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 1)
	first := h.dial()
	h.await(http.StateNew)
	second := h.dial()
	h.want(second, "/", 503, "the second, at once")
	h.want(first, "/", 200, "the first")
	h.await(http.StateIdle)
	third := h.dial()
	h.await(http.StateNew) // in the first one's place
	h.pass(newcomerGrace + time.Millisecond)
	h.want(h.dial(), "/", 200, "the fourth, when the third has been silent for a second")
	h.want(third, "", 0, "the third")
}

// TestEveryConnectionComesOffTheBooks: whoever closes, and in whatever state.
func TestEveryConnectionComesOffTheBooks(t *testing.T) {
	t.Parallel()
	h := newHouse(t, 10)
	for i := range 10 {
		c := h.dial()
		h.await(http.StateNew)
		if i%2 == 0 {
			h.want(c, "/", 200, "request")
			h.await(http.StateIdle)
		}
		c.Close()
		h.await(http.StateClosed)
	}
	if h.open() != 0 || h.limit.silent[newcomer].Len() != 0 || h.limit.silent[kept].Len() != 0 {
		t.Errorf("%d open, %d and %d silent", h.open(), h.limit.silent[newcomer].Len(), h.limit.silent[kept].Len())
	}
}

func TestTheLimitOfOpenFilesIsKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wanted int
		files  uint64
		n      int
		warns  bool
	}{{50_000, 200_000, 50_000, false}, {50_000, 0, 50_000, false}, {50_000, 20_000, 17_000, true}, {50_000, 1024, 512, true}} {
		n, warning := Within(c.wanted, c.files)
		if n != c.n || (warning != "") != c.warns {
			t.Errorf("%d wanted, %d files: %d %q", c.wanted, c.files, n, warning)
		}
		if c.warns && !strings.Contains(warning, "LimitNOFILE") {
			t.Errorf("what to do? %s", warning)
		}
	}
}
