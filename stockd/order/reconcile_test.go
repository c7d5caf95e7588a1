package order_test

import (
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/order"
)

// Each way in which orders, tickets and money may drift apart is named by the check that is there for it. What the database itself forbids is
// done with its triggers off, as somebody with too many rights would.
func TestReconcileFindsEachBreak(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(2, time.Minute)
	w.buyer(p, "success")
	w.becomes(o.ID, order.Issued)
	back, r := w.byCard(2)
	w.pay(r)
	w.follow(back)
	if code, err := w.ledger.RefundDecide(t.Context(), wish(back), w.now()); err != nil || code != ledger.RefundDecided {
		t.Fatalf("a refund gives %d, %v", code, err)
	}
	open, q := w.byCard(1)
	w.reconciles()
	for name, c := range map[string]struct {
		check, damage, repair string
		args                  []any
	}{
		"a sold seat of an order that is not paid": {"orders", `UPDATE ledger.sales SET order_id = $1 WHERE order_id = $2`, `UPDATE ledger.sales SET order_id = $2 WHERE order_id = $1`, []any{open.ID, o.ID}},
		"an issued order whose seat is free":       {"orders", `UPDATE ledger.seats SET order_id = $1 WHERE order_id = $2`, `UPDATE ledger.seats SET order_id = $2 WHERE order_id = $1 AND state = 3`, []any{open.ID, o.ID}},
		"a void ticket of an issued order":         {"tickets", `UPDATE ledger.tickets SET voided_at = now(), void_reason = 'refunded' WHERE order_id = $1`, `UPDATE ledger.tickets SET voided_at = NULL, void_reason = NULL WHERE order_id = $1`, []any{o.ID}},
		"a ticket of another order":                {"tickets", `UPDATE ledger.tickets SET order_id = $1 WHERE order_id = $2`, `UPDATE ledger.tickets SET order_id = $2 WHERE order_id = $1`, []any{open.ID, o.ID}},
		"a line that costs more":                   {"totals", `UPDATE ledger.order_lines SET fee = fee + 1 WHERE order_id = $1`, `UPDATE ledger.order_lines SET fee = fee - 1 WHERE order_id = $1`, []any{o.ID}},
		"an issued order that is not captured":     {"totals", `UPDATE ledger.payments SET captured = 0 WHERE id = $1`, `UPDATE ledger.payments SET captured = amount WHERE id = $1`, []any{p.ID}},
		"a posting of another amount":              {"postings", `UPDATE ledger.transfers SET amount = amount + 1 WHERE order_id = $1 AND leg = 1`, `UPDATE ledger.transfers SET amount = amount - 1 WHERE order_id = $1 AND leg = 1`, []any{o.ID}},
		"a line that was refunded by nothing":      {"tickets", `UPDATE ledger.order_lines SET refund = gen_random_uuid() WHERE order_id = $1`, `UPDATE ledger.order_lines SET refund = NULL WHERE order_id = $1`, []any{o.ID}},
		"a refund of more than its lines":          {"refunds", `UPDATE ledger.refunds SET amount = amount + 1 WHERE order_id = $1`, `UPDATE ledger.refunds SET amount = amount - 1 WHERE order_id = $1`, []any{back.ID}},
		"a refund without a call":                  {"refunds", `UPDATE ledger.outbox SET done_at = now() WHERE topic = 'refund'`, `UPDATE ledger.outbox SET done_at = NULL WHERE topic = 'refund'`, nil},
		"a seat that nobody frees":                 {"orders", `UPDATE ledger.outbox SET done_at = now() WHERE topic = 'unsell'`, `UPDATE ledger.outbox SET done_at = NULL WHERE topic = 'unsell'`, nil},
		"an order that is refunding for nothing":   {"refunds", `UPDATE ledger.refunds SET state = 'sent' WHERE order_id = $1`, `UPDATE ledger.refunds SET state = 'decided' WHERE order_id = $1`, []any{back.ID}},
		"a refund that is posted once more":        {"postings", `UPDATE ledger.transfers SET amount = amount + 1 WHERE order_id = $1 AND credit = '2500' AND leg = 1`, `UPDATE ledger.transfers SET amount = amount - 1 WHERE order_id = $1 AND credit = '2500' AND leg = 1`, []any{back.ID}},
		"money that pays nothing":                  {"loose money", `UPDATE ledger.payments SET state = 'authorized' WHERE id = $1`, `UPDATE ledger.payments SET state = 'created' WHERE id = $1`, []any{q.ID}},
		"a refund that nobody sends": {"suspense", `WITH a AS (INSERT INTO ledger.accounts VALUES ('2900', 'EUR', '2900'), ('1100:x', 'EUR', '1100') ON CONFLICT DO NOTHING)
			INSERT INTO ledger.transfers(source, leg, debit, credit, currency, amount, day, effective_at) SELECT 'by hand', 1, '1100:x', '2900', 'EUR', 5, day, now() FROM ledger.business_days`,
			`DELETE FROM ledger.transfers WHERE source = 'by hand'`, nil},
	} {
		w.unguarded(c.damage, c.args...)
		if !w.broken(c.check) {
			t.Errorf("%s: the check %q says nothing", name, c.check)
		}
		w.unguarded(c.repair, c.args...)
		w.reconciles()
	}
}

// unguarded runs a statement without triggers and foreign keys.
func (w *world) unguarded(sql string, args ...any) {
	w.t.Helper()
	tx, err := w.ledger.SQL().BeginTx(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(w.t.Context(), `SET LOCAL session_replication_role = replica`); err != nil {
		w.t.Fatal(err)
	}
	if _, err := tx.ExecContext(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

// broken says whether a check of reconciling finds a break.
func (w *world) broken(name string) bool {
	w.t.Helper()
	r, err := reconcile.Run(w.t.Context(), w.ledger, reconcile.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range r.Checks {
		if c.Name == name {
			return len(c.Breaks) > 0
		}
	}
	w.t.Fatalf("there is no check %q", name)
	return false
}
