package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

const e2ePrices = `{"category":"A","type":"adult","face":8500,"fee":350},{"category":"A","type":"child","face":4500,"fee":350},{"category":"B","type":"adult","face":5000}`

// TestEndToEnd: two nodes of the real program, each request to another one than the last.
func TestEndToEnd(t *testing.T) {
	c := newCluster(t, 2)
	ev := c.event("night", string(chartText()), "application/json", `"adult","child"`, e2ePrices)
	t.Run("from a hold to tickets", func(t *testing.T) { fromHoldToTickets(t, c) })
	t.Run("refusals", func(t *testing.T) { refusals(t, c) })
	t.Run("area", func(t *testing.T) { areaIsOne(t, c) })
	t.Run("stream", func(t *testing.T) { followStream(t, c) })
	t.Run("pause", func(t *testing.T) { pause(t, c, ev) })
	t.Run("over several segments", func(t *testing.T) { wideSale(t, c) })
	t.Run("over several segments, by name", func(t *testing.T) { wideByName(t, c) })
	t.Run("tickets by name", func(t *testing.T) { ticketsByName(t, c) })
	t.Run("gates", func(t *testing.T) { gates(t, c) })
	c.reconcile()
	t.Run("fight", func(t *testing.T) { fight(t, c) })
}

func fromHoldToTickets(t *testing.T, c *cluster) {
	const holds = "/v1/events/night/holds"
	me, k := c.visitor(1), key(uuid.NewString())
	const body = `{"items":[{"seat":"N-1-3","type":"adult"},{"seat":"N-1-4","type":"child"}]}`
	h := c.do(0, "POST", holds, body, me, k).want(t, 201, "")
	if again := c.do(1, "POST", holds, body, me, k).want(t, 200, ""); again.string("id") != h.string("id") {
		t.Fatalf("%s", again.text)
	}
	c.do(1, "POST", holds, `{"items":[{"seat":"N-1-9"}]}`, me, k).want(t, 422, "key-reused")
	path := "/v1/holds/" + h.string("id")
	c.do(1, "GET", path, "", holdToken(h)).want(t, 200, "")
	c.do(0, "PATCH", path, `{"extend":true}`, holdToken(h)).want(t, 200, "")
	k = key(uuid.NewString())
	o := c.do(1, "POST", path+"/order", `{"buyer":{"name":"Ada","email":"ada@example.org"}}`, holdToken(h), k).want(t, 201, "")
	if o.body["total"] != 13700.0 {
		t.Fatalf("%s", o.text)
	}
	if again := c.do(0, "POST", path+"/order", `{"buyer":{"name":"Ada","email":"ada@example.org"}}`, holdToken(h), k).want(t, 200, ""); again.string("id") != o.string("id") {
		t.Fatalf("%s", again.text)
	}
	c.do(0, "DELETE", path, "", holdToken(h)).want(t, 409, "illegal-transition")
	c.do(0, "GET", "/v1/orders/"+o.string("id")+"/tickets", "", orderToken(o)).want(t, 202, "")
	tickets := c.pay(0, o).body["tickets"].([]any)
	if len(tickets) != 2 {
		t.Fatalf("%d tickets", len(tickets))
	}
	for _, one := range tickets {
		ticket := one.(map[string]any)
		c.do(0, "GET", ticket["svg"].(string), "", orderToken(o)).want(t, 200, "")
		c.do(1, "GET", ticket["png"].(string), "", orderToken(o)).want(t, 200, "")
		c.do(1, "GET", ticket["png"].(string), "").want(t, 403, "hold-not-yours")
	}
	order := c.do(1, "GET", "/v1/orders/"+o.string("id"), "", orderToken(o)).want(t, 200, "")
	if order.string("state") != "issued" {
		t.Fatalf("%s", order.text)
	}
	// An order with tickets is cancelled by a refund, which this event does not grant.
	c.do(0, "POST", "/v1/orders/"+o.string("id")+"/cancel", `{}`, orderToken(o)).want(t, 403, "forbidden")
	c.do(0, "POST", holds, body, c.visitor(2)).want(t, 409, "seat-taken")
	c.until("the sale is seen everywhere", func() bool {
		for i := range c.nodes {
			a := c.do(i, "GET", "/v1/events/night/availability?seats=1", "").want(t, 200, "")
			if a.body["totals"].(map[string]any)["sold"] != 2.0 {
				return false
			}
		}
		return true
	})
}

