package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/ledger"
	"ticketrush/ledger/finance"
	"ticketrush/ledger/money"
	"ticketrush/ledger/reconcile"
)

const bank = "sandbox"

// trade is what happened at a bank: it is made by the functions of the ledger that sales use, and remembers what the bank would say about it.
type trade struct {
	*bench
	lines []finance.SettlementLine // what the bank settles; amounts in minor units
	names map[string]string        // what the bank calls a payment in its file, where that is another name
	next  int                      // seat
}

// settled adds a line to what the bank will say.
func (x *trade) settled(category, ref, currency string, gross, fee int64) {
	if name, ok := x.names[ref]; ok {
		ref = name
	}
	x.lines = append(x.lines, finance.SettlementLine{
		Txn: fmt.Sprintf("txn_%d", len(x.lines)+1), Category: category, Ref: ref, Currency: currency, Gross: gross, Fee: fee, Net: gross - fee,
		At: x.now.Add(time.Duration(len(x.lines)) * time.Minute).UTC().Truncate(time.Second),
	})
}

func (x *trade) take(kind, ref, currency string, amount int64) ledger.FactVerdict {
	x.t.Helper()
	v, err := x.db.PaymentTake(x.t.Context(), []ledger.PaymentFact{{Provider: bank, ID: "evt_" + uuid.NewString(), Ref: ref, Kind: kind, Amount: amount, Currency: currency, At: x.now}}, x.now)
	if err != nil {
		x.t.Fatal(err)
	}
	return v[0]
}

// order opens an order on n seats and begins to pay it; the seats are pinned.
func (x *trade) order(n int) (hold, order, payment uuid.UUID, ref string, seats []int64) {
	x.t.Helper()
	for range n {
		seats = append(seats, seatID(x.next))
		x.next++
	}
	order = uuid.New()
	hold, h := x.hold(seats...)
	x.want(x.flush(h), applied)
	x.want(x.flush(x.opened(hold, order, seats...)), applied)
	if _, err := x.db.PaymentBegin(x.t.Context(), order, 3, x.now.Add(time.Minute), x.now); err != nil {
		x.t.Fatal(err)
	}
	payment, ref = x.payment(order, n, 1)
	x.want(x.flush(x.paid(pin, hold, order, held, paying, seats...)), applied)
	return hold, order, payment, ref, seats
}

func (x *trade) payment(order uuid.UUID, seats int, attempt int32) (id uuid.UUID, ref string) {
	x.t.Helper()
	id = uuid.New()
	ref = "pi_" + id.String()[:8]
	p := ledger.Payment{ID: id, OrderID: order, Attempt: attempt, Provider: bank, ProviderRef: ref, PayUrl: "/", Key: uuid.New(), Amount: int64(seats) * 5300, Currency: "EUR"}
	if err := x.db.PaymentInsert(x.t.Context(), p); err != nil {
		x.t.Fatal(err)
	}
	return id, ref
}

// sale sells n seats: authorised, decided, sold, captured, issued.
func (x *trade) sale(n int, fee int64) (order uuid.UUID, ref string) {
	x.t.Helper()
	hold, order, payment, ref, seats := x.order(n)
	if v := x.take("authorized", ref, "EUR", int64(n)*5300); v.Code != ledger.FactPaid {
		x.t.Fatalf("the order is not paid: %d", v.Code)
	}
	x.want(x.flush(x.paid(sell, hold, order, paying, sold, seats...)), applied)
	x.issue(order, payment, seats)
	x.settled("charge", ref, "EUR", int64(n)*5300, fee)
	return order, ref
}

func (x *trade) issue(order, payment uuid.UUID, seats []int64) {
	x.t.Helper()
	var tickets []ledger.NewTicket
	for _, s := range seats {
		tickets = append(tickets, ledger.NewTicket{ID: uuid.New(), Seat: s, Code: uuid.NewString()})
	}
	if out, err := x.db.Issue(x.t.Context(), []ledger.NewIssue{{Order: order, Payment: payment, Tickets: tickets}}, x.now); err != nil || out[0] != ledger.IssuedNow {
		x.t.Fatalf("issue: %v, %v", out, err)
	}
}

