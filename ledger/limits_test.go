package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/ledger"
)

// documents adds limits of one seat each: names[i] is the document of the i-th seat of the operation.
func documents(o ledger.Op, limit int32, names ...uuid.UUID) ledger.Op {
	for i, name := range names {
		o.Quotas = append(o.Quotas, ledger.Quota{Dimension: 3, Key: name, Limit: limit, Seat: o.Moves[i].Seat})
	}
	return o
}

func (b *bench) counter(key uuid.UUID) int {
	b.t.Helper()
	return b.number(`SELECT coalesce((SELECT n FROM ledger.quota WHERE event = $1 AND key = $2), 0)`, b.event, key)
}

// A document counts with the seats that it stands for: twice in one hold it counts twice, and seats that come back one by one give back their own.
func TestFlushDocuments(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	tid, ada, ben, cyd := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	of := func(o ledger.Op, names ...uuid.UUID) ledger.Op { return documents(limited(o, tid, 9), 2, names...) }
	_, twice := b.hold(seatID(0), seatID(1), seatID(2))
	_, third := b.hold(seatID(4), seatID(5))
	_, other := b.hold(seatID(6), seatID(7))
	// The second is over Ada's limit by one and leaves nothing behind; the third fits.
	b.want(b.flush(of(twice, ada, ben, ada), of(third, cyd, ada), of(other, cyd, cyd)), applied, overLimit(3, 2), applied)
	wants := func(what string, tids, adas, bens, cyds int) {
		t.Helper()
		if got := []int{b.counter(tid), b.counter(ada), b.counter(ben), b.counter(cyd)}; !slices.Equal(got, []int{tids, adas, bens, cyds}) {
			t.Errorf("%s: the counters are %v, want %v", what, got, []int{tids, adas, bens, cyds})
		}
	}
	wants("held", 5, 2, 1, 2)
	seats := []int64{seatID(0), seatID(1), seatID(2)}
	orderID := uuid.New()
	b.want(b.flush(b.opened(twice.Hold, orderID, seats...)), applied)
	b.orderTo(orderID, "pay_start", 2, 1)
	b.want(b.flush(b.paid(pin, twice.Hold, orderID, held, paying, seats...)), applied)
	b.orderTo(orderID, "pay_ok", 3, 1)
	b.want(b.flush(b.paid(sell, twice.Hold, orderID, paying, sold, seats...)), applied)
	wants("sold", 5, 2, 1, 2)
	b.wantClean()
	b.orderTo(orderID, "cancel", 7, 1)
	b.want(b.flush(of(b.paid(refund, twice.Hold, orderID, sold, available, seatID(1)), ben)), applied)
	wants("Ben's seat is back", 4, 2, 0, 2)
	b.wantClean()
	b.want(b.flush(of(b.paid(refund, twice.Hold, orderID, sold, available, seatID(0), seatID(2)), ada, ada)), applied)
	b.want(b.flush(of(b.op(release, other.Hold, held, available, seatID(6), seatID(7)), cyd, cyd)), applied)
	wants("all back", 0, 0, 0, 0)
	b.wantClean()
}

