package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
)

// busy is a bench with seats in every state, and a history of releases, a refund and refusals.
func busy(t testing.TB, dsn string) *bench {
	t.Helper()
	b := newBench(t, dsn)
	b.sold(uuid.New(), seatID(0), seatID(1))
	returner := uuid.New()
	refunded, orderID := b.sold(returner, seatID(2), seatID(3))
	b.orderTo(orderID, "cancel", 7, 1)
	back := b.paid(refund, refunded, orderID, sold, available, seatID(2))
	b.want(b.flush(limited(back, returner, 4)), applied)
	buyer := uuid.New()
	_, h := b.hold(seatID(4), seatID(5))
	_, over := b.hold(seatID(6), seatID(7))
	b.want(b.flush(limited(keyed(h), buyer, 3), limited(keyed(over), buyer, 3)), applied, overLimit(1, 2))
	id, h := b.hold(seatID(8))
	b.want(b.flush(h), applied)
	b.want(b.flush(b.op(release, id, held, available, seatID(8))), applied)
	pinned, orderID := uuid.New(), uuid.New()
	h = b.op(hold, pinned, available, held, unitID(1), unitID(2))
	b.want(b.flush(h), applied)
	o := b.opened(pinned, orderID, unitID(1), unitID(2))
	o.Area, o.Segment = true, areaSegment
	b.want(b.flush(o), applied)
	b.orderTo(orderID, "pay_start", 2, 1)
	b.shared()
	given, under := uuid.New(), uuid.New()
	b.want(b.flush(b.grant(grantOut, given, areaSegment, shareSegment, 5), b.grant(grantOut, under, areaSegment, shareSegment, 3)), applied, applied)
	b.want(b.flushAt(sharePart, b.grant(grantIn, given, shareSegment, areaSegment, 5)), applied)
	b.want(b.flush(b.paid(pin, pinned, orderID, held, paying, unitID(1), unitID(2))), applied)
	return b
}