// named gives a payment a second name, which the bank uses in its file from then on: Stripe settles a PaymentIntent where we know a Checkout Session.
func (x *trade) named(ref string) {
	x.t.Helper()
	name := "other_" + ref
	x.exec("SELECT ledger.payment_named($1, $2, $3, '00000000-0000-0000-0000-000000000000')", bank, ref, name)
	if x.names == nil {
		x.names = map[string]string{}
	}
	x.names[ref] = name
}

// kept is the name under which the ledger has a payment that the bank calls something.
func (x *trade) kept(name string) string {
	for ref, other := range x.names {
		if other == name {
			return ref
		}
	}
	return name
}

// dispute is a chargeback of a payment and how it ends: opened, won or lost. The bank takes amount and fee at once; some give the fee back with the money.
func (x *trade) dispute(ref string, amount, fee, feeBack int64, ends ...string) {
	x.t.Helper()
	for i, kind := range append([]string{"opened"}, ends...) {
		want := map[string]int16{"opened": ledger.FactDisputed, "won": ledger.FactDisputeWon, "lost": ledger.FactDisputeLost}[kind]
		f := ledger.PaymentFact{Provider: bank, ID: "evt_" + uuid.NewString(), Ref: ref, Kind: "dispute_" + kind, Amount: amount, Currency: "EUR", At: x.now.Add(time.Duration(i) * time.Hour)}
		if v, err := x.db.PaymentTake(x.t.Context(), []ledger.PaymentFact{f}, x.now); err != nil || v[0].Code != want {
			x.t.Fatalf("%s gives %+v, %v", kind, v, err)
		}
	}
	x.settled("dispute", ref, "EUR", -amount, fee)
	if len(ends) > 0 && ends[0] == "won" {
		x.settled("dispute", ref, "EUR", amount, -feeBack)
	}
}

// payout has the bank pay out lines together; it gives the payout's name.
func (x *trade) payout(lines ...int) string {
	name, net := fmt.Sprintf("po_of_%d", len(lines)), int64(0)
	for _, i := range lines {
		x.lines[i].Payout = name
		net += x.lines[i].Net
	}
	x.settled("payout", name, "EUR", -net, 0)
	return name
}

// late is money that comes after the order has ended: it is captured, and goes back.
func (x *trade) late(n int, fee int64) (ref string) {
	x.t.Helper()
	hold, order, _, ref, seats := x.order(n)
	if ok, err := x.db.OrderExpire(x.t.Context(), order, ledger.OrderPaying, 1, "not paid in time", x.now); err != nil || !ok {
		x.t.Fatalf("expire: %v, %v", ok, err)
	}
	free := x.paid(unpin, hold, order, paying, available, seats...)
	free.Free = true
	x.want(x.flush(free), applied)
	amount := int64(n) * 5300
	x.take("captured", ref, "EUR", amount)
	x.settled("charge", ref, "EUR", amount, fee)
	x.exec("SELECT ledger.late_return($1, 2, 'no seats can be had', $2)", order, x.now)
	var refund uuid.UUID
	if err := x.db.SQL().QueryRowContext(x.t.Context(), "SELECT r.id FROM ledger.refunds r JOIN ledger.payments p ON p.id = r.payment WHERE p.provider_ref = $1", ref).Scan(&refund); err != nil {
		x.t.Fatalf("nobody gives back the money of %s: %v", ref, err)
	}
	if ok, err := x.db.RefundSent(x.t.Context(), refund, x.now); err != nil || !ok {
		x.t.Fatalf("refund sent: %v, %v", ok, err)
	}
	x.exec("UPDATE ledger.outbox SET done_at = $2 WHERE dedup = 'refund:' || $1", refund.String(), x.now)
	x.settled("refund", ref, "EUR", -amount, 0)
	return ref
}

