package order_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/chart"
	"ticketrush/stockd/node"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
	"ticketrush/stockd/stripe"
	"ticketrush/stockd/stripe/fake"
)

// The hall of the tests, one segment, and the price of each seat.
const (
	testSeats = 400
	testRows  = 40

	testFace  = 5000
	testFee   = 300
	testTax   = 20
	testPrice = testFace + testFee + testTax
)

const sandboxSecret = "a secret of the sandbox"

// world is a node, an event on sale, an order service and the sandbox bank: all real, on a Postgres of its own.
type world struct {
	t       testing.TB
	dsn     string
	node    *node.Node
	event   *node.Event
	ledger  *ledger.DB
	service *order.Service
	bank    *sandbox.Provider
	card    *card
	stripe  *stripe.Provider
	bankS   *fake.Stripe     // where stripe asks
	shop    *httptest.Server // where the bank's webhooks go
	key     ed25519.PrivateKey

	mu    sync.Mutex
	clock time.Duration // how far the service's clock is ahead
	limp  time.Duration // how much further it is each time that it is read
	drop  bool          // webhooks get lost
	log   []string      // what the shop answered to webhooks

	onIssued func(uuid.UUID) // set before the first order is paid
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, 1)
}

// newWorldOf is a world with an event of some segments.
func newWorldOf(t testing.TB, segments int) *world {
	t.Helper()
	return newWorldAt(t, segments, pgdev.Test(t, "order", func(ctx context.Context, dsn string) error {
		_, err := ledger.Migrate(ctx, dsn)
		return err
	}).DSN)
}

