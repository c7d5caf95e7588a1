package order_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// wish is a refund of some seats of an order, or of all that it has.
func wish(o ledger.Order, seats ...int64) *ledger.RefundWish {
	return &ledger.RefundWish{ID: uuid.New(), Order: o.ID, Seats: seats, Reason: "rain", Void: order.VoidRefunded, Actor: "ops"}
}

// refund decides a refund that has to be possible.
func (w *world) refund(r *ledger.RefundWish) {
	w.t.Helper()
	if again, err := w.service.Refund(w.t.Context(), r); err != nil || again {
		w.t.Fatalf("refund: again %v, %v", again, err)
	}
}

// sold is an order that is paid at the card provider and has its tickets.
func (w *world) sold(quantity int32) (ledger.Order, ledger.Payment) {
	w.t.Helper()
	o, p := w.byCard(quantity)
	w.pay(p)
	w.follow(o)
	return o, p
}

// pay is what the card provider does and tells when the buyer has paid.
func (w *world) pay(p ledger.Payment) {
	w.t.Helper()
	w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	if v := w.told(fact("ok "+p.ProviderRef, order.PaymentAuthorized, p)); v.Code != ledger.FactPaid {
		w.t.Fatalf("the payment gives %+v", v)
	}
}

func (w *world) follow(o ledger.Order) {
	w.t.Helper()
	if err := w.service.Follow(w.t.Context(), o.ID); err != nil || w.state(o.ID) != order.Issued {
		w.t.Fatalf("the order is %s, %v", w.state(o.ID), err)
	}
}

// balances are the accounts that are not even, as "account currency balance", debits positive.
func (w *world) balances() string {
	w.t.Helper()
	rows, err := w.ledger.SQL().QueryContext(w.t.Context(), `SELECT a, c, sum(n) FROM (SELECT debit a, currency c, amount n FROM ledger.transfers UNION ALL SELECT credit, currency, -amount FROM ledger.transfers) x
		GROUP BY 1, 2 HAVING sum(n) <> 0 ORDER BY 1, 2`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var account, currency string
		var n int64
		if err := rows.Scan(&account, &currency, &n); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %d", account, currency, n))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(all, ", ")
}

// valid counts the tickets of an order that let somebody in.
func (w *world) valid(o ledger.Order) (n int) {
	w.t.Helper()
	tickets, err := w.service.Tickets(w.t.Context(), o.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, x := range tickets {
		if x.VoidedAt.IsZero() {
			n++
		}
	}
	return n
}

// settled lets the workers finish, and time pass for calls that have to wait.
func (w *world) settled(o ledger.Order, want order.State) {
	w.t.Helper()
	w.until("the order is "+want.String(), func() bool {
		_ = w.service.Tidy(w.t.Context())
		return w.state(o.ID) == want
	})
}

func TestRefundOfAnOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(3)
	w.refund(wish(o))
	if s := w.state(o.ID); s != order.Refunding || w.valid(o) != 0 {
		t.Errorf("the order is %s with %d valid tickets", s, w.valid(o))
	}
	w.reconciles() // money and seats are on their way: no break
	w.settled(o, order.Refunded)
	w.until("the seats are free", func() bool { return w.seats(stock.Sold) == 0 })
	if w.card.sentBack() != p.Amount {
		t.Errorf("%d of %d was sent back", w.card.sentBack(), p.Amount)
	}
	if got := w.balances(); got != "" {
		t.Errorf("what is left is %s", got)
	}
	w.tidy(w.service)
	w.reconciles()
	w.opened(10, time.Minute) // the limit of the buyer and the seats are free again
	var illegal *order.IllegalTransition
	if _, err := w.service.Refund(t.Context(), wish(o)); !errors.As(err, &illegal) || illegal.From != order.Refunded {
		t.Errorf("another refund gives %v", err)
	}
}

func TestRefundOfAPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(3)
	first := wish(o, o.Lines[1].Seat)
	w.refund(first)
	if again, err := w.service.Refund(t.Context(), first); err != nil || !again {
		t.Errorf("the same wish gives again %v, %v", again, err)
	}
	other := *first
	other.Fingerprint = uuid.New()
	if _, err := w.service.Refund(t.Context(), &other); !errors.Is(err, order.ErrKeyReused) {
		t.Errorf("another wish under the same id gives %v", err)
	}
	for name, bad := range map[string]*ledger.RefundWish{"the same seat": wish(o, o.Lines[1].Seat), "a foreign seat": wish(o, o.Lines[0].Seat, 5)} {
		if _, err := w.service.Refund(t.Context(), bad); !errors.Is(err, order.ErrNoLine) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.reconciles()
	w.settled(o, order.Issued)
	w.until("one seat is free", func() bool { return w.seats(stock.Sold) == 2 })
	if w.valid(o) != 2 || w.card.sentBack() != p.Amount/3 {
		t.Errorf("%d valid tickets, %d sent back", w.valid(o), w.card.sentBack())
	}
	w.tidy(w.service)
	w.reconciles()
	w.refund(wish(o, o.Lines[0].Seat))
	w.refund(wish(o)) // the rest, while a part is on its way
	w.reconciles()
	w.settled(o, order.Refunded)
	w.until("all is free", func() bool { return w.seats(stock.Sold) == 0 })
	w.tidy(w.service)
	if w.card.sentBack() != p.Amount || w.balances() != "" {
		t.Errorf("%d was sent back; what is left is %s", w.card.sentBack(), w.balances())
	}
	w.reconciles()
}

// A refund of a part may come between the sale and the tickets: each part then knows its own.
func TestRefundBeforeTheTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(2)
	w.pay(p)
	w.refund(wish(o, o.Lines[0].Seat))
	w.settled(o, order.Issued)
	w.until("one seat is free", func() bool { return w.seats(stock.Sold) == 1 })
	if w.valid(o) != 1 {
		t.Errorf("%d valid tickets", w.valid(o))
	}
	w.tidy(w.service)
	w.reconciles()
}

