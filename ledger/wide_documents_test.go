package ledger_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
)

// byName are the limits of a hold over both segments: of a visitor, and a document for each of its seats.
func byName(tid uuid.UUID, names ...uuid.UUID) []ledger.Quota {
	quotas := []ledger.Quota{{Dimension: 1, Key: tid, Limit: 9}}
	for _, name := range names {
		quotas = append(quotas, ledger.Quota{Dimension: 3, Key: name, Limit: 2})
	}
	return quotas
}

func (b *bench) counters(what string, keys []uuid.UUID, want ...int) {
	b.t.Helper()
	var got []int
	for _, key := range keys {
		got = append(got, b.counter(key))
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: the counters are %v, want %v", what, got, want)
	}
}

// standFor are the seats for which the documents of a hold stand, in its order.
func (b *bench) standFor(id uuid.UUID) string {
	b.t.Helper()
	var text string
	if err := b.db.SQL().QueryRowContext(b.t.Context(), `SELECT array_to_string(quota_seats, ' ') FROM ledger.holds WHERE id = $1`, id).Scan(&text); err != nil {
		b.t.Fatal(err)
	}
	return text
}

// TestWideDocuments: of a hold over several segments a document counts 1, from the first try on. Which seat it stands for is known with the leg; what was
// dropped gives all back, and of what was sold each seat its own.
func TestWideDocuments(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, tid, ada, ben, cyd := uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()
	keys := []uuid.UUID{tid, ada, ben, cyd}
	quotas := byName(tid, ada, ben, ada)
	first, second, unit := seatID(0), seatID(1), unitID(50)
	one := b.begin(id, 3, quotas...)
	b.counters("tried", keys, 3, 2, 1, 0)
	leg1 := b.legOp(leg, id, one, available, held, first, second)
	leg2 := b.legOp(leg, id, one, available, held, unit)
	// Who asks for a leg names its documents: not those of others, nor more than the hold has.
	b.want(b.flush(documents(leg1, 2, ben, cyd)), notTrying)
	b.want(b.flush(documents(leg2, 2, ada), documents(leg1, 2, ada, ada)), applied, notTrying)
	b.wantClean()
	if dropped, err := b.db.WideDrop(t.Context(), id, one, false, b.now); err != nil || !dropped {
		t.Fatalf("it was not dropped: %v", err)
	}
	b.counters("dropped", keys, 0, 0, 0, 0)
	two := b.begin(id, 3, quotas...)
	if got := b.standFor(id); got != "0 0 0 0" {
		t.Errorf("the new try knows seats of the one before: %s", got)
	}
	b.want(b.flush(b.legOp(unleg, id, one, held, available, unit)), applied)
	b.want(b.flush(documents(b.legOp(leg, id, two, available, held, first, second), 2, ben, ada)), applied)
	b.want(b.flush(b.legOp(leg, id, two, available, held, unitID(51))), applied) // as a node of the version before takes it
	if code := b.commit(id, two, first, second, unitID(51)); code != ledger.WideLacking {
		t.Fatalf("the commit without a document's seat said %d", code)
	}
	if dropped, err := b.db.WideDrop(t.Context(), id, two, false, b.now); err != nil || !dropped {
		t.Fatalf("it was not dropped: %v", err)
	}
	for _, seats := range [][]int64{{first, second}, {unitID(51)}} {
		b.want(b.flush(b.legOp(unleg, id, two, held, available, seats...)), applied)
	}
	three := b.begin(id, 3, quotas...)
	b.want(b.flush(documents(b.legOp(leg, id, three, available, held, first, second), 2, ben, ada)), applied)
	b.want(b.flush(documents(b.legOp(leg, id, three, available, held, unitID(52)), 2, ada)), applied)
	seats := []int64{first, second, unitID(52)}
	if code := b.commit(id, three, seats...); code != ledger.WideDone {
		t.Fatalf("the commit said %d", code)
	}
	b.wantClean()
	orderID := b.soldWide(id, three, seats)
	b.counters("sold", keys, 3, 2, 1, 0)
	b.wantClean()
	b.orderTo(orderID, "cancel", 7, 1)
	for i, back := range []struct {
		seat int64
		name uuid.UUID
	}{{unitID(52), ada}, {first, ben}, {second, ada}} {
		o := b.paid(refund, id, orderID, sold, available, back.seat)
		o.Leg, o.Generation, o.Quotas = true, three, []ledger.Quota{{Dimension: 1, Key: tid}, {Dimension: 3, Key: back.name, Seat: back.seat}}
		b.want(b.flush(o), applied)
		b.counters("given back", keys, 2-i, []int{1, 1, 0}[i], []int{1, 0, 0}[i], 0)
		b.wantClean()
	}
}

