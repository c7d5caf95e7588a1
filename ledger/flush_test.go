package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

func TestFlushLifeOfASeat(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	orderID := uuid.New()
	id, h := b.hold(seatID(0), seatID(1))
	b.want(b.flush(keyed(h)), applied)
	b.want(b.flush(keyed(b.opened(id, orderID, seatID(0), seatID(1)))), applied)
	pinned := b.op(pin, id, held, paying, seatID(0), seatID(1))
	pinned.Order, pinned.Attempt = orderID, 1
	b.want(b.flush(pinned), orderNo)
	b.orderTo(orderID, "pay_start", 2, 1)
	b.want(b.flush(pinned), applied)
	sold1 := b.op(sell, id, paying, sold, seatID(0), seatID(1))
	sold1.Order, sold1.Attempt = orderID, 1
	b.want(b.flush(sold1), orderNo)
	b.orderTo(orderID, "pay_ok", 3, 1)
	b.want(b.flush(sold1), applied)
	if n := b.number(`SELECT sum(price) FROM ledger.sales WHERE order_id = $1 AND ended_seq IS NULL`, orderID); n != 2*5300 {
		t.Errorf("sold for %d, want %d", n, 2*5300)
	}
	if n := b.number(`SELECT state FROM ledger.holds WHERE id = $1`, id); n != 3 {
		t.Errorf("the hold of sold seats has state %d, want ended", n)
	}
	if n := b.number(`SELECT count(*) FROM ledger.seat_movements`); n != 6 {
		t.Errorf("%d movements, want 6", n)
	}
	if n := b.number(`SELECT sold FROM ledger.segments WHERE segment = 1`); n != 2 {
		t.Errorf("segment counts %d sold, want 2", n)
	}
}

func TestFlushResend(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	buyer := uuid.New()
	_, h := b.hold(seatID(0), seatID(1))
	_, over := b.hold(seatID(2), seatID(3))
	f := b.batch(limited(keyed(h), buyer, 3), limited(keyed(over), buyer, 3))
	b.want(b.send(f), applied, overLimit(1, 2))
	again, err := b.lane.Flush(f)
	if err != nil {
		t.Fatal(err)
	}
	if !again[0].Resent {
		t.Error("a resend was not seen as one")
	}
	b.want(again[0].Outcomes, applied, overLimit(1, 2))
	if n := b.number(`SELECT count(*) FROM ledger.seat_movements`); n != 2 {
		t.Errorf("%d movements after a resend, want 2", n)
	}
	other := *f
	other.Batch = uuid.New()
	results, err := b.lane.Flush(&other)
	if err != nil {
		t.Fatal(err)
	}
	if !results[0].Fenced {
		t.Error("another batch with a sequence number that was used is not fenced")
	}
}

func TestFlushFences(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*ledger.Flush){
		"wrong epoch":   func(f *ledger.Flush) { f.Works[0].Epoch-- },
		"later epoch":   func(f *ledger.Flush) { f.Works[0].Epoch++ },
		"other session": func(f *ledger.Flush) { f.Session++ },
		"gap":           func(f *ledger.Flush) { f.Works[0].Seq++ },
		"used number":   func(f *ledger.Flush) { f.Works[0].Seq-- },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, database(t).DSN)
			_, first := b.hold(seatID(9))
			b.want(b.flush(first), applied)
			_, h := b.hold(seatID(0))
			f := b.batch(h)
			spoil(f)
			results, err := b.lane.Flush(f)
			if err != nil {
				t.Fatal(err)
			}
			if !results[0].Fenced || len(results[0].Outcomes) != 0 {
				t.Errorf("got %+v, want fenced", results[0])
			}
			if n := b.number(`SELECT count(*) FROM ledger.seats WHERE state <> 0`); n != 1 {
				t.Errorf("%d seats moved, want 1: a fenced batch wrote", n)
			}
		})
	}
}

func TestFlushTakeOverFencesTheOldOwner(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	_, h := b.hold(seatID(0))
	late := b.batch(h)
	old := b.lane
	if err := b.db.SessionEnd(t.Context(), b.session); err != nil {
		t.Fatal(err)
	}
	b.claim("n2")
	results, err := old.Flush(late)
	if err != nil {
		t.Fatal(err)
	}
	if !results[0].Fenced {
		t.Fatal("the old owner's flush was applied after the take-over")
	}
	loaded, err := b.db.Load(t.Context(), []int32{testPart})
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Seats) != 0 || len(loaded.Segments) != 1 {
		t.Errorf("loaded %d moved seats in %d segments, want 0 in 1", len(loaded.Seats), len(loaded.Segments))
	}
}