// newWorldAt is a world on a ledger that is there.
func newWorldAt(t testing.TB, segments int, dsn string) *world {
	t.Helper()
	w := &world{t: t, dsn: dsn, card: newCard(), key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	w.startNode(dsn, segments)
	w.startStripe()
	w.shop = httptest.NewServer(http.HandlerFunc(w.webhook))
	t.Cleanup(w.shop.Close)
	var err error
	if w.ledger, err = ledger.Open(t.Context(), dsn, ledger.Options{AllowNoFsync: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.ledger.Close() })
	if w.bank, err = sandbox.New(w.ledger, []byte(sandboxSecret), w.shop.URL); err != nil {
		t.Fatal(err)
	}
	w.service = w.newService()
	w.service.Start()
	t.Cleanup(func() { w.service.Stop() })
	return w
}

// newService is a service as it is after a start, without its workers.
func (w *world) newService() *order.Service { return w.newServiceWith(func(*order.Config) {}) }

// newServiceWith is one with something else in its configuration.
func (w *world) newServiceWith(change func(*order.Config)) *order.Service {
	w.t.Helper()
	config := order.Config{TicketKey: w.key, TicketKeyID: 1, PayFor: time.Minute, Now: w.now, Every: time.Hour, Issued: w.isIssued}
	change(&config)
	s, err := order.New(config, w.ledger, patient{w.node},
		map[string]order.Provider{sandbox.Name: w.bank, cardName: w.card, stripe.Name: w.stripe}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) isIssued(id uuid.UUID) {
	if w.onIssued != nil {
		w.onIssued(id)
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock += w.limp
	return time.Now().Add(w.clock)
}

func (w *world) set(clock time.Duration, drop bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock, w.drop = clock, drop
}

func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startNode starts a node and puts an event on sale, unless the ledger has one: it was restored, or another node served it.
func (w *world) startNode(dsn string, segments int) {
	w.t.Helper()
	w.runNode(dsn)
	for _, e := range w.node.Catalog().Events() {
		w.event = e
	}
	if w.event == nil {
		w.onSale(segments)
	}
	w.until("the node serves", func() bool { return len(w.node.Ready()) == 0 })
}

// runNode starts a node. A port that was free may be taken by another test before the node listens on it: then it tries others.
func (w *world) runNode(dsn string) {
	w.t.Helper()
	for {
		err := w.tryNode(dsn)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			w.t.Fatal(err)
		}
	}
}

func (w *world) tryNode(dsn string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	n, err := node.New(node.Config{NodeID: "n1", APIAddr: free(w.t), InternalAddr: listener.Addr().String(), GossipAddr: free(w.t), Postgres: dsn, AllowNoFsync: true},
		slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: n.InternalHandler(), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	if err := n.Start(w.t.Context()); err != nil {
		return errors.Join(err, server.Close())
	}
	w.t.Cleanup(func() {
		_ = n.Stop(context.Background())
		_ = server.Close()
	})
	w.node = n
	return nil
}

// onSale puts an event of some segments on sale.
func (w *world) onSale(segments int) {
	w.t.Helper()
	w.event = w.sells("concert", w.house(segments, testRows, testSeats/testRows))
	w.until("the node serves", func() bool { return len(w.node.Ready()) == 0 })
}

// house stores the chart of a hall of some sections, each a segment.
func (w *world) house(segments, rows, rowSeats int) uuid.UUID {
	w.t.Helper()
	var sections []chart.Section
	for i := range segments {
		section := chart.Section{ID: fmt.Sprintf("S%d", i+1), Name: fmt.Sprintf("Stalls %d", i+1), Category: "A"}
		for r := range rows {
			row := chart.Row{Name: fmt.Sprint(r + 1)}
			for s := range rowSeats {
				row.Seats = append(row.Seats, chart.Seat{Name: fmt.Sprint(s + 1), X: float64(s + 20*i), Y: float64(100 + r)})
			}
			section.Rows = append(section.Rows, row)
		}
		sections = append(sections, section)
	}
	text, err := (&chart.Chart{Format: chart.Format, Name: "hall", Width: 1000, Height: 1000, Categories: []chart.Category{{Name: "A", Color: "#aa0000"}}, Sections: sections}).Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	info, _, err := w.node.CreateChart(w.t.Context(), "", "", text)
	if err != nil {
		w.t.Fatal(err)
	}
	return info.ID
}

// sells puts an event on sale.
func (w *world) sells(slug string, house uuid.UUID) *node.Event {
	w.t.Helper()
	event, err := w.node.CreateEvent(w.t.Context(), node.NewEvent{
		ChartID: house, Slug: slug, Name: "Concert", StartsAt: time.Now().Add(24 * time.Hour), Currency: "EUR", OnSale: true, Types: []string{"adult"},
		Tiers: []node.Tier{{Face: testFace, Fee: testFee, Tax: testTax}}, LimitTid: 40,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return event
}

// patience is how long a test waits for something that takes a moment on a machine that is not busy.
const patience = 20 * time.Second

// until waits for something that other goroutines bring about.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited in vain until %s", what)
		}
	}
}

func (w *world) webhook(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	drop := w.drop
	w.mu.Unlock()
	if drop {
		http.Error(rw, "lost", http.StatusBadGateway)
		return
	}
	err := w.service.Webhook(r.Context(), sandbox.Name, body, r.Header)
	w.mu.Lock()
	w.log = append(w.log, fmt.Sprint(err))
	w.mu.Unlock()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
	}
}

func request() stock.Request {
	return stock.Request{Scope: uuid.New(), Key: uuid.New(), Fingerprint: uuid.New()}
}

// patient asks a node as all clients do: what is to be asked again is asked again, with the same key. A node refuses what waits for two seconds, and on a
// busy machine something may.
type patient struct{ *node.Node }

// Do implements order.Stock.
func (p patient) Do(ctx context.Context, cmd stock.Command) (stock.Answer, error) {
	for deadline := time.Now().Add(patience); ; {
		a, err := p.Node.Do(ctx, cmd)
		var moving *node.ErrMoving
		if !errors.Is(err, node.ErrLedgerAway) && !errors.Is(err, node.ErrOverloaded) && !errors.As(err, &moving) || time.Now().After(deadline) {
			return a, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return a, err
		}
	}
}

// do runs a command that has to succeed, or that an earlier try has carried out.
func (w *world) do(cmd stock.Command) stock.Answer {
	w.t.Helper()
	a, err := patient{w.node}.Do(w.t.Context(), cmd)
	if err != nil || a.Code != stock.CodeOK && a.Code != stock.CodeReplay {
		w.t.Fatalf("command %d: %+v %v", cmd.Kind, a, err)
	}
	return a
}

// held is a hold of some seats.
func (w *world) held(segment stock.SegmentNo, quantity int32, ttl time.Duration) stock.HoldView {
	w.t.Helper()
	part := stock.PartitionOf(w.event.Number, segment)
	req := request()
	return *w.do(stock.Command{
		Kind: stock.KindHold, Event: w.event.Number, Segment: segment, Hold: stock.NewCoordinatedID(part, req.Scope, req.Key, "hold"), Request: req,
		Ask: stock.Ask{Quantity: quantity}, TTL: ttl.Milliseconds(), MaxTTL: 2 * ttl.Milliseconds(), Quotas: []stock.Quota{{Dimension: stock.DimensionTid, Key: uuid.New(), Limit: 10}},
	}).Hold
}

// opened is an order on a new hold.
func (w *world) opened(quantity int32, ttl time.Duration) ledger.Order {
	w.t.Helper()
	return w.openedIn(1, quantity, ttl)
}

func (w *world) openedIn(segment stock.SegmentNo, quantity int32, ttl time.Duration) ledger.Order {
	w.t.Helper()
	return w.orderOf(w.held(segment, quantity, ttl))
}

// orderOf is an order on a hold.
func (w *world) orderOf(hold stock.HoldView) ledger.Order {
	w.t.Helper()
	req := request()
	var lines []stock.OrderLine
	for _, s := range hold.Seats {
		lines = append(lines, stock.OrderLine{Seat: s.Seat, Face: testFace, Fee: testFee, Tax: testTax})
	}
	o, a, err := w.service.Open(w.t.Context(), order.OpenRequest{
		ID: stock.NewCoordinatedID(stock.CoordinatorOf(hold.ID), req.Scope, req.Key, "order"), Request: req, Hold: hold, Lines: lines, Currency: "EUR", Buyer: "b_of_ada", ClientIP: "192.0.2.1",
	})
	if err != nil || a.Code != stock.CodeOK && a.Code != stock.CodeReplay {
		w.t.Fatalf("open: %+v %v", a, err)
	}
	return o
}

// begun is an order whose payment was begun.
func (w *world) begun(quantity int32, ttl time.Duration) (ledger.Order, ledger.Payment) {
	w.t.Helper()
	o := w.opened(quantity, ttl)
	p, again, err := w.service.StartPayment(w.t.Context(), o.ID, uuid.New(), sandbox.Name, "/tickets")
	if err != nil || again {
		w.t.Fatalf("start the payment: again %v, %v", again, err)
	}
	return o, p
}

// buyer says on the pay page what happens.
func (w *world) buyer(p ledger.Payment, action string) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, p.PayUrl, strings.NewReader(`{"action":"`+action+`"}`))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.bank.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		w.t.Fatalf("the pay page answered %d: %s", rec.Code, rec.Body)
	}
}

