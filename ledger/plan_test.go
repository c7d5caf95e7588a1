package ledger_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// TestReadsByKey: what is read for each order of a rush touches a handful of blocks, however large the hall and the sale, in a database whose
// tables were never analysed, or only the hall was.
func TestReadsByKey(t *testing.T) {
	b := newBench(t, database(t).DSN)
	b.exec(`INSERT INTO ledger.seats(event, seat, segment, label, category)
		SELECT $1, ($2::bigint << 24) + 1000 + i, $2, 'B-' || i, 0 FROM generate_series(1, 20000) i`, b.event, testSegment)
	var order uuid.UUID
	for i := range testSeats {
		_, order = b.sold(uuid.New(), seatID(i))
	}
	queries := map[string]struct {
		sql  string
		args []any
	}{
		"OrderGet":        {db.OrderGet, []any{order}},
		"OrderLines":      {db.OrderLines, []any{b.event, order}},
		"PaymentsOfOrder": {db.PaymentsOfOrder, []any{order}},
		"PinsToFree":      {db.PinsToFree, []any{100}},
		"TicketsOfOrder":  {db.TicketsOfOrder, []any{order}},
	}
	const most = 100 // blocks of 8 KiB; the hall has several hundred
	for _, analysed := range []bool{false, true} {
		if analysed {
			b.exec("ANALYZE ledger.seats")
		}
		for name, q := range queries {
			if blocks := b.blocks(q.sql, q.args...); blocks > most {
				t.Errorf("%s reads %d blocks, at most %d are expected (seats analysed: %v)", name, blocks, most, analysed)
			}
		}
	}
}

// TestRefusalReadsWhatIsTried: to tell "no" from "not now", the flush reads the few holds that are being tried, not all that live.
func TestRefusalReadsWhatIsTried(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	b.exec(`INSERT INTO ledger.holds(id, event, segment, part, state, generation, quantity, quota_dims, quota_keys, quota_limits, quota_seats, deadline, max_expires_at)
		SELECT gen_random_uuid(), $1, 99, 0, CASE WHEN i % 1000 = 0 THEN 0 ELSE 1 END, 1, 2, '{1}', ARRAY[$2::uuid], '{4}', '{0}', now(), now() FROM generate_series(1, 20000) i`,
		b.event, uuidOf("buyer"))
	const most = 100 // blocks; the live holds have several hundred
	if n := b.blocks(`SELECT ledger.trying($1, 1, $2)`, b.event, uuidOf("buyer")); n > most {
		t.Errorf("a refusal reads %d blocks, at most %d are expected", n, most)
	}
	if n := b.number(`SELECT ledger.trying($1, 1, $2)`, b.event, uuidOf("buyer")); n != 40 {
		t.Errorf("20 holds of two seats are being tried, it says %d", n)
	}
}

// TestInvoicesAreFoundByKey: an order's documents are found, and one that is missing is made, without a look at all others.
func TestInvoicesAreFoundByKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	b.exec(fmt.Sprintf(`DO $$ BEGIN
		PERFORM set_config('session_replication_role', 'replica', true); -- these rows have no sale behind them
		INSERT INTO ledger.orders(id, event, hold, state, ver, buyer_ref, total, currency, hold_until)
			SELECT ('00000000-0000-8000-8000-' || lpad(i::text, 12, '0'))::uuid, %[1]d, gen_random_uuid(), 4, 4, '', 5320, 'EUR', now() FROM generate_series(1, 20000) i;
		INSERT INTO ledger.order_lines(order_id, seat, type, face, fee, tax) SELECT id, row_number() OVER (), 0, 5000, 300, 20 FROM ledger.orders;
		INSERT INTO ledger.tickets(id, order_id, event, seat, sold_ver, type, code) SELECT gen_random_uuid(), order_id, %[1]d, seat, 1, 0, 'code' FROM ledger.order_lines;
		INSERT INTO ledger.invoice_series(series, last) VALUES ('house', 19999);
		INSERT INTO ledger.invoices(series, number, kind, order_id, currency, net, tax, issuer, at) SELECT 'house', seat, 'invoice', order_id, 'EUR', 5300, 20, '', now() FROM ledger.order_lines WHERE seat < 20000;
	END $$`, b.event))
	const most = 100 // blocks; the documents have several hundred
	had, after := "00000000-0000-8000-8000-000000000007", "00000000-0000-8000-8000-000000019990"
	for name, q := range map[string]struct {
		sql  string
		args []any
	}{
		"the documents of an order":   {db.InvoicesOfOrder, []any{had}},
		"making those that are there": {db.InvoicesMake, []any{had, b.now}},
		"making what lacks":           {db.InvoicesDue, []any{after, 100, true, b.now}},
	} {
		b.blocks(q.sql, q.args...) // a connection reads the catalog once
		if blocks := b.blocks(q.sql, q.args...); blocks > most {
			t.Errorf("%s reads %d blocks, at most %d are expected", name, blocks, most)
		}
	}
	if n := b.number("SELECT count(*) FROM ledger.invoices"); n != 20000 {
		t.Errorf("there are %d documents, want 20000", n)
	}
}

// blocks runs a query on the pool that serves requests and counts the blocks that it reads.
func (b *bench) blocks(query string, args ...any) int {
	b.t.Helper()
	var text []byte
	if err := b.db.SQL().QueryRowContext(b.t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)\n"+query, args...).Scan(&text); err != nil {
		b.t.Fatal(err)
	}
	var plans []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) != 1 {
		b.t.Fatalf("%s: %v", text, err)
	}
	return plans[0].Plan.Hit + plans[0].Plan.Read
}