// What is over a limit only because of a hold that is being tried may fit in a moment: it is told "ask again", and nothing is remembered. What is
// over it anyhow is refused for good, also by another dimension than the one that is being tried.
func TestFlushLimitBusy(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	tid, account := uuid.New(), uuid.New()
	b.exec(`INSERT INTO ledger.holds(id, event, segment, part, state, generation, quantity, quota_dims, quota_keys, quota_limits, quota_seats, deadline, max_expires_at)
		VALUES ($1, $2, 99, 0, 0, 1, 2, '{1}', ARRAY[$3::uuid], '{4}', '{0}', now(), now())`, uuidOf("trying"), b.event, tid)
	b.exec(`INSERT INTO ledger.quota(event, dimension, key, n) VALUES ($1, 1, $2, 2)`, b.event, tid)
	both := func(o ledger.Op) ledger.Op {
		o.Quotas = []ledger.Quota{{Dimension: 1, Key: tid, Limit: 4}, {Dimension: 2, Key: account, Limit: 4}}
		return o
	}
	_, h := b.hold(seatID(0), seatID(1), seatID(2))
	h = both(keyed(h))
	b.want(b.flush(h), limitBusy)
	if _, err := b.db.Replayed(t.Context(), h.Scope, h.Key); err == nil {
		t.Error("\"ask again\" is remembered")
	}
	_, large := b.hold(seatID(3), seatID(4), seatID(5), seatID(6), seatID(7))
	b.want(b.flush(both(keyed(large))), overLimit(1, 2)) // five are more than four
	b.exec(`INSERT INTO ledger.quota(event, dimension, key, n) VALUES ($1, 2, $2, 2) ON CONFLICT (event, dimension, key) DO UPDATE SET n = 2`, b.event, account)
	b.want(b.flush(both(keyed(h))), overLimit(2, 2)) // the account is over its limit for good
	b.exec(`UPDATE ledger.quota SET n = 0 WHERE dimension = 2`)
	// The try is given up, and the same request fits.
	b.exec(`UPDATE ledger.holds SET state = 2 WHERE id = $1`, uuidOf("trying"))
	b.exec(`UPDATE ledger.quota SET n = 0 WHERE key = $1`, tid)
	b.want(b.flush(h), applied)
	b.wantClean()
}

// mark is one seat that counts, as the obvious model has it: the buyer's keys, and what the seat is.
type mark struct {
	keys  [3]uuid.UUID // tid, account, document
	seat  int64
	state int16
}

// TestCountersModel sends random holds, with visitors, accounts and documents of which some are the same, lets them be released, run out, be paid and
// come back in parts, and compares each counter with a count of the seats.
func TestCountersModel(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		b.claim("n1") // the run before may have ended in the middle
		b.event, b.ver = b.putOnSale(fmt.Sprintf("run-%d", run)), map[int64]int32{}
		m := &counters{T: rt, bench: b, holds: map[uuid.UUID][]mark{}, orders: map[uuid.UUID]uuid.UUID{}}
		for d := range m.keys {
			m.keys[d] = [2]uuid.UUID{uuid.New(), uuid.New()}
		}
		for range rapid.IntRange(5, 30).Draw(rt, "steps") {
			m.step()
			m.compare()
		}
	})
	b.wantClean()
}

type counters struct {
	*rapid.T
	*bench
	holds  map[uuid.UUID][]mark
	ids    []uuid.UUID // of holds, in order
	orders map[uuid.UUID]uuid.UUID
	keys   [3][2]uuid.UUID
	next   int
}

const counterLimit = 3

func (m *counters) step() {
	live := slices.DeleteFunc(slices.Clone(m.ids), func(id uuid.UUID) bool { return len(m.holds[id]) == 0 })
	if len(live) == 0 || rapid.IntRange(0, 2).Draw(m.T, "new") == 0 && m.next < 60 {
		m.batch()
		return
	}
	id := rapid.SampledFrom(live).Draw(m.T, "hold")
	switch marks := m.holds[id]; {
	case marks[0].state == sold:
		n := rapid.IntRange(1, len(marks)).Draw(m.T, "come back")
		m.back(refund, id, marks[:n], sold)
	case m.orders[id] == (uuid.UUID{}) && rapid.Bool().Draw(m.T, "ends"):
		kind := rapid.SampledFrom([]int16{release, expire}).Draw(m.T, "kind")
		m.exec(`UPDATE ledger.holds SET deadline = now() - interval '1 minute' WHERE id = $1`, id)
		m.back(kind, id, marks, held)
	default:
		m.pay(id, marks)
	}
}

