package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// cluster is some nodes, of which the first also serves the routes.
type cluster struct {
	client *Client
	doc    RoutesDocument
	calls  []atomic.Int64
}

// newCluster makes a node of each handler. All partitions belong to node owner.
func newCluster(t *testing.T, owner int, cfg Config, handlers ...http.HandlerFunc) *cluster {
	t.Helper()
	c := &cluster{calls: make([]atomic.Int64, len(handlers))}
	for i, h := range handlers {
		addr := deadAddr(t)
		if h != nil {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.calls[i].Add(1)
				h(w, r)
			}))
			t.Cleanup(srv.Close)
			addr = srv.Listener.Addr().String()
		}
		c.doc.Nodes = append(c.doc.Nodes, Node{ID: fmt.Sprint(i), API: addr})
	}
	for p := range stock.Partitions {
		c.doc.Routes = append(c.doc.Routes, Route{Part: stock.PartitionID(p), Epoch: 1, Node: owner})
	}
	c.doc.Version = "a.1"
	internal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(KeyHeader) != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(c.doc)
	}))
	t.Cleanup(internal.Close)
	cfg.Seeds, cfg.InternalKey = []string{deadAddr(t), internal.Listener.Addr().String()}, "secret"
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c.client = client
	return c
}

// deadAddr is an address where nobody listens.
func deadAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func answers(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Stockd-Epoch", "7")
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

var holdPath = "/v1/holds/hold_" + stock.NewCoordinatedID(77, uuid.UUID{1}, uuid.UUID{2}, "hold").String()

func (c *cluster) do(t *testing.T, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req := httptest.NewRequest(method, "http://site.example"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.client.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestGoesToTheOwner(t *testing.T) {
	t.Parallel()
	var seen http.Header
	c := newCluster(t, 1, Config{}, answers(200, "wrong"), func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Stockd-Owner", "x")
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	})
	status, text, header := c.do(t, "PATCH", holdPath, `{"a":1}`, "X-Stockd-Hop", "9", "Connection", "X-Drop", "X-Drop", "1", "X-Keep", "1")
	if status != 200 || text != "PATCH "+holdPath+` {"a":1}` {
		t.Errorf("%d %s", status, text)
	}
	if seen.Get("X-Stockd-Hop") != "" || seen.Get("X-Drop") != "" || seen.Get("X-Keep") != "1" || seen.Get("X-Stockd-Direct") != "1" {
		t.Errorf("headers that arrived: %v", seen)
	}
	if header.Get("X-Stockd-Owner") != "" {
		t.Error("a header of the cluster came out")
	}
}

func TestWrongNodeIsFollowedAndNeverPassedOn(t *testing.T) {
	t.Parallel()
	var c *cluster
	wrong := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Stockd-Owner", c.doc.Nodes[1].API)
		w.Header().Set("X-Stockd-Epoch", "5")
		w.WriteHeader(http.StatusMisdirectedRequest)
	}
	c = newCluster(t, 0, Config{}, wrong, answers(200, "right"))
	for range 3 {
		if status, text, _ := c.do(t, "DELETE", holdPath, ""); status != 200 || text != "right" {
			t.Errorf("%d %s", status, text)
		}
	}
	if n := c.calls[0].Load(); n != 1 {
		t.Errorf("the wrong node was asked %d times: the hint was not kept", n)
	}
	// Late routes with an older epoch change nothing.
	c.client.routes.Merge(&c.doc)
	if addr, epoch, _ := c.client.Owner(77); addr != c.doc.Nodes[1].API || epoch != 5 {
		t.Errorf("owner %s at epoch %d", addr, epoch)
	}
	lost := newCluster(t, 0, Config{Budget: 200 * time.Millisecond}, answers(http.StatusMisdirectedRequest, ""))
	if status, text, header := lost.do(t, "GET", holdPath, ""); status != 503 || header.Get("Content-Type") != "application/problem+json" || !strings.Contains(text, "segment-moving") {
		t.Errorf("%d %s", status, text)
	}
}

func TestMovingIsTriedAgainInside(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	moving := func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%4 != 0 {
			w.Header().Set("X-Stockd-Retry-After-Ms", "5")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "ok")
	}
	c := newCluster(t, 0, Config{}, moving)
	if status, text, _ := c.do(t, "POST", holdPath+"/order", "{}", "Idempotency-Key", "k"); status != 200 || text != "ok" || n.Load() != 4 {
		t.Errorf("%d %s after %d tries", status, text, n.Load())
	}
	if status, _, header := c.do(t, "POST", holdPath+"/order", "{}"); status != 503 || n.Load() != 5 || header.Get("X-Stockd-Retry-After-Ms") != "" {
		t.Errorf("without a key: %d after %d tries", status, n.Load())
	}
}

