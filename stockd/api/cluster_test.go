package api

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
	"ticketrush/pass"

	"github.com/google/uuid"
)

// cluster is the product as it is run: nodes of the program over a Postgres of their own, and an API key. Nothing in it is a stand-in.
type cluster struct {
	t      *testing.T
	dsn    string
	keys   *pass.Keyring
	nodes  []*url.URL
	checks []http.Handler // reaches a node, and holds every request and answer against the contract
	output lockedBuffer
}

// lockedBuffer takes what several processes write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newCluster starts nodes; environ is added to the settings of each.
func newCluster(t *testing.T, nodes int, environ ...string) *cluster {
	t.Helper()
	ctx := context.Background()
	server, err := pgdev.Start(ctx, pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	c := &cluster{t: t, dsn: server.DSN("postgres")}
	if _, err := ledger.Migrate(ctx, c.dsn); err != nil {
		t.Fatal(err)
	}
	db, err := ledger.Open(ctx, c.dsn, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.APIKeyInsert(ctx, ledger.APIKey{ID: uuid.New(), Name: "test", Person: "Ada", Scopes: []string{"ops", "sell"}}, opsKey); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "stockd")
	build := append(append([]string{"build"}, buildFlags...), "-o", program, "ticketrush/stockd")
	if out, err := exec.CommandContext(ctx, "go", build...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	rooms, secrets := keysFile(t, dir, "rooms"), keysFile(t, dir, "secrets")
	if c.keys, err = pass.LoadKeyring(rooms); err != nil {
		t.Fatal(err)
	}
	gossip := ""
	for i := range nodes {
		addr := freeAddrs(t, 3)
		c.start(program, append([]string{"STOCKD_NODE=" + fmt.Sprintf("n%d", i), "STOCKD_API_ADDR=" + addr[0], "STOCKD_INTERNAL_ADDR=" + addr[1], "STOCKD_GOSSIP_ADDR=" + addr[2],
			"STOCKD_JOIN=" + gossip, "STOCKD_POSTGRES=" + c.dsn, "STOCKD_ROOM_KEYS_FILE=" + rooms, "STOCKD_SECRETS_FILE=" + secrets, "STOCKD_SANDBOX=true",
			"STOCKD_READS_PER_SECOND=-1", "STOCKD_SESSION_TTL=10s", "STOCKD_LOG_LEVEL=info"}, environ...)...)
		gossip = addr[2]
		to := &url.URL{Scheme: "http", Host: addr[0]}
		c.nodes = append(c.nodes, to)
		c.checks = append(c.checks, checked(t, &httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) },
			ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
				t.Errorf("%s %s: %v", r.Method, r.URL, err)
				w.WriteHeader(http.StatusBadGateway)
			},
		}))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("nodes:\n%s", c.output.String())
		}
	})
	for i := range c.nodes {
		c.until("node is ready", func() bool { return c.raw(i, "/readyz") == http.StatusOK })
	}
	return c
}

// raw asks without checks, while a node may not listen yet.
func (c *cluster) raw(node int, path string) int {
	answer, err := http.Get(c.nodes[node].String() + path)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

func keysFile(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := pass.NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freeAddrs are addresses that were free a moment ago, all different.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	var list []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list
}

// start runs a node until the test ends.
func (c *cluster) start(program string, environ ...string) {
	c.t.Helper()
	cmd := exec.Command(program, "serve")
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = &c.output, &c.output
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		if err := cmd.Wait(); err != nil {
			c.t.Errorf("a node ended with %v\n%s", err, c.output.String()) // 66: the race detector has found something
		}
	})
}

// until waits for something to become true.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("in vain: %s\n%s", what, c.output.String())
		}
	}
}

// do sends a request to a node. A 503, or a key in flight, is repeated with the same key, as clients do.
func (c *cluster) do(node int, method, path, body string, options ...option) result {
	c.t.Helper()
	options = append([]option{key(uuid.NewString())}, options...)
	for {
		r := send(c.t, c.checks[node%len(c.checks)], method, path, body, options...)
		wait := r.header.Get("X-Stockd-Retry-After-Ms")
		if wait == "" || r.status != http.StatusServiceUnavailable && r.status != http.StatusConflict {
			return r
		}
		pause, err := time.ParseDuration(wait + "ms")
		if err != nil {
			c.t.Fatal(err)
		}
		<-time.After(pause)
	}
}

func (c *cluster) visitor(n int) option {
	text, err := c.keys.Sign(&pass.Token{
		Type: pass.Pass, Room: pass.RoomNumber("e2e"), Tid: [16]byte{14: byte(n >> 8), 15: byte(n)}, Issued: time.Now(), Expires: time.Now().Add(10 * time.Minute),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return header("Authorization", "WaitingRoom "+text)
}

// event imports a chart and puts an event on sale.
func (c *cluster) event(slug, chart, contentType, types, prices string) result {
	c.t.Helper()
	return c.eventWith(slug, chart, contentType, types, prices, `{"tid":6}`)
}

// eventWith puts an event with some limits on sale.
func (c *cluster) eventWith(slug, chart, contentType, types, prices, limits string) result {
	c.t.Helper()
	ops := bearerKey(opsKey)
	plan := c.do(0, "POST", "/v1/charts?name="+slug, chart, ops, header("Content-Type", contentType)).want(c.t, 201, "")
	body := fmt.Sprintf(`{"slug":%q,"name":"Night","chart":%q,"starts_at":"2027-12-24T19:00:00Z","currency":"EUR","room":"e2e","types":[%s],
		"prices":[%s],"limits":%s,"area_share":12,"open":true}`, slug, plan.string("id"), types, prices, limits)
	ev := c.do(0, "POST", "/v1/events", body, ops).want(c.t, 201, "")
	again := c.do(0, "POST", "/v1/events", body, ops).want(c.t, 200, "")
	if again.string("id") != ev.string("id") {
		c.t.Fatalf("%s", again.text)
	}
	for i := range c.nodes {
		c.until("event is known", func() bool { return c.raw(i, "/v1/events/"+slug) == http.StatusOK })
	}
	return ev
}

// pay pays an order and waits for its tickets.
func (c *cluster) pay(node int, order result) result {
	c.t.Helper()
	path := "/v1/orders/" + order.string("id")
	pay := c.do(node, "POST", path+"/payments", `{"provider":"sandbox","return_url":"/tickets"}`, orderToken(order)).want(c.t, 201, "")
	page := pay.string("pay_url")
	if at := strings.Index(page, "/sandbox/"); at > 0 {
		page = page[at:]
	}
	c.do(node, "POST", page, `{"action":"success"}`, without("Idempotency-Key")).want(c.t, 200, "")
	var tickets result
	c.until("tickets of "+order.string("id"), func() bool {
		tickets = c.do(node+1, "GET", path+"/tickets", "", orderToken(order))
		if tickets.status != http.StatusOK && tickets.status != http.StatusAccepted {
			tickets.want(c.t, 200, "")
		}
		return tickets.status == http.StatusOK
	})
	return tickets
}

// reconcile wants the books to add up.
func (c *cluster) reconcile() *reconcile.Report {
	c.t.Helper()
	db, err := ledger.Open(c.t.Context(), c.dsn, ledger.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	report, err := reconcile.Run(c.t.Context(), db, reconcile.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	if !report.OK {
		c.t.Fatalf("the books do not add up: %+v", report.Checks)
	}
	return report
}
