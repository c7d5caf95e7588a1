package order_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
)

// What the paid path has to reach on two cores with Postgres on the same machine.
const (
	boundPerSecond = 800.0
	boundP99       = 200 * time.Millisecond
)

// BenchmarkPaid takes orders of two seats from the bank's signed message over HTTP to their tickets: verify, decide, sell, capture, issue. The node with
// its flush lanes, the ledger on a durable Postgres and the sandbox's books are real and share the machine with the clients. Holding, pinning and what the
// bank does before it tells are not in the time. An order's time runs from when its message was to be sent until its tickets are committed.
//
//   - closed: as fast as 64 messages at once are answered.
//   - open: at random moments, in the mean as often as the bound asks for, however long the answers take.
//
// go test ./stockd/order -run '^$' -bench Paid -benchtime 2000x
func BenchmarkPaid(b *testing.B) {
	for _, seats := range []int32{2, 4} {
		b.Run(fmt.Sprintf("closed/seats=%d", seats), func(b *testing.B) { newTill(b, seats).closed(b, 64) })
	}
	b.Run("open/seats=2/rate=800", func(b *testing.B) { newTill(b, 2).open(b, boundPerSecond) })
}

// till is a world with orders that wait for the bank's word.
type till struct {
	*world
	orders []ledger.Order
	bodies [][]byte
	began  []time.Time
	client *http.Client

	mu     sync.Mutex
	index  map[uuid.UUID]int
	took   []time.Duration
	issued chan struct{} // closed when all are

	server string        // the process of Postgres
	spent  time.Duration // processor time, until the messages begin
}

func newTill(b *testing.B, seats int32) *till {
	b.Helper()
	server, err := pgdev.Start(b.Context(), pgdev.Options{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	if _, err := ledger.Migrate(b.Context(), server.DSN("postgres")); err != nil {
		b.Fatal(err)
	}
	segments := (b.N*int(seats)+int(seats)*64)/testSeats + 4
	t := &till{
		world: newWorldAt(b, segments, server.DSN("postgres")), orders: make([]ledger.Order, b.N), bodies: make([][]byte, b.N), began: make([]time.Time, b.N),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}, index: map[uuid.UUID]int{}, issued: make(chan struct{}),
	}
	payments := make([]ledger.Payment, b.N)
	parallel(32, b.N, func(i int) {
		t.orders[i] = t.openedIn(stock.SegmentNo(i%segments+1), seats, time.Hour)
		if payments[i], _, err = t.service.StartPayment(b.Context(), t.orders[i].ID, uuid.New(), sandbox.Name, "/"); err != nil {
			b.Error(err)
		}
	})
	for i, p := range payments {
		t.index[t.orders[i].ID] = i
		t.bodies[i], _ = json.Marshal(map[string]any{
			"id": p.ProviderRef + ":authorized", "payment": p.ProviderRef, "type": order.PaymentAuthorized, "amount": p.Amount, "currency": p.Currency, "at": time.Now().Unix(),
		})
	}
	if _, err := t.ledger.SQL().ExecContext(b.Context(), `UPDATE ledger.sandbox_payments SET state = 'authorized'`); err != nil {
		b.Fatal(err)
	}
	t.onIssued = t.done
	if pid, err := os.ReadFile(filepath.Join(server.Dir(), "data", "postmaster.pid")); err == nil {
		t.server, _, _ = strings.Cut(string(pid), "\n")
	}
	if pid, err := os.ReadFile(filepath.Join(server.Dir(), "data", "postmaster.pid")); err == nil {
		t.server, _, _ = strings.Cut(string(pid), "\n")
	}
	t.ledger.SQL().Exec(`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`)
	t.ledger.SQL().Exec(`SELECT pg_stat_statements_reset()`)
	return t
}

func (t *till) done(id uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took = append(t.took, time.Since(t.began[t.index[id]]))
	if len(t.took) == len(t.orders) {
		close(t.issued)
	}
}

// tell sends the bank's message about an order.
func (t *till) tell(i int, at time.Time) {
	t.mu.Lock()
	t.began[i] = at
	t.mu.Unlock()
	req, _ := http.NewRequest(http.MethodPost, t.shop.URL, bytes.NewReader(t.bodies[i]))
	req.Header.Set("Sandbox-Signature", sandbox.Signature([]byte(sandboxSecret), t.bodies[i], time.Now()))
	resp, err := t.client.Do(req)
	if err != nil {
		t.t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.t.Errorf("a webhook was answered with %s", resp.Status)
	}
}

func (t *till) closed(b *testing.B, atOnce int) {
	t.spent = spent(t.server) + spent(strconv.Itoa(os.Getpid()))
	b.ResetTimer()
	parallel(atOnce, b.N, func(i int) { t.tell(i, time.Now()) })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "paid/s")
	t.report(b)
}

func (t *till) open(b *testing.B, perSecond float64) {
	dice := rand.New(rand.NewPCG(1, 2))
	var all sync.WaitGroup
	t.spent = spent(t.server) + spent(strconv.Itoa(os.Getpid()))
	b.ResetTimer()
	at := time.Now()
	for i := range b.N {
		at = at.Add(time.Duration(dice.ExpFloat64() / perSecond * float64(time.Second)))
		<-time.After(time.Until(at))
		due := at
		all.Go(func() { t.tell(i, due) })
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "paid/s")
	t.report(b)
}

// report waits for the last ticket and prints what was reached.
func (t *till) report(b *testing.B) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for done, until := false, time.After(time.Minute); !done; {
		select {
		case <-t.issued:
			done = true
		case <-tick.C: // what a burst left to the worker that looks every second
			t.tidy(t.service)
		case <-until:
			b.Fatal("not all orders were issued")
		}
	}
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.StopTimer()
	if cpu := spent(t.server) + spent(strconv.Itoa(os.Getpid())) - t.spent; cpu > 0 {
		b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/order")
	}
	slices.Sort(t.took)
	p99 := t.took[len(t.took)*99/100]
	b.ReportMetric(rate, "issued/s")
	b.ReportMetric(rate/boundPerSecond, "of-bound")
	b.ReportMetric(float64(t.took[len(t.took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(p99)/float64(boundP99), "p99-of-bound")
	t.reconciles()
}

// parallel does n things, some at once.
func parallel(workers, n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// spent is the processor time of a process and its children, as Linux counts it; 0 elsewhere.
func spent(pid string) (sum time.Duration) {
	processes, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range processes {
		text, _ := os.ReadFile(path)
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 13 || fields[1] != pid && filepath.Base(filepath.Dir(path)) != pid {
			continue
		}
		for _, field := range fields[11:13] {
			ticks, _ := strconv.Atoi(field)
			sum += time.Duration(ticks) * time.Second / 100 // USER_HZ
		}
	}
	return sum
}