// busyCopy is a ledger that was once busy. It is a clone, which is faster than to be busy again.
func busyCopy(t *testing.T) *bench {
	t.Helper()
	copied := pgdev.Test(t, "busy", func(ctx context.Context, dsn string) error {
		if err := migrated(ctx, dsn); err != nil {
			return err
		}
		b := busy(t, dsn)
		return errors.Join(b.lane.Close(), b.db.Close()) // a database that is open cannot be cloned
	})
	db, err := ledger.Open(t.Context(), copied.DSN, ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &bench{t: t, db: db, dsn: copied.DSN}
}

func (b *bench) reconcile(options reconcile.Options) *reconcile.Report {
	b.t.Helper()
	r, err := reconcile.Run(b.t.Context(), b.db, options)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// stockChecks are the checks of stock; those of money have tests of their own.
var stockChecks = []string{"segments", "seats", "movements", "sequences", "epochs", "chain", "sales", "holds", "limits", "grants"}

func brokenStock(r *reconcile.Report) map[string][]reconcile.Break {
	found := map[string][]reconcile.Break{}
	for _, c := range r.Checks {
		for _, name := range stockChecks {
			if c.Name == name && len(c.Breaks) > 0 {
				found[name] = c.Breaks
			}
		}
	}
	return found
}

func (b *bench) wantClean() {
	b.t.Helper()
	if broken := brokenStock(b.reconcile(reconcile.Options{})); len(broken) > 0 {
		b.t.Fatalf("the ledger does not reconcile: %+v", broken)
	}
}

func TestReconcileClean(t *testing.T) {
	t.Parallel()
	b := busy(t, database(t).DSN)
	r := b.reconcile(reconcile.Options{})
	if broken := brokenStock(r); len(broken) > 0 {
		t.Fatalf("breaks: %+v", broken)
	}
	want := reconcile.Totals{Capacity: testSeats + areaPlaces + sharePlaces, Available: testSeats + areaPlaces + sharePlaces - 7, Held: 2, Paying: 2, Sold: 3}
	if r.Totals != want {
		t.Errorf("totals are %+v, want %+v", r.Totals, want)
	}
	for _, c := range r.Checks[:len(stockChecks)] {
		if c.Rows == 0 {
			t.Errorf("%s looked at no row", c.Name)
		}
	}
	b.claim("n1") // a new epoch of the same node
	_, h := b.hold(seatID(9))
	b.want(b.flush(h), applied)
	b.wantClean()
	if other := b.reconcile(reconcile.Options{Event: b.event + 1}); other.Totals.Capacity != 0 || len(brokenStock(other)) > 0 {
		t.Errorf("an event that is not there has %+v", other)
	}
}

// Somebody with a superuser's rights changes the ledger: reconcile says which row.
func TestReconcileFindsTampering(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql   string
		check string
		row   string
	}{
		"a seat made free":              {`UPDATE ledger.seats SET state = 0, hold = NULL, order_id = NULL WHERE seat = 16777216`, "seats", "seats event 1 seat 16777216 (segment 1, index 0)"},
		"a seat given to another hold":  {`UPDATE ledger.seats SET hold = gen_random_uuid() WHERE seat = 16777220`, "seats", "seat 16777220"},
		"a seat given to another order": {`UPDATE ledger.seats SET order_id = gen_random_uuid() WHERE seat = 16777216`, "seats", "seat 16777216"},
		"a seat's version":              {`UPDATE ledger.seats SET ver = 9 WHERE seat = 16777220`, "seats", "seat 16777220"},
		"a seat touched from outside":   {`UPDATE ledger.seats SET state = 1, ver = 1, hold = gen_random_uuid() WHERE seat = 16777250`, "seats", "seat 16777250"},
		"a seat removed":                {`DELETE FROM ledger.seats WHERE seat = 16777250`, "segments", "segments event 1 segment 1"},
		"a counter":                     {`UPDATE ledger.segments SET sold = sold + 1 WHERE segment = 1`, "segments", "segments event 1 segment 1"},
		"capacity":                      {`UPDATE ledger.segments SET capacity = 41 WHERE segment = 1`, "segments", "segment 1"},
		"a movement removed":            {`DELETE FROM ledger.seat_movements WHERE part = 7 AND seq = 1 AND row_no = 1`, "movements", "seat_movements part 7 seq 3 row 1"},
		"a movement's time":             {`UPDATE ledger.seat_movements SET occurred_at = occurred_at - interval '1 day' WHERE part = 7 AND seq = 1 AND row_no = 2`, "chain", "seat_movements part 7 seq 1 row 1"},
		"a movement's hold everywhere":  {`UPDATE ledger.seat_movements SET hold = '00000000-0000-0000-0000-0000000000aa' WHERE seat = 16777224; UPDATE ledger.holds SET id = '00000000-0000-0000-0000-0000000000aa' WHERE id NOT IN (SELECT hold FROM ledger.seat_movements)`, "chain", "seat_movements part 7 seq"},
		"a movement's epoch":            {`UPDATE ledger.seat_movements SET epoch = 5 WHERE part = 7 AND seq = 1 AND row_no = 1`, "epochs", "seat_movements part 7 seq 1 row 1"},
		"a movement's price":            {`UPDATE ledger.seat_movements SET price = 1 WHERE kind = 7 AND seat = 16777216`, "sales", "sales event 1 seat 16777216 version 3"},
		"a movement added":              {`INSERT INTO ledger.seat_movements(part, seq, row_no, epoch, event, seat, seat_ver, kind, from_state, to_state, hold, price, occurred_at) VALUES (7, 1, 99, 1, 1, 16777251, 1, 1, 0, 1, gen_random_uuid(), 0, now())`, "chain", "seat_movements part 7 seq 1 row 99"},
		"a movement of no partition":    {`INSERT INTO ledger.seat_movements(part, seq, row_no, epoch, event, seat, seat_ver, kind, from_state, to_state, hold, price, occurred_at) VALUES (5000, 1, 1, 1, 1, 16777251, 1, 1, 0, 1, gen_random_uuid(), 0, now())`, "movements", "seat_movements"},
		"a movement of no batch":        {`INSERT INTO ledger.seat_movements(part, seq, row_no, epoch, event, seat, seat_ver, kind, from_state, to_state, hold, price, occurred_at) VALUES (11, 1, 1, 1, 1, 16777251, 1, 1, 0, 1, gen_random_uuid(), 0, now())`, "epochs", "seat_movements part 11 seq 1 row 1"},
		"a movement elsewhere":          {`UPDATE ledger.seat_movements SET part = 9 WHERE part = 7 AND seq = 1 AND row_no = 1`, "seats", "seat 1677721"},
		"a batch of no partition":       {`UPDATE ledger.flush_batches SET part = 5000 WHERE part = 9`, "chain", "flush_batches"},
		"a partition removed":           {`DELETE FROM ledger.part WHERE part = 9`, "chain", "flush_batches"},
		"a segment of no partition":     {`UPDATE ledger.segments SET part = 5000 WHERE segment = 1`, "seats", "seats"},
		"a sale of no segment":          {`INSERT INTO ledger.sales(event, seat, sold_ver, order_id, hold, price, part, sold_seq) VALUES (1, 99::bigint << 24, 1, gen_random_uuid(), gen_random_uuid(), 1, 7, 1)`, "sales", "sales"},
		"a sale of a free seat":         {`INSERT INTO ledger.sales(event, seat, sold_ver, order_id, hold, price, part, sold_seq) VALUES (1, 16777250, 1, gen_random_uuid(), gen_random_uuid(), 1, 7, 1)`, "sales", "sales event 1 seat 16777250 version 1"},
		"a sale removed":                {`DELETE FROM ledger.sales WHERE seat = 16777216`, "sales", "seats event 1 seat 16777216"},
		"a sale ended":                  {`UPDATE ledger.sales SET ended_seq = 99 WHERE seat = 16777216`, "sales", "seats event 1 seat 16777216"},
		"a sale's price":                {`UPDATE ledger.sales SET price = 1 WHERE seat = 16777216`, "sales", "sales event 1 seat 16777216 version 3"},
		"a refund taken back":           {`UPDATE ledger.sales SET ended_seq = NULL WHERE seat = 16777218`, "sales", "sales event 1 seat 16777218 version 3"},
		"a batch removed":               {`DELETE FROM ledger.flush_batches WHERE part = 7 AND seq = 2`, "sequences", "part 7"},
		"a batch's outcomes":            {`UPDATE ledger.flush_batches SET outcomes = decode('0028', 'hex') WHERE part = 7 AND seq = 1`, "chain", "flush_batches part 7 seq 1"},
		"a batch's epoch":               {`UPDATE ledger.flush_batches SET epoch = 2 WHERE part = 7 AND seq = 1`, "epochs", "flush_batches part 7 seq 1"},
		"a batch and its hash":          {`UPDATE ledger.flush_batches SET digest = sha256('x') || substr(digest, 33), hash = sha256('y') WHERE part = 7 AND seq = 1`, "chain", "flush_batches part 7 seq 2"},
		"a partition's head":            {`UPDATE ledger.part SET head_hash = sha256('x') WHERE part = 7`, "chain", "part 7"},
		"a partition set back":          {`UPDATE ledger.part SET applied_seq = 1 WHERE part = 7`, "sequences", "part 7"},
		"an epoch nobody claimed":       {`UPDATE ledger.part SET epoch = 7 WHERE part = 7`, "sequences", "part 7"},
		"a hold ended":                  {`UPDATE ledger.holds SET state = 3 WHERE state = 1 AND segment = 1`, "holds", "holds "},
		"a hold's size":                 {`UPDATE ledger.holds SET quantity = 9 WHERE state = 1 AND segment = 2`, "holds", "holds "},
		"a hold removed":                {`DELETE FROM ledger.holds WHERE state = 1 AND segment = 2`, "holds", "(event 1 segment 2)"},
		"a grant's size":                {`UPDATE ledger.grants SET n = n + 1 WHERE taken_part IS NULL`, "grants", "segments event 1 segment 2"},
		"a grant taken by hand":         {`UPDATE ledger.grants SET taken_part = 9, taken_seq = 77 WHERE taken_part IS NULL`, "grants", "segments event 1 of home 2"},
		"a grant taken by a stranger":   {`UPDATE ledger.grants SET taken_part = 7, taken_seq = 1 WHERE taken_part = 9`, "grants", "grants "},
		"a grant removed":               {`DELETE FROM ledger.grants WHERE taken_part IS NULL`, "grants", "segments event 1 of home 2"},
		"a limit's counter":             {`UPDATE ledger.quota SET n = 0 WHERE n = 2`, "limits", "quota event 1 dimension 1 key"},
		"a limit's counter removed":     {`DELETE FROM ledger.quota WHERE n = 2`, "limits", "quota event 1 dimension 1 key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := busyCopy(t)
			b.exec(`SET session_replication_role = replica; ` + c.sql + `; SET session_replication_role = origin`) // no triggers, no foreign keys
			r := b.reconcile(reconcile.Options{})
			if r.OK {
				t.Fatal("the report says that everything adds up")
			}
			for _, broken := range brokenStock(r)[c.check] {
				if strings.Contains(broken.Row, c.row) {
					return
				}
			}
			t.Errorf("no break of %s at %q; found %+v", c.check, c.row, brokenStock(r))
		})
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	b := busyCopy(t)
	b.exec(`UPDATE ledger.segments SET capacity = capacity + 1`)
	r := b.reconcile(reconcile.Options{MaxBreaks: 1})
	var text, jsonText bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"reconcile all events", "segments     1 BROKEN", "segments event 1 segment 1: capacity 41", " breaks\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text has no %q:\n%s", want, &text)
		}
	}
	if err := r.WriteJSON(&jsonText); err != nil {
		t.Fatal(err)
	}
	var back reconcile.Report
	if err := json.Unmarshal(jsonText.Bytes(), &back); err != nil || back.OK || len(back.Checks) != len(r.Checks) {
		t.Errorf("the JSON reads back as %+v, %v", back, err)
	}
	b.exec(`UPDATE ledger.holds SET state = 3 WHERE state = 1`)
	if r = b.reconcile(reconcile.Options{MaxBreaks: 1}); !r.Checks[7].More || len(r.Checks[7].Breaks) != 1 {
		t.Errorf("two breaks, one asked for: %+v", r.Checks[7])
	}
}