func refusals(t *testing.T, c *cluster) {
	const holds = "/v1/events/night/holds"
	// Limit: 6 for each visitor, and the refusal is remembered.
	me, k := c.visitor(3), key(uuid.NewString())
	h := c.do(0, "POST", holds, `{"best_available":{"quantity":4}}`, me).want(t, 201, "")
	c.do(1, "POST", holds, `{"best_available":{"quantity":3}}`, me, k).want(t, 409, "limit-reached")
	area := c.do(1, "POST", holds, `{"items":[{"area":"floor","quantity":2}]}`, me).want(t, 201, "")
	c.do(1, "POST", holds, `{"items":[{"area":"floor"}]}`, me).want(t, 409, "limit-reached")
	// Release, and its replay at the other node.
	k = key(uuid.NewString())
	c.do(1, "DELETE", "/v1/holds/"+area.string("id"), "", holdToken(area), k).want(t, 204, "")
	if again := c.do(0, "DELETE", "/v1/holds/"+area.string("id"), "", holdToken(area), k).want(t, 204, ""); again.header.Get("Idempotency-Replayed") != "true" {
		t.Fatal("not marked as replayed")
	}
	c.do(0, "GET", "/v1/holds/"+area.string("id"), "", holdToken(area)).want(t, 410, "hold-expired")
	c.do(0, "GET", "/v1/holds/"+h.string("id"), "", holdToken(area)).want(t, 403, "hold-not-yours")
	// Cancel gives the seats back.
	o := c.do(0, "POST", "/v1/holds/"+h.string("id")+"/order", ``, holdToken(h)).want(t, 201, "")
	cancelled := c.do(1, "POST", "/v1/orders/"+o.string("id")+"/cancel", `{}`, orderToken(o)).want(t, 200, "")
	if cancelled.string("state") != "cancelled" {
		t.Fatalf("%s", cancelled.text)
	}
	c.do(1, "GET", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 410, "hold-expired")
	c.do(0, "POST", "/v1/orders/"+o.string("id")+"/payments", `{"provider":"sandbox"}`, orderToken(o)).want(t, 409, "illegal-transition")
	c.do(0, "POST", "/v1/webhooks/sandbox", `{}`).want(t, 401, "unauthorized")
	c.do(0, "POST", "/v1/webhooks/bank", `{}`)
	// A hold runs out by itself.
	short := c.do(0, "POST", holds, `{"items":[{"seat":"N-1-20"}],"ttl_s":1}`, c.visitor(4)).want(t, 201, "")
	c.until("the hold runs out", func() bool {
		return c.do(1, "GET", "/v1/holds/"+short.string("id"), "", holdToken(short)).status == http.StatusGone
	})
	c.do(1, "PATCH", "/v1/holds/"+short.string("id"), `{"extend":true}`, holdToken(short)).want(t, 410, "hold-expired")
	c.until("the seat is free again", func() bool {
		return c.do(1, "POST", holds, `{"items":[{"seat":"N-1-20"}]}`, c.visitor(5)).status == http.StatusCreated
	})
	// One of the two nodes is wrong for a direct client.
	misdirected := 0
	for i := range c.nodes {
		r := c.do(i, "GET", "/v1/holds/"+short.string("id"), "", holdToken(short), header("X-Stockd-Direct", "1"))
		if r.status == http.StatusMisdirectedRequest {
			misdirected++
			if r.header.Get("X-Stockd-Owner") != c.nodes[1-i].Host {
				t.Errorf("%v", r.header)
			}
		}
	}
	if misdirected != 1 {
		t.Errorf("%d nodes are wrong, want 1", misdirected)
	}
}