func (w *world) state(id uuid.UUID) order.State {
	w.t.Helper()
	o, err := w.service.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return order.State(o.State)
}

// becomes waits until an order has a state.
func (w *world) becomes(id uuid.UUID, want order.State) {
	w.t.Helper()
	w.until("the order is "+want.String(), func() bool { return w.state(id) == want })
}

func (w *world) bankState(p ledger.Payment) string {
	w.t.Helper()
	s, err := w.bank.Status(w.t.Context(), p.ProviderRef)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.State
}

// bankBecomes waits until a payment has a state at the bank: calls are made by workers.
func (w *world) bankBecomes(p ledger.Payment, want string) {
	w.t.Helper()
	w.until("the payment is "+want+" at the bank", func() bool { return w.bankState(p) == want })
}

// fact is what the bank would tell of a payment.
func fact(id, kind string, p ledger.Payment) ledger.PaymentFact {
	return ledger.PaymentFact{Provider: p.Provider, ID: id, Ref: p.ProviderRef, Kind: kind, Amount: p.Amount, Currency: p.Currency}
}

// told is what the ledger makes of a fact, with no service in between.
func (w *world) told(f ledger.PaymentFact) ledger.FactVerdict {
	w.t.Helper()
	v, err := w.ledger.PaymentTake(w.t.Context(), []ledger.PaymentFact{f}, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	return v[0]
}

func (w *world) tidy(s *order.Service) {
	w.t.Helper()
	if err := s.Tidy(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// reconciles checks the whole ledger.
func (w *world) reconciles() {
	w.t.Helper()
	r, err := reconcile.Run(w.t.Context(), w.ledger, reconcile.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	if !r.OK {
		text, _ := json.MarshalIndent(r.Checks, "", " ")
		w.t.Errorf("the ledger does not reconcile: %s", text)
	}
}
