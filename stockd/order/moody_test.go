package order_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// How the run against a bank that misbehaves is sized. A round is roundTime of the shop's clock.
const (
	moodyOrders  = 60
	moodyRounds  = 24
	roundTime    = 20 * time.Second
	moodyPayFor  = time.Minute
	moodyStuck   = 2 * time.Minute
	calmTime     = 2 * time.Minute
	moodyTrouble = 0.5
)

// A run against a bank that is slow, silent, double, lost and late: no seat is kept for longer than an attempt and stuck_max, and in the end each order that has
// its seats has its money at the bank, once; where there is money, there are seats; everything else went back; the ledger reconciles.
func TestABankThatMisbehaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bank := newMoody(7)
	var err error
	w.service.Stop()
	w.service, err = order.New(order.Config{TicketKey: w.key, TicketKeyID: 1, PayFor: moodyPayFor, StuckFor: moodyStuck, Now: w.now, Every: time.Hour}, w.ledger, w.node,
		map[string]order.Provider{moodyName: bank}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.service.Start()
	var orders []ledger.Order
	for range moodyOrders {
		orders = append(orders, w.opened(1, 10*time.Minute))
	}
	bank.mood(moodyTrouble, false)
	var mail []post
	for round := range moodyRounds {
		bank.mood(moodyTrouble, round%8 >= 6) // silent for two rounds of eight
		for _, o := range orders {
			w.tries(bank, o.ID, round)
		}
		mail = append(mail, bank.buyers(round)...)
		mail = w.delivers(mail, round)
		w.rounds(roundTime)
	}
	bank.mood(0, false)
	mail = w.delivers(mail, moodyRounds+100)
	w.until("everything has come to its end", func() bool {
		w.rounds(calmTime)
		mail = w.delivers(mail, moodyRounds+100)
		return len(mail) == 0 && w.quiet(bank, orders)
	})
	w.judge(bank, orders)
	w.reconciles()
}

// tries lets a fan pay whose order waits for it; every third waits for some rounds first. What the bank refuses is tried again in the next round.
func (w *world) tries(bank *moody, id uuid.UUID, round int) {
	if s := w.state(id); (s == order.PendingPayment || s == order.Paying) && (id[15]%3 != 0 || round > 4) {
		if p, _, err := w.service.StartPayment(w.t.Context(), id, uuid.New(), moodyName, "/"); err == nil {
			bank.send(p.ProviderRef)
		}
	}
}

// delivers brings the messages that are due; one that was not taken comes again.
func (w *world) delivers(mail []post, round int) (left []post) {
	for _, p := range mail {
		var later []int
		for _, r := range p.rounds {
			if r > round || w.service.Webhook(w.t.Context(), moodyName, p.body, nil) != nil {
				later = append(later, r)
			}
		}
		if p.rounds = later; len(later) > 0 {
			left = append(left, p)
		}
	}
	return left
}

// rounds lets the shop's clock go on, its workers work, and looks that no seat is kept for too long.
func (w *world) rounds(d time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	w.clock += d
	w.mu.Unlock()
	_ = w.service.Tidy(w.t.Context()) // what failed is tried again
	_ = w.service.Tidy(w.t.Context())
	var kept int
	if err := w.ledger.SQL().QueryRowContext(w.t.Context(), `SELECT count(*) FROM ledger.orders o JOIN ledger.seats s ON s.event = o.event AND s.order_id = o.id
		 WHERE s.state = 2 AND o.state IN (2, 10) AND o.updated_at < $1`, w.now().Add(-moodyPayFor-moodyStuck-2*d)).Scan(&kept); err != nil {
		w.t.Fatal(err)
	}
	if kept > 0 {
		w.t.Errorf("%d seats are kept by payments for longer than an attempt and stuck_max", kept)
	}
}

// quiet says that nothing is under way any more.
func (w *world) quiet(bank *moody, orders []ledger.Order) bool {
	for _, o := range orders {
		captured, loose := bank.held(o.ID)
		if s := w.state(o.ID); loose > 0 || (captured > 0) != (s == order.Issued) || s == order.Paying || s == order.Paid || s == order.Stuck || s == order.Refunding {
			return false
		}
	}
	return w.seats(stock.Paying) == 0
}

// judge wants money where the seats are, seats where the money is, and prints what happened.
func (w *world) judge(bank *moody, orders []ledger.Order) {
	w.t.Helper()
	ends := map[string]int{}
	for _, o := range orders {
		s := w.state(o.ID)
		ends["orders that ended "+s.String()]++
		captured, loose := bank.held(o.ID)
		want := 0
		if s == order.Issued {
			want = 1
		}
		if captured != want || loose > 0 {
			w.t.Errorf("order %s is %s: the bank has %d captured and %d authorised payments of it", o.ID, s, captured, loose)
		}
	}
	if sold, issued := w.seats(stock.Sold), ends["orders that ended issued"]; sold != issued || issued == 0 {
		w.t.Errorf("%d seats are sold and %d orders issued", sold, issued)
	}
	if n := w.seats(stock.Paying); n != 0 {
		w.t.Errorf("%d seats are still pinned", n)
	}
	var lines []string
	for _, counts := range []map[string]int{ends, bank.count} {
		for what, n := range counts {
			lines = append(lines, fmt.Sprintf("%4d %s", n, what))
		}
	}
	states := map[string]int{}
	for _, p := range bank.book {
		states[p.State]++
	}
	for state, n := range states {
		lines = append(lines, fmt.Sprintf("%4d payments that are %s at the bank", n, state))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[5:], b[5:]) })
	w.t.Logf("%d orders at a bank that misbehaves:\n%s", len(orders), strings.Join(lines, "\n"))
}
