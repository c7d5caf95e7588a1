package caddymodule

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// rival is one thing that the edge answers, beside bare Caddy that answers the same request with a `respond` of the same size.
type rival struct {
	name   string
	head   string // of the request, without Host
	body   string
	status int
	bound  float64 // the least share of bare Caddy's throughput
	edge   string  // URL of the server that has the room
	bare   string  // URL of the server that has nothing but respond
}

const browserHead = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: %s\r\nAccept-Language: en-GB,en;q=0.7\r\nSec-Fetch-Dest: %s\r\nSec-Fetch-Site: same-origin\r\n"

// rivals starts a Caddy with a room, somebody inside it, and for each kind of request a server beside it that only responds.
func rivals(b *testing.B) []rival {
	b.Helper()
	e := newEdge(b)
	shop := strings.Repeat("the shop has what you want. ", 36)
	site := "waiting_room demo {\nprotect /buy/*\nrate 1000\nmax_active 1000\n}\nrespond \"" + shop + "\""
	e.mustLoad("", site)
	inside, waits := e.fan(), e.fan()
	inside.enter()
	waits.join()
	document, fetch := fmt.Sprintf(browserHead, "text/html,application/xhtml+xml,*/*;q=0.8", "document"), fmt.Sprintf(browserHead, "application/json", "empty")
	cookies := func(f *fan, names ...string) string {
		var all []string
		for _, name := range names {
			all = append(all, name+"="+f.cookie(name))
		}
		return "Cookie: theme=dark; " + strings.Join(all, "; ") + "\r\n"
	}
	list := []rival{
		{name: "pass", head: "GET /buy/seats?event=7 HTTP/1.1\r\n" + document + cookies(inside, "wr_demo_place", "wr_demo_pub", "wr_demo_pass"), status: 200, bound: 0.95},
		{name: "frontier", head: "GET /.wr/v1/demo/frontier HTTP/1.1\r\n" + fetch, status: 200, bound: 0.9},
		{name: "page", head: "GET /.wr/v1/demo/page HTTP/1.1\r\n" + document + cookies(waits, "wr_demo_place", "wr_demo_pub"), status: 202, bound: 0.9},
		{name: "join", head: "POST /.wr/v1/demo/join HTTP/1.1\r\n" + fetch + "Content-Type: application/json\r\nContent-Length: 2\r\n", body: "{}", status: 200, bound: 0.7},
	}
	for i := range list {
		r := &list[i]
		r.edge = e.http
		r.bare = fmt.Sprintf("http://127.0.0.1:%d", freePort(b))
		status, size := dial(b, r.edge, r).answer()
		if status != r.status {
			b.Fatalf("%s is answered with %d, want %d", r.name, status, r.status)
		}
		site += fmt.Sprintf("\n}\n%s {\nrespond %q %d", r.bare, strings.Repeat("x", size), r.status)
	}
	e.mustLoad("", site)
	return list
}

// BenchmarkEdge compares in one run: ours and bare Caddy take turns, a few milliseconds each, so that what else the machine does hits both. Each figure
// is the median of all turns. `of-bare` is the throughput over that of bare Caddy, by loopback HTTP on kept connections, and `of-bound` is that over the
// least that is asked for, so 1 and more holds. `ours-ns` and `bare-ns` are the CPU time of one request in Caddy's handlers, without any network, and
// `extra-ns` is what lies between them.
func BenchmarkEdge(b *testing.B) {
	for _, r := range rivals(b) {
		b.Run(r.name, func(b *testing.B) {
			ours, bare := newChain(b, r.edge, &r), newChain(b, r.bare, &r)
			load := newLoads(b, &r)
			var oursNs, bareNs, extraNs, ratios []float64
			for turn := 0; b.Loop(); turn++ {
				o, p := inTurn(turn, ours.run, bare.run)
				oursNs, bareNs, extraNs = append(oursNs, o), append(bareNs, p), append(extraNs, o-p)
				o, p = inTurn(turn, load[0].run, load[1].run)
				ratios = append(ratios, o/p)
			}
			b.ReportMetric(0, "ns/op") // an iteration is a turn of both
			b.ReportMetric(median(ratios), "of-bare")
			b.ReportMetric(median(ratios)/r.bound, "of-bound")
			b.ReportMetric(median(oursNs), "ours-ns")
			b.ReportMetric(median(bareNs), "bare-ns")
			b.ReportMetric(median(extraNs), "extra-ns")
		})
	}
}

// inTurn runs both, the one that is first changing from turn to turn.
func inTurn(turn int, ours, bare func() float64) (o, p float64) {
	if turn%2 == 0 {
		o = ours()
		return o, bare()
	}
	p = bare()
	return ours(), p
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// chainTurn is how many requests a chain is given at a time.
const chainTurn = 300

// chain is Caddy's server without its network: the whole of its handlers, from the request on.
type chain struct {
	tb      testing.TB
	server  *caddyhttp.Server
	request *http.Request
	want    rival
}

func newChain(tb testing.TB, url string, r *rival) *chain {
	tb.Helper()
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		tb.Fatal(err)
	}
	host := strings.TrimPrefix(url, "http://")
	for _, s := range app.(*caddyhttp.App).Servers {
		if strings.HasSuffix(s.Listen[0], host[strings.LastIndex(host, ":"):]) {
			return &chain{tb, s, readRequest(tb, r.text(host)), *r}
		}
	}
	tb.Fatalf("no server listens at %s", url)
	return nil
}

// run answers requests, and gives the CPU time that this process took for one, in nanoseconds.
func (c *chain) run() float64 {
	w := &sink{header: http.Header{}}
	began := cpuTime(c.tb)
	for range chainTurn {
		r := *c.request // the server changes it
		r.Header = c.request.Header.Clone()
		u := *c.request.URL
		r.URL = &u
		r.Body = readCloser{strings.NewReader(c.want.body)}
		clear(w.header)
		w.status = 0
		c.server.ServeHTTP(w, &r)
		if w.status != c.want.status {
			c.tb.Fatalf("%s is answered with %d", c.want.name, w.status)
		}
	}
	return float64(cpuTime(c.tb)-began) / chainTurn
}

// cpuTime is what this process has used, of all its threads.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sink takes an answer and forgets it: a recorder would cost more than what it is to measure.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// loads send the same request over a few connections at a time.
type loads struct{ wires []*wire }

func newLoads(tb testing.TB, r *rival) (both [2]loads) {
	for i, url := range []string{r.edge, r.bare} {
		for range 2 * runtime.GOMAXPROCS(0) {
			both[i].wires = append(both[i].wires, dial(tb, url, r))
		}
	}
	return both
}

// loadTurn is how many requests each connection is given at a time.
const loadTurn = 150

// run gives the requests per second.
func (l loads) run() float64 {
	began := time.Now()
	done := make(chan struct{})
	for _, c := range l.wires {
		go func() {
			for range loadTurn {
				c.answer()
			}
			done <- struct{}{}
		}()
	}
	for range l.wires {
		<-done
	}
	return float64(loadTurn*len(l.wires)) / time.Since(began).Seconds()
}
