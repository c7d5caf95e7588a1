//go:build load

package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// tally counts what became of requests.
type tally struct {
	mu    sync.Mutex
	took  []time.Duration // of those that got their seat
	told  []time.Duration // of those that were refused as overloaded
	lost  int             // without an answer within patience
	other map[string]int
}

// patience is how long a client of the flood waits for its seat.
const patience = 3 * time.Second

func (t *tally) add(status int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case status == http.StatusCreated && took <= patience:
		t.took = append(t.took, took)
	case status == http.StatusServiceUnavailable:
		t.told = append(t.told, took)
	case status == 0, status == http.StatusCreated:
		t.lost++
	default:
		if t.other == nil {
			t.other = map[string]int{}
		}
		t.other[fmt.Sprint(status)]++
	}
}

func at(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[int(q*float64(len(list)-1))].Round(time.Millisecond)
}

func (t *tally) line(what string, over time.Duration) string {
	return fmt.Sprintf("%-34s %6.0f seats/s in time, p50 %6v p99 %6v; %6.0f/s told to come again, p99 %6v; %6.0f/s left without an answer; other %v",
		what, float64(len(t.took))/over.Seconds(), at(t.took, .5), at(t.took, .99), float64(len(t.told))/over.Seconds(), at(t.told, .99), float64(t.lost)/over.Seconds(), t.other)
}

// crowd asks one node for seats, each client on a connection of its own, one seat after the other. Who is told to come again does so when told; who has waited for
// longer than patience hangs up and asks anew.
func (c *cluster) crowd(clients int, over time.Duration, passes []string) *tally {
	into, end := &tally{}, time.Now().Add(over)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			f := &fan{addr: c.nodes[0].Host}
			defer f.hangUp()
			for turn := 0; time.Now().Before(end); turn++ {
				begin := time.Now()
				status, again := f.ask(passes[(i+turn*clients)%len(passes)])
				if now := time.Now(); now.Before(end) {
					into.add(status, now.Sub(begin))
				}
				if again > 0 {
					<-time.After(min(again, time.Until(end)))
				}
			}
		})
	}
	all.Wait()
	return into
}

// fan is one client, as light as can be: it shares the machine with the node.
type fan struct {
	addr string
	conn net.Conn
	read *bufio.Reader
}

func (f *fan) hangUp() {
	if f.conn != nil {
		f.conn.Close()
		f.conn = nil
	}
}

// ask asks for one seat; 0 is no answer. again is when to come again, if at all.
func (f *fan) ask(pass string) (status int, again time.Duration) {
	if f.conn == nil {
		conn, err := net.DialTimeout("tcp", f.addr, patience)
		if err != nil {
			return 0, 100 * time.Millisecond
		}
		f.conn, f.read = conn, bufio.NewReader(conn)
	}
	const body = `{"best_available":{"quantity":1},"ttl_s":2}`
	f.conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(f.conn, "POST /v1/events/flood/holds HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: %s\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s", uuid.NewString(), pass, len(body), body)
	r, err := http.ReadResponse(f.read, nil)
	if err != nil {
		f.hangUp()
		return 0, time.Millisecond
	}
	_, err = io.Copy(io.Discard, r.Body)
	r.Body.Close()
	if err != nil || r.Close {
		f.hangUp()
	}
	ms, _ := strconv.Atoi(r.Header.Get("X-Stockd-Retry-After-Ms"))
	return r.StatusCode, time.Duration(ms) * time.Millisecond
}

// TestLoadFlood: one node and more clients than it can serve while they wait, with the gate as it is set by default, and with one that lets everybody in. The
// first must go on selling; all figures are of the same run.
func TestLoadFlood(t *testing.T) {
	const over, clients = 10 * time.Second, 8000
	var served [2]float64
	capacity := 0.0
	for i, open := range []bool{false, true} {
		environ := []string{"STOCKD_DRAIN_TIMEOUT=1m"}
		name := "the gate as it is by default"
		if open {
			environ, name = []string{"STOCKD_DRAIN_TIMEOUT=1m", "STOCKD_WORK_MAX=100000", "STOCKD_SHED_TARGET=1s", "STOCKD_QUEUE_MAX=100000"}, "everybody is let in"
		}
		c := newCluster(t, 1, environ...)
		var csv strings.Builder
		csv.WriteString("section,row,seat,category,x,y,flags\n")
		for s := range 40 {
			for n := range 500 {
				fmt.Fprintf(&csv, "S%d,%d,%d,A,%d,%d,\n", s, n/25+1, n%25+1, 10*(n%25)+400*(s%8), 10*(n/25)+400*(s/8))
			}
		}
		c.event("flood", csv.String(), "text/csv", `"adult"`, `{"category":"A","type":"adult","face":1000}`)
		var passes []string
		for i := range 60_000 {
			r, _ := http.NewRequest("GET", "/", nil)
			c.visitor(i)(r)
			passes = append(passes, r.Header.Get("Authorization"))
		}
		c.crowd(64, 3*time.Second, passes) // warm
		if capacity == 0 {
			calm := c.crowd(64, 5*time.Second, passes)
			capacity = float64(len(calm.took)) / 5
			t.Log(calm.line("64 clients", 5*time.Second))
		}
		c.crowd(clients, 3*time.Second, passes) // the rush begins
		rush := c.crowd(clients, over, passes)
		served[i] = float64(len(rush.took)) / over.Seconds()
		t.Log(rush.line(fmt.Sprintf("%d clients, %s", clients, name), over))
		c.until("the node has worked off what it was asked", func() bool { return c.raw(0, "/readyz") == http.StatusOK })
		c.reconcile()
	}
	t.Logf("of what it does for 64 clients (%.0f/s, all of it on the same machine) the node does %.2f for %d with the gate, and %.2f without: %.1f times as much",
		capacity, served[0]/capacity, clients, served[1]/capacity, served[0]/max(served[1], 1))
}
