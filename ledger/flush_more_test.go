package ledger_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// pinnedHold is a hold with an order whose first attempt has pinned its seats.
func (b *bench) pinnedHold(seats ...int64) (id, orderID uuid.UUID) {
	b.t.Helper()
	orderID = uuid.New()
	id, h := b.hold(seats...)
	b.want(b.flush(h), applied)
	b.want(b.flush(b.opened(id, orderID, seats...)), applied)
	b.orderTo(orderID, "pay_start", 2, 1)
	b.want(b.flush(b.paid(pin, id, orderID, held, paying, seats...)), applied)
	return id, orderID
}

// What an order allows its seats to do, state by state. The pin is of attempt 1.
func TestFlushAsksTheOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	const skip = -1
	for state, want := range map[int]struct{ pin, unpin, free, sell int16 }{
		1:  {orderNo, applied, orderNo, orderNo}, // pending payment: back to the hold
		2:  {skip, orderNo, orderNo, orderNo},    // paying: the pin is there already
		3:  {orderNo, orderNo, orderNo, applied}, // paid
		4:  {orderNo, orderNo, orderNo, applied}, // issued
		5:  {orderNo, applied, applied, orderNo}, // expired
		6:  {orderNo, applied, applied, orderNo}, // cancelled
		7:  {orderNo, applied, applied, orderNo}, // refunding
		9:  {orderNo, orderNo, orderNo, applied}, // disputed
		10: {orderNo, orderNo, orderNo, orderNo}, // stuck
	} {
		for kind, outcome := range map[int16]int16{pin: want.pin, unpin: want.unpin, -unpin: want.free, sell: want.sell} {
			if outcome == skip {
				continue
			}
			seat := seatID(b.number(`SELECT count(*) FROM ledger.seats WHERE ver > 0`))
			id, orderID := b.pinnedHold(seat)
			b.force(orderID, state, 1)
			to := map[int16]int16{pin: paying, unpin: held, -unpin: available, sell: sold}[kind]
			o := b.paid(max(kind, -kind), id, orderID, paying, to, seat)
			o.Free = kind < 0
			if got := b.flush(o); got[0] != outcome {
				t.Errorf("order in state %d: kind %d gives %d, want %d", state, kind, got[0], outcome)
			}
		}
	}
}

// force puts an order into a state, whatever its history.
func (b *bench) force(id uuid.UUID, state, attempt int) {
	b.t.Helper()
	b.exec(`SET session_replication_role = replica; UPDATE ledger.orders SET state = ` + itoa(state) + `, attempt = ` + itoa(attempt) + ` WHERE id = '` + id.String() + `'; SET session_replication_role = origin`)
}

// A later attempt's pin takes the place of an earlier one of the same order, never the other way round, and the earlier one cannot be sold.
func TestFlushPinOfALaterAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, orderID := b.pinnedHold(seatID(0))
	b.force(orderID, 2, 2)
	again := b.paid(pin, id, orderID, paying, paying, seatID(0))
	b.want(b.flush(again), orderNo) // attempt 1 is over
	again.Attempt = 2
	b.want(b.flush(again), applied)
	old := b.paid(unpin, id, orderID, paying, held, seatID(0)) // the late news of attempt 1
	if _, err := b.lane.Flush(b.batch(old)); !isConstraint(err) {
		t.Errorf("an unpin of an attempt that was replaced gives %v, want a ConstraintError: memory is wrong about the pin", err)
	}
	b.force(orderID, 3, 2)
	s := b.paid(sell, id, orderID, paying, sold, seatID(0))
	b.want(b.flush(s), orderNo)
	s.Attempt = 2
	b.want(b.flush(s), applied)
	b.wantClean()
}

// Memory that is wrong about whose a seat is, or which life of a hold it is, undoes the batch.
func TestFlushNamesTheHoldAndItsGeneration(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, h := b.hold(seatID(0))
	b.want(b.flush(h), applied)
	_, stranger := b.hold(seatID(1))
	b.want(b.flush(stranger), applied)
	for name, spoil := range map[string]func(*ledger.Op){
		"another hold":       func(o *ledger.Op) { o.Hold = stranger.Hold },
		"another generation": func(o *ledger.Op) { o.Generation = 2 },
		"another version":    func(o *ledger.Op) { o.Moves[0].Ver++ },
		"another state":      func(o *ledger.Op) { o.Moves[0].From, o.Kind, o.Moves[0].To = available, hold, held },
		"another seat":       func(o *ledger.Op) { o.Moves[0].Seat = seatID(2) },
		"no seat":            func(o *ledger.Op) { o.Moves[0].Seat = seatID(testSeats) },
		"another event":      func(o *ledger.Op) { o.Event++ },
	} {
		o := b.op(release, id, held, available, seatID(0))
		spoil(&o)
		if _, err := b.lane.Flush(b.batch(o)); !isConstraint(err) {
			t.Errorf("%s: %v, want a ConstraintError", name, err)
		}
	}
	b.want(b.flush(b.op(release, id, held, available, seatID(0))), applied)
	b.wantClean()
}

