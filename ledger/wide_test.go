package ledger_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
)

const (
	leg, unleg           = 13, 14
	notTrying, legStays  = 60, 61
	wideTry              = time.Hour
	wideSeat1, wideSeat2 = 20, 21 // of the segment of seats
)

func (b *bench) request() ledger.Request {
	return ledger.Request{Scope: uuid.New(), Key: uuid.New(), Fingerprint: uuid.New()}
}

// begin begins to try a hold over both segments.
func (b *bench) begin(id uuid.UUID, quantity int32, quotas ...ledger.Quota) int32 {
	b.t.Helper()
	w := &ledger.WideHold{ID: id, Event: b.event, Part: testPart, Legs: []int32{testSegment, areaSegment}, Quantity: quantity, Quotas: quotas, Request: b.request()}
	try, err := b.db.WideBegin(b.t.Context(), w, wideTry, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return try
}

// legOp is an operation on a leg.
func (b *bench) legOp(kind int16, id uuid.UUID, try int32, from, to int16, seats ...int64) ledger.Op {
	o := b.op(kind, id, from, to, seats...)
	o.Leg, o.Generation = true, try
	return o
}

func (b *bench) commit(id uuid.UUID, try int32, seats ...int64) int32 {
	b.t.Helper()
	code, err := b.db.WideCommit(b.t.Context(), id, try, seats, b.now.Add(time.Hour), b.now.Add(2*time.Hour), b.request(), b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

// wideHeld is a hold over both segments that is held, with the seats that it has.
func (b *bench) wideHeld() (uuid.UUID, []int64) {
	b.t.Helper()
	id, unit := uuid.New(), unitID(50)
	try := b.begin(id, 3, ledger.Quota{Dimension: 1, Key: uuid.New(), Limit: 4})
	b.want(b.flush(b.legOp(leg, id, try, available, held, seatID(wideSeat1), seatID(wideSeat2))), applied)
	b.want(b.flush(b.legOp(leg, id, try, available, held, unit)), applied)
	seats := []int64{seatID(wideSeat1), seatID(wideSeat2), unit}
	if code := b.commit(id, try, seats...); code != ledger.WideDone {
		b.t.Fatalf("the commit said %d", code)
	}
	return id, seats
}

func (b *bench) end(id, orderID uuid.UUID) int32 {
	b.t.Helper()
	code, err := b.db.WideEnd(b.t.Context(), id, orderID, false, ledger.Request{}, b.now)
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

// TestLegsFollowTheirRow: seats are taken for a hold only while it is tried with that try, freed only when it does not keep them, and the books add up
// at each step on the way.
func TestLegsFollowTheirRow(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id := uuid.New()
	one := b.begin(id, 2, ledger.Quota{Dimension: 1, Key: uuid.New(), Limit: 2})
	if one != 1 || b.begin(id, 2) != 0 {
		t.Fatalf("the first try is %d", one)
	}
	b.want(b.flush(b.legOp(leg, id, 2, available, held, seatID(0))), notTrying)
	b.want(b.flush(b.legOp(leg, id, one, available, held, seatID(0))), applied)
	b.want(b.flush(b.legOp(unleg, id, one, held, available, seatID(0))), legStays)
	if code := b.commit(id, one, seatID(0)); code != ledger.WideLacking {
		t.Fatalf("the commit with a part of it said %d", code)
	}
	b.wantClean()
	if dropped, err := b.db.WideDrop(t.Context(), id, one, true, b.now); err != nil || dropped {
		t.Fatalf("somebody dropped it in its time: %v", err)
	}
	if dropped, err := b.db.WideDrop(t.Context(), id, one, false, b.now); err != nil || !dropped {
		t.Fatalf("it was not dropped: %v", err)
	}
	b.wantClean()
	b.want(b.flush(b.legOp(leg, id, one, available, held, seatID(1))), notTrying)
	two := b.begin(id, 2)
	if two != 2 {
		t.Fatalf("the try after one that was dropped is %d", two)
	}
	b.want(b.flush(b.legOp(unleg, id, one, held, available, seatID(0))), applied)
	b.want(b.flush(b.legOp(leg, id, two, available, held, seatID(0), seatID(1))), applied)
	if code := b.commit(id, one, seatID(0), seatID(1)); code != ledger.WideNotTrying {
		t.Fatalf("the late commit of the first try said %d", code)
	}
	if code := b.commit(id, two, seatID(0), seatID(0)); code != ledger.WideLacking {
		t.Fatalf("the commit with one seat twice said %d", code)
	}
	if code := b.commit(id, two, seatID(0), seatID(1)); code != ledger.WideDone {
		t.Fatalf("the commit said %d", code)
	}
	b.want(b.flush(b.legOp(unleg, id, two, held, available, seatID(0), seatID(1))), legStays)
	b.wantClean()
	if code := b.end(id, uuid.Nil); code != ledger.WideDone {
		t.Fatalf("the end said %d", code)
	}
	b.wantClean() // its seats have not followed yet
	b.want(b.flush(b.legOp(unleg, id, two, held, available, seatID(0), seatID(1))), applied)
	b.wantClean()
}

// A wide hold is sold one partition after the other, and its order may be undone in between: what came back counts no more against the limits, and the rest
// until the hold ends.
func TestLimitsOfAWideSaleThatIsUndone(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, seats := b.wideHeld()
	orderID := uuid.New()
	open := &ledger.NewOrder{ID: orderID, Currency: "EUR"}
	for _, s := range seats {
		open.Lines = append(open.Lines, ledger.OrderLine{Seat: s, Face: 5000})
	}
	if code, err := b.db.WideOrder(t.Context(), id, open, b.request(), b.now); err != nil || code != ledger.WideDone {
		t.Fatalf("opening its order said %d: %v", code, err)
	}
	b.orderTo(orderID, "pay_start", 2, 1)
	asLeg := func(o ledger.Op) ledger.Op { o.Leg = true; return o }
	b.want(b.flush(asLeg(b.paid(pin, id, orderID, held, paying, seats[:2]...))), applied)
	b.want(b.flush(asLeg(b.paid(pin, id, orderID, held, paying, seats[2]))), applied)
	b.orderTo(orderID, "pay_ok", 3, 1)
	b.want(b.flush(asLeg(b.paid(sell, id, orderID, paying, sold, seats[:2]...))), applied)
	b.orderTo(orderID, "cancel", 7, 1)
	var key uuid.UUID
	if err := b.db.SQL().QueryRowContext(t.Context(), `SELECT key FROM ledger.quota`).Scan(&key); err != nil {
		t.Fatal(err)
	}
	back := asLeg(b.paid(refund, id, orderID, sold, available, seats[0]))
	back.Quotas = []ledger.Quota{{Dimension: 1, Key: key, Limit: 4}}
	b.want(b.flush(back), applied)
	if n := b.number(`SELECT n FROM ledger.quota`); n != 2 {
		t.Errorf("with one of three given back the counter is %d", n)
	}
	b.wantClean()
}

// TestWideSale sells a hold over two partitions: it ends with the last seat and not before, and a refund gives back what it counted.
func TestWideSale(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, seats := b.wideHeld()
	orderID := uuid.New()
	open := &ledger.NewOrder{ID: orderID, Currency: "EUR"}
	for _, s := range seats {
		open.Lines = append(open.Lines, ledger.OrderLine{Seat: s, Face: 5000})
	}
	r := b.request()
	for _, want := range []int32{ledger.WideDone, ledger.WideReplay} {
		if code, err := b.db.WideOrder(t.Context(), id, open, r, b.now); err != nil || code != want {
			t.Fatalf("opening its order said %d, want %d: %v", code, want, err)
		}
	}
	b.orderTo(orderID, "pay_start", 2, 1)
	if code := b.end(id, orderID); code != ledger.WideOrderNo {
		t.Fatalf("the end of a hold that is being paid said %d", code)
	}
	asLeg := func(o ledger.Op) ledger.Op { o.Leg = true; return o }
	b.want(b.flush(asLeg(b.paid(pin, id, orderID, held, paying, seats[:2]...))), applied)
	other := asLeg(b.paid(pin, uuid.New(), orderID, held, paying, seats[2]))
	b.want(b.flush(other), orderNo) // an order's attempt pins the seats of its own hold
	b.want(b.flush(asLeg(b.paid(pin, id, orderID, held, paying, seats[2]))), applied)
	b.wantClean()
	b.orderTo(orderID, "pay_ok", 3, 1)
	state := func() int { return b.number(`SELECT state FROM ledger.holds WHERE id = $1`, id) }
	b.want(b.flush(asLeg(b.paid(sell, id, orderID, paying, sold, seats[:2]...))), applied)
	if state() != int(ledger.HoldHeld) {
		t.Fatal("it has ended before its last seat was sold")
	}
	b.wantClean()
	b.want(b.flush(asLeg(b.paid(sell, id, orderID, paying, sold, seats[2]))), applied)
	if state() != int(ledger.HoldEnded) {
		t.Fatal("it has not ended with its last seat")
	}
	b.wantClean()
}

// TestCommitOrDrop: of a commit and a drop at the same time one wins, and a leg that comes at the same time is in, or refused.
func TestCommitOrDrop(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	held1, dropped1 := 0, 0
	for i := range 20 {
		id := uuid.New()
		try := b.begin(id, 1)
		b.want(b.flush(b.legOp(leg, id, try, available, held, seatID(i))), applied)
		late := b.batch(b.legOp(leg, id, try, available, held, seatID(i+20)))
		var code int32
		var dropped bool
		var lateOut []int16
		var all sync.WaitGroup
		all.Go(func() { code = b.commit(id, try, seatID(i)) })
		all.Go(func() { dropped, _ = b.db.WideDrop(t.Context(), id, try, false, b.now) })
		all.Go(func() { lateOut = b.send(late) })
		all.Wait()
		if (code == ledger.WideDone) == dropped {
			t.Fatalf("the commit said %d, and dropped is %v", code, dropped)
		}
		if code == ledger.WideDone {
			held1++
			continue // a second leg in one segment is nobody's: a coordinator asks for one, so it is not looked at here
		}
		dropped1++
		if lateOut[0] == applied {
			b.want(b.flush(b.legOp(unleg, id, try, held, available, seatID(i+20))), applied)
		}
	}
	t.Logf("%d held, %d dropped", held1, dropped1)
}

// TestReconcileFindsBrokenWideHolds: somebody changes rows by hand.
func TestReconcileFindsBrokenWideHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, _ := b.wideHeld()
	b.wantClean()
	for name, c := range map[string]struct{ sql, undo, want string }{
		"a seat too few":             {`quantity = 4`, `quantity = 3`, "it is held with 4 seats, but 3"},
		"dropped long ago":           {`state = 2, decided_at = clock_timestamp() - interval '2 minutes'`, `state = 1`, "3 seats are still held"},
		"ended long ago":             {`state = 3, decided_at = clock_timestamp() - interval '2 minutes'`, `state = 1`, "3 seats are still held"},
		"tried for too long":         {`state = 0, deadline = clock_timestamp() - interval '2 minutes'`, `state = 1, deadline = clock_timestamp() + interval '1 hour'`, "longer than it may"},
		"a leg somewhere else":       {`legs = '{1}'`, `legs = '{1,2}'`, "in segments that are not its"},
		"a leg of an earlier try":    {`try = 2, decided_at = clock_timestamp() - interval '2 minutes'`, `try = 1`, "3 seats are still kept for earlier tries"},
		"dropped a moment ago":       {`state = 2, decided_at = clock_timestamp()`, `state = 1`, ""},
		"being tried for a moment":   {`state = 0, deadline = clock_timestamp()`, `state = 1, deadline = clock_timestamp() + interval '1 hour'`, ""},
		"ended, and about to follow": {`state = 3, decided_at = clock_timestamp()`, `state = 1`, ""},
	} {
		b.exec(`UPDATE ledger.holds SET `+c.sql+` WHERE id = $1`, id)
		found := ""
		for _, broken := range brokenStock(b.reconcile(reconcile.Options{}))["holds"] {
			found += broken.Row + ": " + broken.Text + "\n"
		}
		if !strings.Contains(found, c.want) || (found == "") != (c.want == "") {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
		b.exec(`UPDATE ledger.holds SET `+c.undo+` WHERE id = $1`, id)
	}
	b.wantClean()
}