// orphan is money of a payment that nobody knows; it is given back when back says so.
func (x *trade) orphan(currency string, amount, fee int64, back bool) (ref string) {
	x.t.Helper()
	ref = "pi_orphan_" + uuid.NewString()[:8]
	x.take("captured", ref, currency, amount)
	x.settled("charge", ref, currency, amount, fee)
	if !back {
		return ref
	}
	if err := x.db.OrphanRefunded(x.t.Context(), bank, ref, amount, currency, x.now); err != nil {
		x.t.Fatal(err)
	}
	x.exec("UPDATE ledger.outbox SET done_at = $2 WHERE dedup = 'orphan:sandbox:' || $1", ref, x.now)
	x.settled("refund", ref, currency, -amount, 0)
	return ref
}

// newTrade is a ledger whose trade was some weeks ago, so that the bank has had its time.
func newTrade(t testing.TB, dsn string, ago time.Duration) *trade {
	x := &trade{bench: newBench(t, dsn)}
	x.now = x.now.Add(-ago)
	return x
}

// shape is how a settlement file is written.
type shape struct {
	comma, point, newline, mark, tail string
}

// file writes lines in the documented shape.
func (s shape) file(lines []finance.SettlementLine) []byte {
	quoted := func(amount string) string {
		amount = strings.ReplaceAll(amount, ".", s.point)
		if s.point == s.comma {
			return `"` + amount + `"`
		}
		return amount
	}
	var b strings.Builder
	b.WriteString(s.mark + strings.Join([]string{"at", "txn", "category", "ref", "currency", "gross", "fee", "net", "payout", "remark"}, s.comma) + s.newline)
	for _, l := range lines {
		b.WriteString(strings.Join([]string{
			l.At.Format(time.RFC3339), l.Txn, l.Category, l.Ref, strings.ToLower(l.Currency), quoted(money.Format(l.Gross, l.Currency)),
			quoted(money.Format(l.Fee, l.Currency)), quoted(money.Format(l.Net, l.Currency)), l.Payout, `"said ""so"""`,
		}, s.comma) + s.newline)
	}
	b.WriteString(s.tail)
	return []byte(b.String())
}

func drawShape(t *rapid.T) shape {
	return shape{
		comma: rapid.SampledFrom([]string{",", ";", "\t"}).Draw(t, "comma"), point: rapid.SampledFrom([]string{".", ","}).Draw(t, "point"),
		newline: rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "newline"), mark: rapid.SampledFrom([]string{"", "\ufeff"}).Draw(t, "mark"),
		tail: rapid.SampledFrom([]string{"", "\n\n", "\r\n"}).Draw(t, "tail"),
	}
}

func (x *trade) importLines(s shape, lines []finance.SettlementLine) *finance.Imported {
	x.t.Helper()
	done, err := finance.New(x.db).ImportSettlement(x.t.Context(), bank, "june.csv", s.file(lines), "tester")
	if err != nil {
		x.t.Fatalf("%v\n%s", err, s.file(lines))
	}
	return done
}

// verdicts are the payments that are not explained, by reference.
func (x *trade) verdicts() map[string]string {
	x.t.Helper()
	rows, err := x.db.SQL().QueryContext(x.t.Context(), "SELECT provider_ref, verdict FROM ledger.v_settlement_breaks WHERE verdict NOT IN ('matched', 'in_transit')")
	if err != nil {
		x.t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var ref, verdict string
		if err := rows.Scan(&ref, &verdict); err != nil {
			x.t.Fatal(err)
		}
		found[ref] = verdict
	}
	if err := rows.Err(); err != nil {
		x.t.Fatal(err)
	}
	return found
}

// money are the breaks of the checks of money, by check.
func (x *trade) money() map[string][]reconcile.Break {
	x.t.Helper()
	found := map[string][]reconcile.Break{}
	r := x.reconcile(reconcile.Options{})
	for _, c := range r.Checks {
		if len(c.Breaks) > 0 && slices.Contains([]string{"totals", "postings", "loose money", "suspense", "trial balance", "settlement", "payouts", "clearing"}, c.Name) {
			found[c.Name] = c.Breaks
		}
	}
	return found
}