// batch sends a few holds together, each decided by what the ones before it left.
func (m *counters) batch() {
	var ops []ledger.Op
	var want []int16
	used := m.sums()
	for range rapid.IntRange(1, 3).Draw(m.T, "holds") {
		var seats []int64
		for range rapid.IntRange(1, 3).Draw(m.T, "party") {
			seats = append(seats, unitID(m.next+1))
			m.next++
		}
		pick := func(d int, what string) uuid.UUID { return m.keys[d][rapid.IntRange(0, 1).Draw(m.T, what)] }
		id, o := m.hold(seats...)
		tid, account := pick(0, "tid"), pick(1, "account")
		o.Quotas = []ledger.Quota{{Dimension: 1, Key: tid, Limit: counterLimit}, {Dimension: 2, Key: account, Limit: counterLimit + 1}}
		var marks []mark
		asked := map[uuid.UUID]int{tid: len(seats), account: len(seats)}
		for _, seat := range seats {
			document := pick(2, "document")
			marks = append(marks, mark{[3]uuid.UUID{tid, account, document}, seat, held})
			o = documentOf(o, document, seat)
			asked[document]++
		}
		outcome := int16(applied)
		for _, q := range o.Quotas {
			if used[q.Key]+asked[q.Key] > int(q.Limit) {
				outcome = overLimit(q.Dimension, int16(used[q.Key]))
				break
			}
		}
		if outcome == applied {
			m.holds[id], m.ids = marks, append(m.ids, id)
			for k, n := range asked {
				used[k] += n
			}
		}
		ops, want = append(ops, o), append(want, outcome)
	}
	m.want(m.flush(ops...), want...)
}

func documentOf(o ledger.Op, key uuid.UUID, seat int64) ledger.Op {
	o.Quotas = append(o.Quotas, ledger.Quota{Dimension: 3, Key: key, Limit: counterLimit - 1, Seat: seat})
	return o
}

// back frees seats of a hold, which give back what they counted.
func (m *counters) back(kind int16, id uuid.UUID, marks []mark, from int16) {
	var seats []int64
	for _, k := range marks {
		seats = append(seats, k.seat)
	}
	o := m.op(kind, id, from, available, seats...)
	if kind == refund {
		o.Order, o.Attempt = m.orders[id], 1
		m.force(m.orders[id], 7, 1)
		m.endLines(m.orders[id])
	}
	o.Quotas = []ledger.Quota{{Dimension: 1, Key: marks[0].keys[0]}, {Dimension: 2, Key: marks[0].keys[1]}}
	for _, k := range marks {
		o = documentOf(o, k.keys[2], k.seat)
	}
	m.want(m.flush(o), applied)
	m.holds[id] = m.holds[id][len(marks):]
}

// pay takes a hold from its order to its sale, or to a payment that fails and frees the seats.
func (m *counters) pay(id uuid.UUID, marks []mark) {
	var seats []int64
	for _, k := range marks {
		seats = append(seats, k.seat)
	}
	orderID := uuid.New()
	m.orders[id] = orderID
	m.want(m.flush(m.onArea(m.opened(id, orderID, seats...))), applied)
	m.orderTo(orderID, "pay_start", 2, 1)
	m.want(m.flush(m.paid(pin, id, orderID, held, paying, seats...)), applied)
	if rapid.IntRange(0, 3).Draw(m.T, "fails") == 0 {
		m.force(orderID, 5, 1)
		o := m.paid(unpin, id, orderID, paying, available, seats...)
		o.Free = true
		o.Quotas = []ledger.Quota{{Dimension: 1, Key: marks[0].keys[0]}, {Dimension: 2, Key: marks[0].keys[1]}}
		for _, k := range marks {
			o = documentOf(o, k.keys[2], k.seat)
		}
		m.want(m.flush(o), applied)
		m.holds[id] = nil
		return
	}
	m.orderTo(orderID, "pay_ok", 3, 1)
	m.want(m.flush(m.paid(sell, id, orderID, paying, sold, seats...)), applied)
	for i := range marks {
		marks[i].state = sold
	}
}

// onArea puts an operation without seats on the area.
func (m *counters) onArea(o ledger.Op) ledger.Op {
	o.Area, o.Segment = true, areaSegment
	return o
}

// sums counts the seats, one by one.
func (m *counters) sums() map[uuid.UUID]int {
	sums := map[uuid.UUID]int{}
	for _, marks := range m.holds {
		for _, k := range marks {
			for _, key := range k.keys {
				sums[key]++
			}
		}
	}
	return sums
}

func (m *counters) compare() {
	sums := m.sums()
	for d := range m.keys {
		for _, key := range m.keys[d] {
			if got := m.counter(key); got != sums[key] {
				m.Fatalf("the counter of dimension %d is %d, the seats make %d", d+1, got, sums[key])
			}
		}
	}
}