func TestDeadNodeIsLeftOut(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0, Config{EjectFor: time.Minute}, nil, answers(200, "other"))
	for range 5 {
		if status, text, _ := c.do(t, "POST", holdPath, "{}"); status != 200 || text != "other" { // not sent, so it may go elsewhere without a key
			t.Errorf("%d %s", status, text)
		}
	}
	alone := newCluster(t, 0, Config{EjectFor: time.Minute, Budget: 300 * time.Millisecond}, nil)
	for range 2 { // never are all left out: the only node is tried each time
		if status, _, header := alone.do(t, "GET", holdPath, ""); status != 503 || header.Get("Retry-After") == "" {
			t.Errorf("all dead: %d", status)
		}
	}
}

func TestSlowNodeIsGivenUpOnlyWhenHarmless(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	c := newCluster(t, 0, Config{WriteWait: 50 * time.Millisecond, ReadWait: 50 * time.Millisecond, Budget: 2 * time.Second}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	if status, _, _ := c.do(t, "POST", holdPath, "{}"); status != 503 || c.calls[0].Load() != 1 {
		t.Errorf("a write without a key: %d after %d tries", status, c.calls[0].Load())
	}
	if status, _, _ := c.do(t, "POST", holdPath, "{}", "Idempotency-Key", "k"); status != 503 || c.calls[0].Load() < 3 {
		t.Errorf("a write with a key: %d after %d tries", status, c.calls[0].Load())
	}
	if c.client.nodes.isOut(c.doc.Nodes[0].API, time.Now()) {
		t.Error("a slow node was left out")
	}
}

func TestLargeBodyIsRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0, Config{}, answers(200, ""))
	if status, text, _ := c.do(t, "POST", holdPath, strings.Repeat("x", BodyMax+1)); status != 413 || !strings.Contains(text, "64 KiB") || c.calls[0].Load() != 0 {
		t.Errorf("%d %s", status, text)
	}
	if status, _, _ := c.do(t, "POST", holdPath, strings.Repeat("x", BodyMax)); status != 200 {
		t.Errorf("the largest body: %d", status)
	}
}

func TestStreamIsNotCut(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	ended := make(chan struct{})
	c := newCluster(t, 0, Config{ReadWait: 500 * time.Millisecond, Budget: time.Second}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		<-next
		fmt.Fprint(w, "data: late\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(ended)
	})
	resp, err := c.client.RoundTrip(httptest.NewRequest("GET", "http://site.example/v1/events/e/availability/stream", nil))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(1200*time.Millisecond, func() { close(next) }) // later than all limits of the headers
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line != "data: late\n" {
		t.Fatalf("%q %v", line, err)
	}
	resp.Body.Close()
	<-ended // closing the body ends the call at the node
}

func TestCallerThatLeavesEndsTheCall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	c := newCluster(t, 0, Config{}, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	req := httptest.NewRequest("GET", "http://site.example"+holdPath, nil).WithContext(ctx)
	if resp, err := c.client.RoundTrip(req); err == nil {
		resp.Body.Close()
		t.Error("no error")
	}
}

func TestRoutesAreFollowed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0, Config{}, answers(200, ""))
	c.client.Start()
	deadline := time.Now().Add(5 * time.Second)
	for len(c.client.Routes().Nodes()) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no routes")
		}
	}
	if addr, epoch, ok := c.client.Owner(4095); !ok || epoch != 1 || addr != c.doc.Nodes[0].API {
		t.Errorf("%s %d %v", addr, epoch, ok)
	}
}

