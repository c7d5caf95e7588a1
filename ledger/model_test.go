package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/ledger"
)

// model is a slow, obvious ledger: what ledger.flush should answer, and what should be in the tables.
type model struct {
	seats  map[int64]*modelSeat
	holds  map[uuid.UUID]*modelHold
	orders map[uuid.UUID]*modelOrder
	counts map[uuid.UUID]int32 // by buyer
	keys   map[uuid.UUID]uuid.UUID
}

type modelSeat struct {
	state int16
	ver   int32
	hold  uuid.UUID
}

type modelHold struct {
	id      uuid.UUID
	live    bool
	seats   []int64
	buyer   uuid.UUID
	order   uuid.UUID
	overdue bool
	pinned  int32 // attempt
}

type modelOrder struct{ state, attempt int }

const modelLimit = 3

// flush answers a batch and applies it: requests first, then holds and orders, then give-backs, then the limits of new holds.
func (m *model) flush(ops []ledger.Op) []int16 {
	out := make([]int16, len(ops))
	for i := range ops {
		out[i] = m.request(&ops[i])
	}
	for i := range ops {
		if out[i] == applied {
			out[i] = m.check(&ops[i])
		}
	}
	for i := range ops {
		if out[i] == applied && len(ops[i].Quotas) > 0 && ops[i].Kind != hold {
			m.counts[ops[i].Quotas[0].Key] -= ops[i].Quantity
		}
	}
	for i := range ops {
		if q := ops[i].Quotas; out[i] == applied && ops[i].Kind == hold {
			if m.counts[q[0].Key]+ops[i].Quantity > q[0].Limit {
				out[i] = overLimit(1, int16(m.counts[q[0].Key]))
				continue
			}
			m.counts[q[0].Key] += ops[i].Quantity
		}
	}
	for i := range ops {
		if out[i] == applied {
			m.apply(&ops[i])
		}
	}
	return out
}

func (m *model) request(o *ledger.Op) int16 {
	if o.Key == (uuid.UUID{}) {
		return applied
	}
	fingerprint, known := m.keys[o.Key]
	switch {
	case !known:
		m.keys[o.Key] = o.Fingerprint
		return applied
	case fingerprint == o.Fingerprint:
		return replay
	}
	return keyReused
}

func (m *model) check(o *ledger.Op) int16 {
	h := m.holds[o.Hold]
	live := h != nil && h.live
	var of *modelOrder
	if h != nil {
		of = m.orders[h.order]
	}
	switch o.Kind {
	case extend, release, expire, order:
		if !live {
			return holdGone
		}
	case pin, unpin, sell, refund:
		return m.allows(o)
	default:
		return applied
	}
	switch {
	case o.Kind == expire && !h.overdue:
		return notExpired
	case of == nil || o.Kind == extend:
		return applied
	case o.Kind == order && of.state != 5 && of.state != 6:
		return orderOpen
	case o.Kind == release && o.Order != h.order:
		return orderNo
	case o.Kind != order && of.state != 1 && of.state < 5:
		return orderNo
	}
	return applied
}

func (m *model) allows(o *ledger.Op) int16 {
	x := m.orders[o.Order]
	ended := x.state >= 5
	ok := map[int16]bool{
		pin:    x.state == 2 && x.attempt == int(o.Attempt),
		unpin:  (x.attempt > int(o.Attempt) || x.state == 1 || ended) && (!o.Free || ended),
		sell:   (x.state == 3 || x.state == 4) && x.attempt == int(o.Attempt),
		refund: x.state >= 6,
	}[o.Kind]
	if ok {
		return applied
	}
	return orderNo
}

func (m *model) apply(o *ledger.Op) {
	h := m.holds[o.Hold]
	switch o.Kind {
	case hold:
		h = &modelHold{id: o.Hold, live: true, buyer: o.Quotas[0].Key, overdue: o.Deadline.Before(time.Now())}
		for _, move := range o.Moves {
			h.seats = append(h.seats, move.Seat)
		}
		m.holds[o.Hold] = h
	case extend:
		h.overdue = false
	case order:
		h.order = o.NewOrder.ID
		m.orders[h.order] = &modelOrder{state: 1}
	case pin:
		h.pinned = o.Attempt
	case release, expire:
		h.live = false
		if x := m.orders[h.order]; x != nil && x.state == 1 {
			x.state = map[int16]int{release: 6, expire: 5}[o.Kind]
		}
	case sell:
		h.live = false
	case unpin:
		h.live = !o.Free
	}
	for _, move := range o.Moves {
		s := m.seats[move.Seat]
		s.state, s.ver, s.hold = move.To, move.Ver, uuid.UUID{}
		if move.To != available {
			s.hold = o.Hold
		}
	}
}