// A whole order is refunded before anything was sold or captured: pins are freed, the authorisation is given back, nothing is left in the books.
func TestRefundBeforeTheSale(t *testing.T) {
	t.Parallel()
	for _, segments := range []int{1, 2} {
		w := newWorldOf(t, segments)
		o, p := w.paying(segments)
		w.pay(p)
		w.refund(wish(o))
		w.reconciles()
		w.settled(o, order.Refunded)
		w.until("all is free", func() bool { return w.seats(stock.Available) == testSeats*segments })
		if s := w.card.is(p.ProviderRef); s != order.PaymentVoided || w.balances() != "" {
			t.Errorf("the payment is %s; what is left is %s", s, w.balances())
		}
		w.tidy(w.service)
		w.reconciles()
	}
}

// The same when one of two segments had been sold by then: what each gives back to the limits is exactly what it took.
func TestRefundInTheMiddleOfTheSale(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, 2)
	o, p := w.paying(2)
	w.pay(p)
	w.do(stock.Command{Kind: stock.KindSell, Event: w.event.Number, Segment: 1, Hold: o.Hold, Order: o.ID, Attempt: o.Attempt})
	w.refund(wish(o))
	w.reconciles()
	w.settled(o, order.Refunded)
	w.until("all is free", func() bool {
		_ = w.service.Tidy(t.Context())
		return w.seats(stock.Available) == 2*testSeats
	})
	if n := w.count(`SELECT coalesce(sum(n), 0) FROM ledger.quota`); n != 0 {
		t.Errorf("the limits still count %d", n)
	}
	w.reconciles()
}

// The provider took the money although we only know of an authorisation: it is sent back, and the books say both.
func TestRefundOfACaptureThatWeMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(1)
	w.pay(p)
	w.card.pays(p.ProviderRef, order.PaymentCaptured, p.Amount)
	w.refund(wish(o))
	w.settled(o, order.Refunded)
	if w.card.sentBack() != p.Amount || w.balances() != "" {
		t.Errorf("%d was sent back; what is left is %s", w.card.sentBack(), w.balances())
	}
	w.until("all is free", func() bool { return w.seats(stock.Available) == testSeats })
	w.tidy(w.service)
	w.reconciles()
}