func TestFlushPartlyFenced(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	_, h := b.hold(seatID(0))
	_, u := b.hold(unitID(1))
	f := b.batch(h)
	f.Works = append(f.Works, ledger.Work{Part: areaPart, Epoch: b.epoch[areaPart] + 1, Seq: 1, Ops: []ledger.Op{u}})
	for range 2 { // the second time is a resend of a half
		results, err := b.lane.Flush(f)
		if err != nil {
			t.Fatal(err)
		}
		if results[0].Fenced || !results[1].Fenced {
			t.Fatalf("got %+v, want the first applied and the second fenced", results)
		}
		b.want(results[0].Outcomes, applied)
	}
}

func TestFlushIdempotency(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, h := b.hold(seatID(0))
	first := keyed(h)
	b.want(b.flush(first), applied)
	_, again := b.hold(seatID(5))
	again.Scope, again.Key, again.Fingerprint = first.Scope, first.Key, first.Fingerprint
	b.want(b.flush(again), replay)
	again.Fingerprint = uuid.New()
	b.want(b.flush(again), keyReused)
	r, err := b.db.Replayed(t.Context(), first.Scope, first.Key)
	if err != nil {
		t.Fatal(err)
	}
	if r.Hold != id || r.Outcome != applied || r.Fingerprint != first.Fingerprint {
		t.Errorf("the replay is %+v", r)
	}
	if _, err := b.db.Replayed(t.Context(), first.Scope, uuid.New()); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("an unknown request gives %v, want ErrNotFound", err)
	}
	// Twice in one batch: the first stands.
	_, x := b.hold(seatID(6))
	_, y := b.hold(seatID(7))
	x = keyed(x)
	y.Scope, y.Key, y.Fingerprint = x.Scope, x.Key, x.Fingerprint
	b.want(b.flush(x, y), applied, replay)
}

func TestFlushRemembersARefusal(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	_, h := b.hold(seatID(0), seatID(1))
	h = limited(keyed(h), uuid.New(), 1)
	b.want(b.flush(h), overLimit(1, 0))
	r, err := b.db.Replayed(t.Context(), h.Scope, h.Key)
	if err != nil || r.Outcome != overLimit(1, 0) {
		t.Fatalf("the refusal is remembered as %+v, %v", r, err)
	}
	n := keyed(b.op(note, uuid.New(), 0, 0))
	n.Refused = 9
	b.want(b.flush(n), applied)
	if r, err = b.db.Replayed(t.Context(), n.Scope, n.Key); err != nil || r.Refused != 9 {
		t.Fatalf("the note is remembered as %+v, %v", r, err)
	}
}

func TestFlushLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	buyer := uuid.New()
	var ops []ledger.Op
	var ids []uuid.UUID
	for i := range 5 {
		id, h := b.hold(seatID(2*i), seatID(2*i+1))
		ids = append(ids, id)
		ops = append(ops, limited(h, buyer, 5))
	}
	b.want(b.flush(ops...), applied, applied, overLimit(1, 4), overLimit(1, 4), overLimit(1, 4))
	count := func() int { return b.number(`SELECT n FROM ledger.quota WHERE key = $1`, buyer) }
	if n := count(); n != 4 {
		t.Fatalf("the counter is %d, want 4", n)
	}
	r := limited(b.op(release, ids[0], held, available, seatID(0), seatID(1)), buyer, 5)
	_, h := b.hold(seatID(20), seatID(21), seatID(22))
	b.want(b.flush(r, limited(h, buyer, 5)), applied, applied)
	if n := count(); n != 5 {
		t.Fatalf("the counter is %d, want 5", n)
	}
}

func TestFlushExpiryByTheDatabasesClock(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, h := b.hold(seatID(0))
	b.want(b.flush(h), applied)
	e := b.op(expire, id, held, available, seatID(0))
	b.want(b.flush(e), notExpired)
	later := b.op(extend, id, held, held)
	later.Deadline = time.Now().Add(-time.Second)
	b.want(b.flush(later), applied)
	b.want(b.flush(e), applied)
	e.Moves[0].Ver++
	b.want(b.flush(e), holdGone)
}