// draw makes an operation that an owner could send: its memory is right about the seats. Which holds and seats are in the batch already is in used.
func (m *model) draw(t *rapid.T, b *bench, buyers []uuid.UUID, used map[any]bool) (ledger.Op, bool) {
	kinds := []int16{hold, hold, hold, extend, release, expire, order, order, order, pin, pin, pin, unpin, unpin, sell, sell, refund, refund, note}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	switch kind {
	case hold:
		return m.drawHold(t, b, buyers, used)
	case note:
		return b.op(note, uuid.New(), 0, 0), true
	}
	var fit []*modelHold
	from := map[int16]int16{extend: held, release: held, expire: held, order: held, pin: held, unpin: paying, sell: paying, refund: sold}[kind]
	for _, h := range m.holds {
		if s := m.seats[h.seats[0]]; s.hold == h.id && s.state == from && !used[h.id] {
			fit = append(fit, h)
		}
	}
	if len(fit) == 0 {
		return ledger.Op{}, false
	}
	slices.SortFunc(fit, func(x, y *modelHold) int { return int(x.seats[0] - y.seats[0]) })
	h := rapid.SampledFrom(fit).Draw(t, "hold")
	used[h.id] = true
	return m.drawChange(t, b, kind, from, h)
}

func (m *model) drawHold(t *rapid.T, b *bench, buyers []uuid.UUID, used map[any]bool) (ledger.Op, bool) {
	var seats []int64
	for seat, s := range m.seats {
		if s.state == available && !used[seat] {
			seats = append(seats, seat)
		}
	}
	slices.Sort(seats)
	if len(seats) == 0 {
		return ledger.Op{}, false
	}
	at := rapid.IntRange(0, len(seats)-1).Draw(t, "seat")
	seats = seats[at:min(at+rapid.IntRange(1, 2).Draw(t, "party"), len(seats))]
	id := uuid.New()
	o := b.op(hold, id, available, held, seats...)
	for i, seat := range seats {
		used[seat] = true
		o.Moves[i].Ver = m.seats[seat].ver + 1
	}
	o.Quotas = []ledger.Quota{{Dimension: 1, Key: rapid.SampledFrom(buyers).Draw(t, "buyer"), Limit: modelLimit}}
	if rapid.Bool().Draw(t, "overdue") {
		o.Deadline = time.Now().Add(-time.Hour)
	}
	return o, true
}

func (m *model) drawChange(t *rapid.T, b *bench, kind, from int16, h *modelHold) (ledger.Op, bool) {
	if kind == order {
		o := b.opened(h.id, uuid.New(), h.seats...)
		return o, true
	}
	if kind >= pin && kind != release && kind != expire && h.order == (uuid.UUID{}) {
		return ledger.Op{}, false
	}
	o := b.op(kind, h.id, from, from)
	o.Quantity, o.Order, o.Attempt = int32(len(h.seats)), h.order, h.pinned
	to := map[int16]int16{release: available, expire: available, pin: paying, unpin: held, sell: sold, refund: available}[kind]
	switch kind {
	case extend:
		return o, true
	case release:
		if rapid.IntRange(0, 3).Draw(t, "forgets the order") == 0 {
			o.Order = uuid.UUID{}
		}
	case pin:
		o.Attempt = int32(m.orders[h.order].attempt)
		if rapid.IntRange(0, 4).Draw(t, "late") == 0 {
			o.Attempt--
		}
	case unpin:
		if o.Free = rapid.Bool().Draw(t, "free"); o.Free {
			to = available
		}
	}
	if to == available {
		o.Quotas = []ledger.Quota{{Dimension: 1, Key: h.buyer, Limit: modelLimit}}
	}
	for _, seat := range h.seats {
		o.Moves = append(o.Moves, ledger.Move{Seat: seat, Ver: m.seats[seat].ver + 1, From: from, To: to})
	}
	return o, true
}