// soldWide sells a hold over both segments, and gives its order.
func (b *bench) soldWide(id uuid.UUID, try int32, seats []int64) uuid.UUID {
	b.t.Helper()
	orderID := uuid.New()
	open := &ledger.NewOrder{ID: orderID, Currency: "EUR"}
	for _, s := range seats {
		open.Lines = append(open.Lines, ledger.OrderLine{Seat: s, Face: 5000})
	}
	if code, err := b.db.WideOrder(b.t.Context(), id, open, b.request(), b.now); err != nil || code != ledger.WideDone {
		b.t.Fatalf("opening its order said %d: %v", code, err)
	}
	b.orderTo(orderID, "pay_start", 2, 1)
	for _, s := range seats {
		o := b.paid(pin, id, orderID, held, paying, s)
		o.Leg, o.Generation = true, try
		b.want(b.flush(o), applied)
	}
	b.orderTo(orderID, "pay_ok", 3, 1)
	for _, s := range seats {
		o := b.paid(sell, id, orderID, paying, sold, s)
		o.Leg, o.Generation = true, try
		b.want(b.flush(o), applied)
	}
	return orderID
}

// TestWideLimitIsToldAgain: a hold that is over a limit is refused for good, and the repetition finds which limit, and what the buyer had; of several the
// first of the request, whatever the order in which counters are locked.
func TestWideLimitIsToldAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	tid, ada, ben := uuid.New(), uuid.New(), uuid.New()
	for range 10 {
		ada, ben = ben, ada
		b.exec(`INSERT INTO ledger.quota(event, dimension, key, n) VALUES ($1, 3, $2, 1), ($1, 3, $3, 2) ON CONFLICT (event, dimension, key) DO UPDATE SET n = excluded.n`, b.event, ada, ben)
		w := &ledger.WideHold{
			ID: uuid.New(), Event: b.event, Part: testPart, Legs: []int32{testSegment, areaSegment}, Quantity: 3, Quotas: byName(tid, ada, ben, ada), Request: b.request(),
		}
		for _, want := range []int32{-int32(overLimit(3, 1)), -ledger.WideReplay} {
			if code, err := b.db.WideBegin(t.Context(), w, wideTry, b.now); err != nil || code != want {
				t.Fatalf("the begin said %d, want %d: %v", code, want, err)
			}
		}
		if r, err := b.db.Replayed(t.Context(), w.Request.Scope, w.Request.Key); err != nil || r.Outcome != overLimit(3, 1) || r.Hold != w.ID {
			t.Fatalf("%+v %v", r, err)
		}
	}
	b.counters("refused", []uuid.UUID{tid}, 0)
	b.exec(`DELETE FROM ledger.quota WHERE dimension = 3`)
	b.wantClean()
}

// TestReconcileFindsNamelessSeats: somebody changes by hand which seats documents stand for.
func TestReconcileFindsNamelessSeats(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, ada, ben := uuid.New(), uuid.New(), uuid.New()
	try := b.begin(id, 2, byName(uuid.New(), ada, ben)...)
	b.want(b.flush(documents(b.legOp(leg, id, try, available, held, seatID(0), seatID(1)), 2, ada, ben)), applied)
	if code := b.commit(id, try, seatID(0), seatID(1)); code != ledger.WideDone {
		t.Fatalf("the commit said %d", code)
	}
	right := b.standFor(id)
	b.wantClean()
	one, other := strconv.FormatInt(seatID(0), 10), strconv.FormatInt(seatID(1), 10)
	for _, wrong := range []string{strings.Replace(right, other, "0", 1), strings.Replace(right, other, one, 1)} {
		b.exec(`UPDATE ledger.holds SET quota_seats = string_to_array($2, ' ')::bigint[] WHERE id = $1`, id, wrong)
		found := brokenStock(b.reconcile(reconcile.Options{}))["limits"]
		if len(found) == 0 || !strings.Contains(found[0].Row, id.String()) || !strings.Contains(found[0].Text, "documents stand for its seat") {
			t.Errorf("%s instead of %s: %+v", wrong, right, found)
		}
	}
	b.exec(`UPDATE ledger.holds SET quota_seats = string_to_array($2, ' ')::bigint[] WHERE id = $1`, id, right)
	b.wantClean()
}