func TestFlushEndsTheOrderWithTheHold(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	orderID := uuid.New()
	id, h := b.hold(seatID(0))
	b.want(b.flush(h), applied)
	b.want(b.flush(b.opened(id, orderID, seatID(0))), applied)
	b.want(b.flush(b.opened(id, uuid.New(), seatID(0))), orderOpen)
	r := b.op(release, id, held, available, seatID(0))
	b.want(b.flush(r), orderNo) // a release that does not name the order
	r.Order = orderID
	b.orderTo(orderID, "pay_start", 2, 1)
	b.want(b.flush(r), orderNo) // the order is being paid
	b.orderTo(orderID, "pay_fail", 1, 1)

	tx, err := b.db.SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ledger.orders WHERE id = $1 FOR UPDATE`, orderID); err != nil {
		t.Fatal(err)
	}
	b.want(b.flush(r), orderLocked) // never waits for an order
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	b.want(b.flush(r), applied)
	if n := b.number(`SELECT state FROM ledger.orders WHERE id = $1`, orderID); n != 6 {
		t.Errorf("the order has state %d, want cancelled", n)
	}
}

func TestFlushUnpin(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	orderID := uuid.New()
	id, h := b.hold(seatID(0))
	b.flush(h)
	b.flush(b.opened(id, orderID, seatID(0)))
	b.orderTo(orderID, "pay_start", 2, 1)
	p := b.op(pin, id, held, paying, seatID(0))
	p.Order, p.Attempt = orderID, 1
	b.want(b.flush(p), applied)
	u := b.op(unpin, id, paying, held, seatID(0))
	u.Order, u.Attempt = orderID, 1
	b.want(b.flush(u), orderNo)
	b.orderTo(orderID, "pay_fail", 1, 1)
	b.want(b.flush(u), applied)
}

func TestFlushArea(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, h := b.hold(unitID(1), unitID(2))
	b.want(b.flush(h), applied)
	b.want(b.flush(b.op(release, id, held, available, unitID(1), unitID(2))), applied)
	loaded, err := b.db.Load(t.Context(), []int32{areaPart})
	if err != nil {
		t.Fatal(err)
	}
	if s := loaded.Segments[0]; s.NextUnit != 3 || s.Held != 0 {
		t.Errorf("the area is %+v, want the next unit 3 and nothing held", s)
	}
	_, again := b.hold(unitID(1)) // a number is never used twice
	again.Moves[0].Ver = 1
	if _, err := b.lane.Flush(b.batch(again)); !isConstraint(err) {
		t.Errorf("holding a spent unit gives %v, want a ConstraintError", err)
	}
}

func isConstraint(err error) bool {
	var c *ledger.ConstraintError
	return errors.As(err, &c)
}

// The database's own last line: whatever memory believes, a seat that is not where it should be undoes the whole batch.
func TestFlushLastLine(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	_, h := b.hold(seatID(0))
	b.want(b.flush(h), applied)
	_, thief := b.hold(seatID(0)) // with the right version, in the wrong state
	_, fine := b.hold(seatID(1))
	if _, err := b.lane.Flush(b.batch(fine, thief)); !isConstraint(err) {
		t.Fatalf("taking a held seat gives %v, want a ConstraintError", err)
	}
	if n := b.number(`SELECT count(*) FROM ledger.seats WHERE state = 1`); n != 1 {
		t.Errorf("%d seats are held, want 1", n)
	}
	if n := b.number(`SELECT count(*) FROM ledger.flush_conflicts`); n != 1 {
		t.Errorf("%d conflicts are written down, want 1", n)
	}
	b.want(b.flush(fine), applied) // the lane and the sequence go on
}

func TestFlushRefusesAMalformedBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	_, h := b.hold(seatID(0))
	unknown := h
	unknown.Kind = 99
	missing := h
	missing.Kind = order
	for name, f := range map[string]*ledger.Flush{"unknown kind": b.batch(unknown), "no order": b.batch(missing)} {
		if _, err := b.lane.Flush(f); err == nil || errors.Is(err, ledger.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := b.batch(h)
	f.Works = append(f.Works, f.Works[0])
	if _, err := b.lane.Flush(f); err == nil {
		t.Error("a partition twice in one flush is accepted")
	}
}