// followStream reads the stream of one node while seats are taken at the other.
func followStream(t *testing.T, c *cluster) {
	for i := range c.nodes {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "GET", c.nodes[i].String()+"/v1/events/night/availability/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		seen := ""
		for lines.Scan() {
			if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				seen = kind
			}
			if seen == "snapshot" && strings.HasPrefix(lines.Text(), "data: ") {
				c.do(i+1, "POST", "/v1/events/night/holds", `{"best_available":{"quantity":1,"categories":["B"]}}`, c.visitor(6)).want(t, 201, "")
			}
			if seen == "seats" && strings.HasPrefix(lines.Text(), "data: ") {
				break
			}
		}
		if seen != "seats" {
			t.Fatalf("node %d: the stream ended with %q: %v", i, seen, lines.Err())
		}
	}
}

func pause(t *testing.T, c *cluster, ev result) {
	ops, path := bearerKey(opsKey), "/v1/events/"+ev.string("id")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", c.nodes[1].String()+"/v1/events/night/availability/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	paused := c.do(0, "PATCH", path, `{"state":"paused"}`, ops, header("If-Match", ev.header.Get("ETag"))).want(t, 200, "")
	for i := range c.nodes {
		c.until("the pause is known", func() bool {
			return c.do(i, "POST", "/v1/events/night/holds", `{"items":[{"seat":"N-1-3"}]}`, c.visitor(7)).body["type"] == "/problems/not-on-sale"
		})
	}
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, 1<<20)
	told := false
	for !told && lines.Scan() {
		told = lines.Text() == `data: {"state":"paused"}`
	}
	if !told {
		t.Errorf("the stream ended without word of the pause: %v", lines.Err())
	}
	c.do(1, "PATCH", path, `{"state":"closed"}`, ops, header("If-Match", ev.header.Get("ETag"))).want(t, 412, "stale-version")
	c.do(1, "PATCH", path, `{"state":"on_sale"}`, ops, header("If-Match", paused.header.Get("ETag"))).want(t, 200, "")
	status := c.do(0, "GET", "/admin/status", "", ops).want(t, 200, "")
	if events, _ := status.body["events"].([]any); len(events) != 1 {
		t.Errorf("%s", status.text)
	}
}

// fight: 200 buyers for 20 seats over HTTP at two nodes. Every seat is sold once, nobody gets an answer of 500 or above for good, and the books
// add up.
func fight(t *testing.T, c *cluster) {
	var chart strings.Builder
	chart.WriteString("section,row,seat,category,x,y,flags\n")
	for i := range 20 {
		fmt.Fprintf(&chart, "F,1,%d,A,%d,0,\n", i+1, 10*i)
	}
	c.event("fight", chart.String(), "text/csv", `"adult"`, `{"category":"A","type":"adult","face":1000}`)
	var mu sync.Mutex
	sold := map[string]int{}
	refused := map[string]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			body := fmt.Sprintf(`{"items":[{"seat":"F-1-%d"}],"on_conflict":"nearest"}`, i%20+1)
			if i%3 == 0 {
				body = `{"best_available":{"quantity":1}}`
			}
			h := c.do(i, "POST", "/v1/events/fight/holds", body, c.visitor(1000+i))
			if h.status != http.StatusCreated {
				mu.Lock()
				defer mu.Unlock()
				refused[fmt.Sprint(h.status, " ", h.body["type"])]++
				return
			}
			o := c.do(i+1, "POST", "/v1/holds/"+h.string("id")+"/order", ``, holdToken(h)).want(t, 201, "")
			for _, one := range c.pay(i, o).body["tickets"].([]any) {
				mu.Lock()
				sold[one.(map[string]any)["seat"].(string)]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(sold) != 20 {
		t.Errorf("%d seats are sold, want 20: %v", len(sold), sold)
	}
	for seat, n := range sold {
		if n != 1 {
			t.Errorf("seat %s is sold %d times", seat, n)
		}
	}
	for kind, n := range refused {
		if !strings.HasPrefix(kind, "409 ") {
			t.Errorf("%d buyers were refused with %s", n, kind)
		}
	}
	// What is sold out is told so, by a commit.
	c.do(0, "POST", "/v1/events/fight/holds", `{"best_available":{"quantity":1}}`, c.visitor(2000)).want(t, 409, "sold-out")
	c.do(1, "POST", "/v1/events/fight/holds", `{"items":[{"seat":"F-1-1"}]}`, c.visitor(2000)).want(t, 409, "seat-taken")
	t.Logf("refused: %v; %+v", refused, c.reconcile().Totals)
}