func TestJournalIsAppendOnly(t *testing.T) {
	t.Parallel()
	b := busyCopy(t)
	for _, table := range []string{"seat_movements", "flush_batches", "part_epochs"} {
		for _, sql := range []string{"UPDATE ledger." + table + " SET epoch = epoch", "DELETE FROM ledger." + table, "TRUNCATE ledger." + table} {
			if _, err := b.db.SQL().Exec(sql); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
}

// With one connection the checks run one after the other, and find the same.
func TestReconcileOnOneConnection(t *testing.T) {
	t.Parallel()
	b := busyCopy(t)
	one, err := ledger.Open(t.Context(), b.dsn, ledger.Options{AllowNoFsync: true, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { one.Close() })
	all := *b
	all.db = one
	all.wantClean()
	b.exec(`SET session_replication_role = replica; UPDATE ledger.seat_movements SET occurred_at = occurred_at - interval '1 day'; SET session_replication_role = origin`)
	r, want := all.reconcile(reconcile.Options{}), b.reconcile(reconcile.Options{})
	if broken := brokenStock(r); len(broken["chain"]) == 0 || fmt.Sprint(broken) != fmt.Sprint(brokenStock(want)) {
		t.Errorf("with one connection %+v, with several %+v", broken, brokenStock(want))
	}
	if len(r.Checks) != len(want.Checks) {
		t.Errorf("%d checks with one connection, %d with several", len(r.Checks), len(want.Checks))
	}
	for i := range r.Checks {
		if r.Checks[i].Name != want.Checks[i].Name || r.Checks[i].Rows != want.Checks[i].Rows {
			t.Errorf("check %d is %s of %d rows, with several connections %s of %d", i, r.Checks[i].Name, r.Checks[i].Rows, want.Checks[i].Name, want.Checks[i].Rows)
		}
	}
}
