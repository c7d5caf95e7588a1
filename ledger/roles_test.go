package ledger_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/finance"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
)

// as opens the ledger with a login that has one role and nothing else.
func (c *closer) as(d *pgdev.Database, role string) *ledger.DB {
	c.t.Helper()
	name := "login_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	for _, statement := range []string{"CREATE ROLE " + name + " LOGIN", "GRANT " + role + " TO " + name} {
		if err := d.Server.Exec(c.t.Context(), "postgres", statement); err != nil {
			c.t.Fatal(err)
		}
	}
	db, err := ledger.Open(c.t.Context(), strings.Replace(d.DSN, "user=postgres", "user="+name, 1), ledger.Options{AllowNoFsync: true})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = errors.Join(db.Close(), d.Server.Exec(context.Background(), "postgres", "DROP ROLE "+name))
	})
	return db
}

// refused tries what a role may not do.
func refused(t *testing.T, db *ledger.DB, role string, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.SQL().ExecContext(t.Context(), s); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s may %s: %v", role, s, err)
		}
	}
}

// nobody may do any of this, whatever their role.
var nobodyMay = []string{
	"UPDATE ledger.transfers SET amount = 1", "DELETE FROM ledger.transfers", "TRUNCATE ledger.transfers", "UPDATE ledger.order_events SET reason = 'x'",
	"DELETE FROM ledger.seat_movements", "UPDATE ledger.flush_batches SET meta = NULL", "UPDATE ledger.day_closings SET breaks = 0", "DELETE FROM ledger.merkle_hashes",
	"UPDATE ledger.settlement_lines SET gross = 1", "UPDATE ledger.business_days SET closed_at = now()", "CREATE TABLE ledger.mine ()", "SELECT hash FROM ledger.api_keys",
}