func TestPartitionOf(t *testing.T) {
	t.Parallel()
	order := stock.NewCoordinatedID(4095, uuid.UUID{1}, uuid.UUID{2}, "order").String()
	for _, c := range []struct {
		target string
		part   int
	}{
		{holdPath, 77}, {holdPath + "/order?x=1", 77}, {"/v1/orders/ord_" + order + "/payments", 4095}, {"/v1/events/demo/holds", -1},
		{"/v1/orders/hold_" + order, -1}, {"/v1/holds/hold_junk", -1}, {"/v1/holds/hold_" + uuid.Nil.String(), -1}, {"/v1/events/demo/holds?partition=12", 12},
		{"/v1/events/demo/holds?partition=4096", -1}, {"/", -1}, {"/v1/holds", -1},
	} {
		part, ok := PartitionOf(httptest.NewRequest("GET", c.target, nil))
		if ok != (c.part >= 0) || ok && int(part) != c.part {
			t.Errorf("%s: %d %v, want %d", c.target, part, ok, c.part)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {Seeds: []string{"nonsense"}}, {Seeds: []string{"a:1"}, Budget: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

// A node that was left out and has claimed its stock again, under a newer epoch, is asked at once: a restart must not cost the time of an ejection.
func TestRestartedNodeIsAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	var c *cluster
	c = newCluster(t, 0, Config{EjectFor: time.Minute}, answers(200, "owner"), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Stockd-Owner", c.doc.Nodes[0].API)
		w.Header().Set("X-Stockd-Epoch", "2")
		w.WriteHeader(http.StatusMisdirectedRequest)
	})
	c.do(t, "GET", holdPath, "")
	owner := c.doc.Nodes[0].API
	c.client.nodes.failed(owner, time.Now())
	if status, text, _ := c.do(t, "PATCH", holdPath, "{}"); status != 200 || text != "owner" || c.calls[1].Load() != 1 {
		t.Errorf("%d %s after %d hints", status, text, c.calls[1].Load())
	}
	c.client.nodes.failed(owner, time.Now())
	c.client.routes.Merge(&c.doc) // nothing new: the epoch is older
	if !c.client.nodes.isOut(owner, time.Now()) {
		t.Error("old routes brought it back")
	}
	for i := range c.doc.Routes {
		c.doc.Routes[i].Epoch = 3
	}
	if err := c.client.fetch(t.Context(), c.client.cfg.Seeds[1], "", 0); err != nil {
		t.Fatal(err)
	}
	if c.client.nodes.isOut(owner, time.Now()) {
		t.Error("a node that has just claimed everything is left out")
	}
}

// A frozen node holds a request for all of its time; once its stock has another owner, or it is counted out, the request goes there.
func TestRequestLeavesANodeThatWasOvertaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, method string
		change       func(d *RoutesDocument)
	}{
		"another owner":     {holdPath, "PATCH", func(d *RoutesDocument) { d.Routes = []Route{{77, 2, 1}} }},
		"the node has gone": {"/v1/events/demo/holds", "POST", func(d *RoutesDocument) { d.Nodes, d.Routes = d.Nodes[1:], nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frozen := make(chan struct{}, 1)
			g := newCluster(t, 0, Config{WriteWait: time.Minute, Budget: 2 * time.Minute}, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				frozen <- struct{}{}
				<-r.Context().Done()
			}, answers(200, "other"))
			g.client.routes.Merge(&g.doc)
			g.client.nodes.failed(g.doc.Nodes[1].API, time.Now()) // so that the frozen one is asked first
			go func() {
				<-frozen
				g.client.nodes.worked(g.doc.Nodes[1].API)
				next := g.doc
				c.change(&next)
				g.client.routes.Merge(&next)
			}()
			if status, text, _ := g.do(t, c.method, c.path, "{}", "Idempotency-Key", "k"); status != 200 || text != "other" {
				t.Errorf("%d %s", status, text)
			}
			if g.client.nodes.isOut(g.doc.Nodes[0].API, time.Now()) {
				t.Error("the node that was left is left out: it may be healthy")
			}
		})
	}
}

// A node that the others have counted out may be frozen, or it sells what it owns and only they do not reach it: it is asked, and not waited for.
func TestANodeThatWasCountedOutIsAskedBriefly(t *testing.T) {
	t.Parallel()
	for _, frozen := range []bool{true, false} {
		out := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if frozen {
				<-r.Context().Done()
				return
			}
			fmt.Fprint(w, "sold")
		}))
		t.Cleanup(out.Close)
		var n atomic.Int64
		c := newCluster(t, 0, Config{WriteWait: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if n.Add(1) < 3 {
				w.Header().Set("X-Stockd-Owner", out.Listener.Addr().String())
				w.WriteHeader(http.StatusMisdirectedRequest)
				return
			}
			fmt.Fprint(w, "taken over")
		})
		want := map[bool]string{true: "taken over", false: "sold"}[frozen]
		if status, text, _ := c.do(t, "POST", "/v1/events/demo/holds", "{}", "Idempotency-Key", "k"); status != 200 || text != want {
			t.Errorf("frozen %v: %d %s", frozen, status, text)
		}
	}
}
