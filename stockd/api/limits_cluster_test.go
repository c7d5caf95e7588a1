package api

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"ticketrush/ledger"

	"github.com/google/uuid"
)

// crowd is how many holds of one buyer are asked for at once.
const crowd = 1000

// floorChart is an area that is sold by several owners, with room for everybody.
const floorChart = `{"format":"ticketrush-chart/1","name":"Field","width":100,"height":100,"focal":{"x":50,"y":0},
	"categories":[{"name":"A","color":"#aa0000"}],"sections":[],
	"areas":[{"id":"floor","name":"Floor","category":"A","capacity":6000,"polygon":[[0,0],[100,0],[100,50]]}]}`

// TestLimitsOverThreeNodes: a thousand holds of one buyer at once, at three nodes of the real program, whose stock has owners on all of them. Exactly
// the limit is granted, whatever the buyer is counted by, and when everything is given back nothing counts any more.
func TestLimitsOverThreeNodes(t *testing.T) {
	t.Setenv("STOCKD_ACCOUNT_KEYS", siteKeys())
	c := newCluster(t, 3)
	c.limitedEvent(`{"tid":7,"account":5,"document":3}`)
	for _, tc := range []struct {
		dimension string
		limit     int
		visitor   func(i int) int
		account   func(i int) string
		document  func(i int) string
	}{
		{"tid", 7, same(1), named("a"), named("TIDDOC")},
		{"account", 5, apart(1000), always("u_812"), named("ACCDOC")},
		{"document", 3, apart(3000), named("b"), always("X1234567")},
	} {
		t.Run(tc.dimension, func(t *testing.T) {
			c.t = t
			now := time.Now()
			granted := c.rush(func(i int) (string, []option) {
				body := fmt.Sprintf(`{"buyer":{"documents":[%q]},"items":[{"area":"floor"}]}`, tc.document(i))
				return body, []option{c.visitor(tc.visitor(i)), accountToken(t, tc.account(i), now, time.Hour)}
			}, func(r result) { r.wantLimit(t, tc.dimension, float64(tc.limit), float64(tc.limit)) })
			if len(granted) != tc.limit {
				t.Fatalf("%d holds were granted, the limit is %d", len(granted), tc.limit)
			}
			c.reconcile()
			for i, h := range granted {
				c.do(i, "DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 204, "")
			}
			if n := c.counted(); n != 0 {
				t.Fatalf("everything was given back, and the counters say %d", n)
			}
		})
	}
	c.t = t
	c.reconcile()
}

func same(n int) func(int) int         { return func(int) int { return n } }
func apart(n int) func(int) int        { return func(i int) int { return n + i } }
func always(s string) func(int) string { return func(int) string { return s } }
func named(p string) func(int) string {
	return func(i int) string { return fmt.Sprintf("%s%04d", p, i) }
}

// rush asks for a crowd of holds at once, each under a key of its own, at all nodes. It gives those that were granted; the others are refused.
func (c *cluster) rush(ask func(i int) (body string, who []option), refused func(result)) (granted []result) {
	c.t.Helper()
	type request struct {
		body string
		who  []option
	}
	requests := make([]request, crowd)
	for i := range requests {
		requests[i].body, requests[i].who = ask(i)
	}
	answers := make([]result, crowd)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i, r := range requests {
		all.Go(func() {
			<-begin
			answers[i] = c.do(i, "POST", "/v1/events/limits/holds", r.body, append(r.who, key(uuid.NewString()))...)
		})
	}
	close(begin)
	all.Wait()
	for _, a := range answers {
		if a.status == http.StatusCreated {
			granted = append(granted, a)
		} else {
			refused(a)
		}
	}
	return granted
}

// limitedEvent puts an area on sale that has limits.
func (c *cluster) limitedEvent(limits string) {
	c.t.Helper()
	plan := c.do(0, "POST", "/v1/charts?name=field", floorChart, bearerKey(opsKey), header("Content-Type", "application/json")).want(c.t, 201, "")
	c.do(0, "POST", "/v1/events", fmt.Sprintf(`{"slug":"limits","name":"Night","chart":%q,"starts_at":"2027-12-24T19:00:00Z","currency":"EUR","room":"e2e",
		"types":["adult"],"prices":[{"category":"A","type":"adult","face":8500}],"limits":%s,"area_share":500,"open":true}`, plan.string("id"), limits), bearerKey(opsKey)).want(c.t, 201, "")
	for i := range c.nodes {
		c.until("event is known", func() bool { return c.raw(i, "/v1/events/limits") == http.StatusOK })
	}
}

// counted is the sum of all counters of buyers.
func (c *cluster) counted() (n int) {
	c.t.Helper()
	db, err := ledger.Open(c.t.Context(), c.dsn, ledger.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	if err := db.SQL().QueryRowContext(c.t.Context(), `SELECT coalesce(sum(abs(n)), 0) FROM ledger.quota`).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}