// 64 goroutines refund one order: one success, and the money goes back once.
func TestManyRefundsOfOneOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(2)
	var decided atomic.Int32
	parallel(64, 64, func(int) {
		var illegal *order.IllegalTransition
		again, err := w.service.Refund(t.Context(), wish(o))
		switch {
		case err == nil && !again:
			decided.Add(1)
		case !errors.As(err, &illegal):
			t.Errorf("a second refund gives again %v, %v", again, err)
		}
	})
	if decided.Load() != 1 {
		t.Errorf("%d refunds were decided", decided.Load())
	}
	w.settled(o, order.Refunded)
	w.tidy(w.service)
	if w.card.sentBack() != p.Amount {
		t.Errorf("%d of %d was sent back", w.card.sentBack(), p.Amount)
	}
	w.reconciles()
}

// A bank says that a refund failed before the worker that sent it has written down that it did: the call that was asked for anew is not the one that is
// done, and goes out.
func TestRefundFailsWhileItsCallIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(1)
	r := wish(o)
	if code, err := w.ledger.RefundDecide(t.Context(), r, w.now()); err != nil || code != ledger.RefundDecided {
		t.Fatalf("a refund gives %d, %v", code, err)
	}
	jobs, err := w.ledger.OutboxTake(t.Context(), 10, w.now().Add(30*time.Second), w.now())
	if err != nil || len(jobs) == 0 {
		t.Fatalf("%v, %v", jobs, err)
	}
	if _, err := w.ledger.RefundSent(t.Context(), r.ID, w.now()); err != nil {
		t.Fatal(err)
	}
	f := fact("failed", order.RefundFailed, p)
	f.Refund = r.ID
	if v := w.told(f); v.Code != ledger.FactRefundFailed {
		t.Errorf("a failure gives %+v", v)
	}
	for _, job := range jobs {
		if job.Topic == "refund" {
			if err := w.ledger.OutboxDone(t.Context(), job, w.now()); err != nil {
				t.Error(err)
			}
		}
	}
	w.reconciles()
	w.set(time.Minute, false)
	w.tidy(w.service)
	w.until("it was sent", func() bool { return w.card.sentBack() == p.Amount })
	w.until("nothing is left", func() bool { return w.balances() == "" })
}

// A refund that fails is an alarm and is sent again, under another key: before it was said to be sent, and after.
func TestRefundFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(1)
	r := wish(o)
	w.refund(r)
	told := func(id, kind string) ledger.FactVerdict {
		f := fact(id, kind, p)
		f.Refund = r.ID
		return w.told(f)
	}
	w.settled(o, order.Refunded)
	calls := func() (waiting []ledger.OutboxCall) {
		list, err := w.ledger.OutboxList(t.Context(), false, 10)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	w.until("all calls are made", func() bool { return len(calls()) == 0 })
	if v := told("sent", order.RefundSent); v.Code != ledger.FactNothing {
		t.Errorf("what is known gives %+v", v)
	}
	if v := told("failed", order.RefundFailed); v.Code != ledger.FactRefundFailed {
		t.Errorf("a failure gives %+v", v)
	}
	if v := told("failed again", order.RefundFailed); v.Code != ledger.FactNothing {
		t.Errorf("a second failure gives %+v", v)
	}
	if got := w.balances(); got != fmt.Sprintf("1100:card EUR %d, 2500 EUR -%d", p.Amount, p.Amount) {
		t.Errorf("what is owed again is %s", got)
	}
	w.reconciles()
	again := func(pause time.Duration, sent int64) {
		t.Helper()
		list := calls()
		if len(list) != 1 || list[0].Topic != "refund" {
			t.Fatalf("the calls are %+v, want one refund", list)
		}
		if in := list[0].Due.Sub(w.now()); in > pause || in < pause-20*time.Second {
			t.Errorf("it is sent again in %v, want %v", in, pause)
		}
		_ = w.service.Tidy(t.Context())
		if w.card.sentBack() != sent-p.Amount {
			t.Errorf("it was sent at once")
		}
		w.mu.Lock()
		w.clock += pause + time.Second
		w.mu.Unlock()
		w.until("it was sent again", func() bool {
			_ = w.service.Tidy(t.Context())
			return w.card.sentBack() == sent && len(calls()) == 0 // each time under another key
		})
	}
	again(30*time.Second, 2*p.Amount)
	if v := told("failed once more", order.RefundFailed); v.Code != ledger.FactRefundFailed {
		t.Errorf("a failure of the second try gives %+v", v)
	}
	again(time.Minute, 3*p.Amount)
	w.until("nothing is left", func() bool { return w.balances() == "" })
	if s := w.state(o.ID); s != order.Refunded {
		t.Errorf("the order is %s", s)
	}
	w.reconciles()
}