// serve moves an order as the order service would.
func (m *model) serve(t *rapid.T, b *bench) {
	var ids []uuid.UUID
	for _, h := range m.holds {
		if s := m.seats[h.seats[0]]; h.order != (uuid.UUID{}) && s.hold == h.id {
			ids = append(ids, h.order)
		}
	}
	if len(ids) == 0 {
		return
	}
	slices.SortFunc(ids, func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	id := rapid.SampledFrom(ids).Draw(t, "order")
	x := m.orders[id]
	steps := map[int][]struct {
		event string
		to    int
	}{1: {{"pay_start", 2}}, 2: {{"pay_ok", 3}, {"pay_fail", 1}, {"pay_fail", 5}}, 3: {{"cancel", 7}, {"issue", 4}}, 4: {{"cancel", 7}}, 7: {{"refund_ok", 8}}}[x.state]
	if len(steps) == 0 {
		return
	}
	step := rapid.SampledFrom(steps).Draw(t, "step")
	if x.state == 1 {
		x.attempt++
	}
	x.state = step.to
	b.orderTo(id, step.event, x.state, x.attempt)
}

// Random batches, resends, take-overs and steps of orders: the flush answers what the model answers, and in the end the tables are the model's.
func TestFlushAgainstAModel(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		b.claim("n1") // the run before may have ended in the middle
		b.event = b.putOnSale(fmt.Sprintf("run-%d", run))
		m := &model{seats: map[int64]*modelSeat{}, holds: map[uuid.UUID]*modelHold{}, orders: map[uuid.UUID]*modelOrder{}, counts: map[uuid.UUID]int32{}, keys: map[uuid.UUID]uuid.UUID{}}
		for i := range 6 {
			m.seats[seatID(i)] = &modelSeat{}
		}
		buyers := []uuid.UUID{uuid.New(), uuid.New()}
		for range rapid.IntRange(10, 60).Draw(rt, "steps") {
			m.step(rt, b, buyers)
		}
		m.compare(rt, b)
	})
	b.wantClean()
}

func (m *model) step(t *rapid.T, b *bench, buyers []uuid.UUID) {
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0:
		b.claim("n1")
		return
	case 1, 2, 3, 4:
		m.serve(t, b)
		return
	}
	used := map[any]bool{}
	var ops []ledger.Op
	for range rapid.IntRange(1, 4).Draw(t, "batch") {
		o, ok := m.draw(t, b, buyers, used)
		if !ok {
			continue
		}
		if rapid.Bool().Draw(t, "keyed") {
			o.Scope = uuidOf("scope")
			o.Key = uuid.NewSHA1(buyers[0], fmt.Append(nil, rapid.IntRange(0, 200).Draw(t, "key")))
			o.Fingerprint = uuidOf(fmt.Sprint(rapid.IntRange(0, 1).Draw(t, "fingerprint")))
		}
		ops = append(ops, o)
	}
	want := m.flush(ops)
	f := b.batch(ops...)
	for again := range rapid.IntRange(1, 2).Draw(t, "sent") {
		results, err := b.lane.Flush(f)
		if err != nil || results[0].Fenced || results[0].Resent != (again > 0) {
			t.Fatalf("sent for the %d. time: %+v, %v", again+1, results, err)
		}
		if !slices.Equal(results[0].Outcomes, want) {
			t.Fatalf("outcomes %v, the model says %v, of %+v", results[0].Outcomes, want, ops)
		}
	}
	b.seq[testPart] = f.Works[0].Seq
}

func (m *model) compare(t *rapid.T, b *bench) {
	loaded, err := b.db.LoadSegments(t.Context(), b.event, []int32{testSegment})
	if err != nil {
		t.Fatal(err)
	}
	touched := 0
	for _, s := range m.seats {
		if s.ver > 0 {
			touched++
		}
	}
	if len(loaded.Seats) != touched {
		t.Errorf("%d seats were touched, %d in the model", len(loaded.Seats), touched)
	}
	for _, s := range loaded.Seats {
		if want := m.seats[s.Seat]; s.State != want.state || s.Ver != want.ver || s.Hold != want.hold {
			t.Errorf("the seat is %+v, in the model %+v", s, want)
		}
	}
	for buyer, n := range m.counts {
		if got := b.number(`SELECT coalesce((SELECT n FROM ledger.quota WHERE event = $1 AND key = $2), 0)`, b.event, buyer); got != int(n) {
			t.Errorf("a buyer's counter is %d, in the model %d", got, n)
		}
	}
	for id, x := range m.orders {
		if got := b.number(`SELECT state FROM ledger.orders WHERE id = $1`, id); got != x.state {
			t.Errorf("an order is in state %d, in the model %d", got, x.state)
		}
	}
}
