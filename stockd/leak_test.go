package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/pass"
	"ticketrush/stockd/config"
	"ticketrush/stockd/serve"
)

// inProcess is a whole node in this process, as serve runs it, over a Postgres of its own.
type inProcess struct {
	t    *testing.T
	api  string
	peer string
	http *http.Client
}

const leakKey = "leak-key"

func startInProcess(t *testing.T) *inProcess {
	t.Helper()
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	dsn := server.DSN("postgres")
	if _, err := ledger.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	db, err := ledger.Open(t.Context(), dsn, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.APIKeyInsert(t.Context(), ledger.APIKey{ID: uuid.New(), Name: "test", Person: "Ada", Scopes: []string{"ops", "sell"}}, leakKey); err != nil {
		t.Fatal(err)
	}
	text, err := pass.NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pass.ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddrs(t, 3)
	c := config.Config{APIAddr: addr[0], InternalAddr: addr[1], GossipAddr: addr[2], Postgres: dsn, ReadsPerSecond: -1, WorkMax: 16, SessionTTL: config.Duration(10 * time.Second)}.WithDefaults("n1")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- serve.Run(ctx, c, config.Secrets{DSN: dsn, Tokens: keys}, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	p := &inProcess{t: t, api: addr[0], peer: addr[1], http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	wait(t, "the node is ready", func() bool { return p.status("GET", "/readyz", "") == http.StatusOK })
	return p
}

func freeAddrs(t *testing.T, n int) (list []string) {
	t.Helper()
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

// wait waits for something to become true; its limit only tells what hangs.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			var stacks bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			t.Fatalf("in vain: %s\n%s", what, stacks.String())
		}
	}
}

func (p *inProcess) ask(ctx context.Context, method, path, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+p.api+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+leakKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", uuid.NewString())
	return p.http.Do(r)
}

// status asks and gives the status, 0 for no answer.
func (p *inProcess) status(method, path, body string) int {
	a, err := p.ask(p.t.Context(), method, path, body)
	if err != nil {
		return 0
	}
	defer a.Body.Close()
	_, _ = io.Copy(io.Discard, a.Body)
	return a.StatusCode
}

// putOnSale makes an event with 400 seats.
func (p *inProcess) putOnSale() {
	p.t.Helper()
	var csv strings.Builder
	csv.WriteString("section,row,seat,category,x,y,flags\n")
	for i := range 400 {
		fmt.Fprintf(&csv, "S,%d,%d,A,%d,%d,\n", i/20+1, i%20+1, 10*(i%20), 10*(i/20))
	}
	r, err := http.NewRequestWithContext(p.t.Context(), "POST", "http://"+p.api+"/v1/charts?name=hall", strings.NewReader(csv.String()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + leakKey}, "Content-Type": {"text/csv"}, "Idempotency-Key": {uuid.NewString()}}
	a, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(a.Body)
	_, rest, _ := strings.Cut(string(text), `"id":"`)
	chart, _, _ := strings.Cut(rest, `"`)
	event := fmt.Sprintf(`{"slug":"night","name":"Night","chart":%q,"starts_at":"2030-12-24T19:00:00Z","currency":"EUR","types":["adult"],
		"prices":[{"category":"A","type":"adult","face":1000}],"open":true}`, chart)
	if status := p.status("POST", "/v1/events", event); status != http.StatusCreated {
		p.t.Fatalf("event: %d; chart: %s", status, text)
	}
	wait(p.t, "the first hold", func() bool { return p.hold(p.t.Context()) == http.StatusCreated })
}

func (p *inProcess) hold(ctx context.Context) int {
	a, err := p.ask(ctx, "POST", "/v1/events/night/holds", `{"best_available":{"quantity":1},"ttl_s":5}`)
	if err != nil {
		return 0
	}
	defer a.Body.Close()
	_, _ = io.Copy(io.Discard, a.Body)
	return a.StatusCode
}

// leave opens a connection, sends a text and goes away when the first bytes of an answer are there, or at once.
func (p *inProcess) leave(addr, text string, waits bool) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer c.Close()
	fmt.Fprint(c, text)
	if waits {
		_, _ = io.ReadFull(c, make([]byte, 12))
	}
}

// TestAFloodLeavesNoGoroutineBehind: more clients than the node has places for, of all kinds: who waits for the answer, who gives up, who follows the
// availability and vanishes, who polls for routes and vanishes, who never sends the rest. When they have gone as many goroutines run as before.
func TestAFloodLeavesNoGoroutineBehind(t *testing.T) {
	p := startInProcess(t)
	p.putOnSale()
	flood := func(clients int) {
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				switch i % 6 {
				case 0, 1:
					for range 4 {
						p.hold(t.Context())
					}
				case 2: // gives up before there can be an answer, or while it waits
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
					defer cancel()
					p.hold(ctx)
				case 3:
					p.leave(p.api, "GET /v1/events/night/availability/stream HTTP/1.1\r\nHost: x\r\n\r\n", true)
				case 4:
					p.leave(p.peer, "GET /internal/v1/routes?since=x.1&wait_ms=20000 HTTP/1.1\r\nHost: x\r\n\r\n", i%12 == 4)
				case 5:
					p.leave(p.api, "POST /v1/events/night/holds HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", false)
				}
			})
		}
		all.Wait()
		p.http.CloseIdleConnections()
	}
	p.http.CloseIdleConnections()
	before, looks := runtime.NumGoroutine(), 0
	wait(t, "the least of fifty looks", func() bool { // what comes and goes by itself is not counted
		before, looks = min(before, runtime.NumGoroutine()), looks+1
		return looks > 50
	})
	flood(600)
	wait(t, fmt.Sprintf("as many goroutines as before, %d", before), func() bool { return runtime.NumGoroutine() <= before+2 })
	if p.hold(t.Context()) == 0 {
		t.Error("the node does not answer any more")
	}
}