func TestFlushRefund(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	buyer := uuid.New()
	id, orderID := b.sold(buyer, seatID(0), seatID(1))
	back := limited(b.paid(refund, id, orderID, sold, available, seatID(0)), buyer, 4)
	b.want(b.flush(back), orderNo) // the order is paid
	b.orderTo(orderID, "issue", 4, 1)
	b.want(b.flush(back), orderNo) // the line is live
	b.endLines(orderID, seatID(0))
	b.want(b.flush(limited(b.paid(refund, id, orderID, sold, available, seatID(0), seatID(1)), buyer, 4)), orderNo) // one of them is
	b.want(b.flush(back), applied)
	if n := b.number(`SELECT count(*) FROM ledger.sales WHERE ended_seq IS NULL`); n != 1 {
		t.Errorf("%d live sales, want 1", n)
	}
	if n := b.number(`SELECT n FROM ledger.quota WHERE key = $1`, buyer); n != 1 {
		t.Errorf("the buyer's counter is %d, want 1", n)
	}
	b.sold(uuid.New(), seatID(0)) // the seat can be sold again
	b.wantClean()
}

// A hold counts against all of its limits or none, and the same buyer's limits of two events are apart.
func TestFlushLimitsOfSeveralDimensionsAndEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	other := b.putOnSale("other")
	tid, account := uuid.New(), uuid.New()
	limits := []ledger.Quota{{Dimension: 1, Key: tid, Limit: 5}, {Dimension: 2, Key: account, Limit: 3}}
	_, x := b.hold(seatID(0), seatID(1))
	_, y := b.hold(seatID(2), seatID(3)) // fits the tid, not the account
	_, z := b.hold(seatID(4))            // fits both
	x.Quotas, y.Quotas, z.Quotas = limits, limits, limits
	elsewhere := x
	elsewhere.Event, elsewhere.Hold, elsewhere.Quotas = other, uuid.New(), []ledger.Quota{{Dimension: 1, Key: tid, Limit: 2}}
	elsewhere2 := y
	elsewhere2.Event, elsewhere2.Hold, elsewhere2.Quotas = other, uuid.New(), elsewhere.Quotas
	b.want(b.flush(x, y, z, elsewhere, elsewhere2), applied, overLimit(2, 2), applied, applied, overLimit(1, 2))
	for _, c := range []struct {
		event int32
		key   uuid.UUID
		want  int
	}{{b.event, tid, 3}, {b.event, account, 3}, {other, tid, 2}} {
		if n := b.number(`SELECT n FROM ledger.quota WHERE event = $1 AND key = $2`, c.event, c.key); n != c.want {
			t.Errorf("event %d: the counter is %d, want %d", c.event, n, c.want)
		}
	}
	b.wantClean()
}

// "Ask again" is not remembered: the same request under the same key is applied once the order is free.
func TestFlushForgetsAskAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	orderID := uuid.New()
	id, h := b.hold(seatID(0))
	b.want(b.flush(h), applied)
	b.want(b.flush(b.opened(id, orderID, seatID(0))), applied)
	tx, err := b.db.SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ledger.orders WHERE id = $1 FOR UPDATE`, orderID); err != nil {
		t.Fatal(err)
	}
	r := keyed(b.op(release, id, held, available, seatID(0)))
	r.Order = orderID
	b.want(b.flush(r), orderLocked)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	b.want(b.flush(r), applied)
	b.want(b.flush(r), replay)
	b.wantClean()
}

// A hold that expires takes its pending order with it, and one that is being paid does not expire.
func TestFlushExpiresTheOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	orderID := uuid.New()
	id, h := b.hold(seatID(0))
	h.Deadline = time.Now().Add(-time.Second)
	b.want(b.flush(h), applied)
	b.want(b.flush(b.opened(id, orderID, seatID(0))), applied)
	e := b.op(expire, id, held, available, seatID(0))
	b.force(orderID, 2, 1)
	b.want(b.flush(e), orderNo)
	b.force(orderID, 1, 1)
	b.want(b.flush(e), applied)
	if n := b.number(`SELECT state FROM ledger.orders WHERE id = $1`, orderID); n != 5 {
		t.Errorf("the order has state %d, want expired", n)
	}
	b.want(b.flush(b.opened(id, uuid.New(), seatID(0))), holdGone)
	b.wantClean()
}