func TestRolesOfTheBooks(t *testing.T) {
	t.Parallel()
	d := database(t)
	c := newCloserAt(t, d.DSN)
	c.sale(2, 130)
	c.orphan("KWD", 900, 3, true)

	db := c.as(d, "ledger_finance")
	if _, err := finance.New(db).ImportSettlement(t.Context(), bank, "june.csv", plain.file(c.lines), "finance"); err != nil {
		t.Errorf("finance imports: %v", err)
	}
	// What these say of a sale under way and of nobody's money they say to finance only.
	if _, err := db.EventRecognise(t.Context(), 1, c.clock); !errors.Is(err, ledger.ErrEventNotBegun) && !errors.Is(err, ledger.ErrEventOnSale) {
		t.Errorf("finance recognises: %v", err)
	}
	if _, err := db.PayoutRecord(t.Context(), ledger.Payout{Organiser: "x", Currency: "EUR", Amount: 1, Reference: "x"}, c.clock); !errors.Is(err, ledger.ErrPayoutTooMuch) {
		t.Errorf("finance pays out: %v", err)
	}
	refused(t, db, "finance", nobodyMay...)
	refused(t, db, "finance", "INSERT INTO ledger.settlement_lines DEFAULT VALUES", "INSERT INTO ledger.transfers DEFAULT VALUES", "SELECT ledger.close_open_day('2026-01-01', '2026-01-01', now())",
		"INSERT INTO ledger.day_closings DEFAULT VALUES", "UPDATE ledger.orders SET state = 4", "UPDATE ledger.seats SET state = 0", "SELECT * FROM ledger.ticket_holders")

	db = c.as(d, "ledger_closer")
	desk := finance.New(db)
	today := c.clock.UTC().Truncate(24 * time.Hour)
	done, report, err := desk.Close(t.Context(), finance.CloseOptions{Day: today, Key: c.key, By: "closer", Now: c.clock})
	if err != nil || len(done) != 1 {
		t.Fatalf("closer closes: %+v, %v", report, err)
	}
	if _, err := desk.Publish(t.Context(), c.file); err != nil {
		t.Errorf("closer publishes: %v", err)
	}
	refused(t, db, "closer", nobodyMay...)
	refused(t, db, "closer", "INSERT INTO ledger.transfers DEFAULT VALUES", "INSERT INTO ledger.business_days DEFAULT VALUES", "SELECT ledger.settlement_file('x', 'x', sha256(''), 1, 'x')",
		"UPDATE ledger.orders SET state = 4", "UPDATE ledger.seats SET state = 0", "SELECT * FROM ledger.ticket_holders")

	db = c.as(d, "ledger_audit")
	desk = finance.New(db)
	if r, err := reconcile.Run(t.Context(), db, reconcile.Options{}); err != nil || !r.OK {
		t.Errorf("audit reconciles: %v, %v", r, err)
	}
	for _, kind := range finance.ExportKinds() {
		if n, err := desk.Export(t.Context(), finance.ExportOptions{Kind: kind, Format: "csv"}, io.Discard); err != nil || n == 0 {
			t.Errorf("audit exports %s: %d rows, %v", kind, n, err)
		}
	}
	if p, err := desk.Prove(t.Context(), 1); err != nil || p.Checkpoint != done[0].Checkpoint {
		t.Errorf("audit proves: %v", err)
	}
	if n, err := desk.CheckPublished(t.Context(), c.published(), c.public); err != nil || n != 1 {
		t.Errorf("audit compares with what was published: %v", err)
	}
	for _, view := range []string{"v_stock", "v_trial_balance", "v_order_money", "v_seat_order_breaks", "v_settlement_breaks", "v_clearing", "v_clearing_accounts"} {
		if _, err := db.SQL().ExecContext(t.Context(), "SELECT * FROM ledger."+view); err != nil {
			t.Errorf("audit reads %s: %v", view, err)
		}
	}
	refused(t, db, "audit", nobodyMay...)
	refused(t, db, "audit", "INSERT INTO ledger.day_closings DEFAULT VALUES", "SELECT ledger.close_open_day('2026-01-01', '2026-01-01', now())", "SELECT ledger.settlement_file('x', 'x', sha256(''), 1, 'x')",
		"INSERT INTO ledger.transfers DEFAULT VALUES", "SELECT * FROM ledger.ticket_holders", "SELECT body FROM ledger.payment_event_bodies")

	refused(t, c.as(d, "ledger_stockd"), "stockd", slices.Concat(nobodyMay[:len(nobodyMay)-1], []string{"SELECT * FROM ledger.transfers", "SELECT * FROM ledger.payments", "INSERT INTO ledger.transfers DEFAULT VALUES",
		"UPDATE ledger.segments SET opened = 1", "UPDATE ledger.seats SET label = 'x'", "INSERT INTO ledger.tickets DEFAULT VALUES", "DELETE FROM ledger.seats", "UPDATE ledger.price_tiers SET face = 0"})...)
	refused(t, c.as(d, "ledger_checkout"), "checkout", slices.Concat(nobodyMay, []string{"UPDATE ledger.seats SET state = 0", "UPDATE ledger.segments SET sold = 0", "UPDATE ledger.part SET epoch = 0", "INSERT INTO ledger.sales DEFAULT VALUES",
		"INSERT INTO ledger.seat_movements DEFAULT VALUES", "DELETE FROM ledger.orders", "UPDATE ledger.orders SET total = 0", "INSERT INTO ledger.business_days DEFAULT VALUES", "DELETE FROM ledger.payments",
		"SELECT ledger.close_open_day('2026-01-01', '2026-01-01', now())", "SELECT ledger.settlement_file('x', 'x', sha256(''), 1, 'x')",
		"SELECT ledger.event_recognise(1, now())", "SELECT ledger.payout_record(gen_random_uuid(), 'x', 'EUR', 1, 'x', 'x', now())", "INSERT INTO ledger.payouts DEFAULT VALUES"})...)

	node := c.as(d, "ledger_stockd, ledger_checkout")
	if _, err := node.EventPostpone(t.Context(), 1, c.clock.Add(1000*time.Hour), c.clock); err != nil {
		t.Errorf("a node postpones: %v", err)
	}
	mass := uuid.New()
	if _, err := node.EventCancel(t.Context(), 1, mass, "rain", "ops", c.clock); err != nil {
		t.Errorf("a node cancels: %v", err)
	}
	if last, err := node.MassRefundStep(t.Context(), mass, uuid.Nil, 10, c.clock); err != nil || last == uuid.Nil {
		t.Errorf("a node refunds those of a cancelled event: %v, %v", last, err)
	}
}

// TestViewsOfTheBooks: each view says of a trade what it is there for.
func TestViewsOfTheBooks(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	c.sale(2, 0)
	c.late(1, 0)
	for query, want := range map[string]int{
		"SELECT sold FROM ledger.v_stock WHERE event = 'concert' AND segment = 1":                                                      2,
		"SELECT count(*) FROM ledger.v_stock WHERE capacity <> available + held + paying + sold":                                       0,
		"SELECT balance FROM ledger.v_trial_balance WHERE account = '1100:sandbox' AND currency = 'EUR'":                               10600,
		"SELECT sum(balance) FROM ledger.v_trial_balance":                                                                              0,
		"SELECT count(*) FROM ledger.v_order_money WHERE verdict = 'ok'":                                                               2,
		"SELECT count(*) FROM ledger.v_order_money WHERE verdict <> 'ok'":                                                              0,
		"SELECT refunded FROM ledger.v_order_money WHERE state = 'refunded'":                                                           5300,
		"SELECT count(*) FROM ledger.v_seat_order_breaks":                                                                              0,
		"SELECT count(*) FROM ledger.v_settlement_breaks WHERE verdict = 'in_transit'":                                                 2,
		"SELECT count(*) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'ledger'::regnamespace AND obj_description(oid) IS NULL": 0,
	} {
		if got := c.number(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	c.exec("UPDATE ledger.sales SET ended_seq = sold_seq + 1 WHERE seat = $1", seatID(0))
	if got := c.number("SELECT count(DISTINCT problem) FROM ledger.v_seat_order_breaks WHERE seat = $1", seatID(0)); got != 2 {
		t.Errorf("a sale that was ended by hand is %d problems, want 2", got)
	}
}