// What somebody sends back at the provider's own desk is in the books: all of a payment is a refund of its order, a part is for people to explain.
func TestRefundsThatWeDidNotDecide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(2)
	w.card.pays(p.ProviderRef, order.PaymentRefunded, p.Amount)
	if v := w.told(fact("desk", order.PaymentRefunded, p)); v.Code != ledger.FactRefundSent {
		t.Errorf("all of it gives %+v", v)
	}
	w.settled(o, order.Refunded)
	w.tidy(w.service)
	w.until("the seats are free", func() bool { return w.seats(stock.Sold) == 0 })
	if w.card.sentBack() != 0 || w.balances() != "" {
		t.Errorf("%d was sent once more; what is left is %s", w.card.sentBack(), w.balances())
	}
	w.reconciles()
	o, p = w.sold(1)
	f := fact("a part", order.RefundSent, p)
	f.Amount, f.Refund = 100, uuid.New()
	if v := w.told(f); v.Code != ledger.FactRefundUnknown {
		t.Errorf("a part gives %+v", v)
	}
	r, err := reconcile.Run(t.Context(), w.ledger, reconcile.Options{})
	if err != nil || r.OK {
		t.Errorf("money that nobody can explain is no break: %v", err)
	}
	if w.state(o.ID) != order.Issued {
		t.Errorf("the order is %s", w.state(o.ID))
	}
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.ledger.SQL().QueryRowContext(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// wide is a hold over the first segments, some seats in each.
func (w *world) wide(segments int, each int32, ttl time.Duration) stock.HoldView {
	w.t.Helper()
	req := request()
	hold := stock.WideHold{
		ID: stock.NewCoordinatedID(stock.PartitionOf(w.event.Number, 1), req.Scope, req.Key, "legs"), Event: w.event.Number, Quantity: each * int32(segments), Request: req,
		Quotas: []stock.Quota{{Dimension: stock.DimensionTid, Key: uuid.New(), Limit: 10}},
	}
	var legs []stock.Command
	for no := range stock.SegmentNo(segments) {
		hold.Segments = append(hold.Segments, no+1)
		legs = append(legs, stock.Command{Kind: stock.KindLeg, Event: w.event.Number, Segment: no + 1, Hold: hold.ID, Ask: stock.Ask{Quantity: each}, Quotas: hold.Quotas})
	}
	a, err := w.node.HoldWide(w.t.Context(), hold, legs, ttl, 2*ttl)
	if err != nil || a.Code != stock.CodeOK {
		w.t.Fatalf("hold over %d segments: %+v %v", segments, a, err)
	}
	return *a.Hold
}

// paying is an order over some segments, two seats in each, whose payment at the card provider was begun.
func (w *world) paying(segments int) (ledger.Order, ledger.Payment) {
	w.t.Helper()
	if segments == 1 {
		return w.byCard(2)
	}
	o := w.orderOf(w.wide(segments, 2, time.Minute))
	p, _, err := w.service.StartPayment(w.t.Context(), o.ID, uuid.New(), cardName, "/tickets")
	if err != nil {
		w.t.Fatal(err)
	}
	if o, err = w.service.Get(w.t.Context(), o.ID); err != nil {
		w.t.Fatal(err)
	}
	return o, p
}
