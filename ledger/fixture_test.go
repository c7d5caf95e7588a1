package ledger_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"ticketrush/ledger"
)

// Kinds, states and outcomes as the journal has them.
const (
	hold, extend, pin, unpin, release, expire, sell, refund, grantOut, grantIn, order, note                                = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
	applied, replay, keyReused, holdGone, notExpired, orderNo, orderLocked, orderOpen, limitBusy, grantGone, notSold       = 0, 10, 11, 20, 21, 30, 31, 32, 41, 50, 51
	available, held, paying, sold                                                                                    int16 = 0, 1, 2, 3
)

const (
	testPart    = 7
	areaPart    = 8
	testSegment = 1
	areaSegment = 2
	testSeats   = 40
	areaPlaces  = 100
)

// bench is a ledger with one event (a segment of seats and an area) and a node that owns both partitions.
type bench struct {
	t       testing.TB
	db      *ledger.DB
	dsn     string
	lane    *ledger.Lane
	session int64
	event   int32
	epoch   map[int32]int64
	seq     map[int32]int64
	ver     map[int64]int32
	holder  map[int64]uuid.UUID
	now     time.Time
}

func newBench(t testing.TB, dsn string) *bench {
	t.Helper()
	ctx := t.Context()
	db, err := ledger.Open(ctx, dsn, ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	b := &bench{t: t, db: db, dsn: dsn, epoch: map[int32]int64{}, seq: map[int32]int64{}, ver: map[int64]int32{}, holder: map[int64]uuid.UUID{}, now: time.Now()}
	b.event = b.putOnSale("concert")
	b.claim("n1")
	return b
}

func (b *bench) putOnSale(slug string) int32 {
	b.t.Helper()
	ctx := b.t.Context()
	chart, err := b.db.ChartInsert(ctx, ledger.Chart{UID: uuid.New(), Name: "hall", Body: []byte("{}")})
	if err != nil {
		b.t.Fatal(err)
	}
	var seats []ledger.SeatInfo
	for i := range testSeats {
		seats = append(seats, ledger.SeatInfo{Seat: seatID(i), Label: "A-1-" + string(rune('0'+i/10)) + string(rune('0'+i%10))})
	}
	id, err := b.db.EventInsert(ctx, ledger.Event{
		UID: uuid.New(), Slug: slug, Name: "A concert", Chart: chart, State: "on_sale", StartsAt: b.now.Add(24 * time.Hour), Currency: "EUR",
		HoldTTL: time.Minute, MaxHoldTTL: 2 * time.Minute, SectionName: map[string]string{"A": "Stalls", "F": "Floor"},
		Tiers: []ledger.Tier{{CategoryName: "A", TypeName: "adult", Face: 5000, Fee: 300}},
		Segments: []ledger.SegmentInfo{
			{Segment: testSegment, Part: testPart, Section: "A", Name: "Stalls", Capacity: testSeats},
			{Segment: areaSegment, Part: areaPart, Section: "F", Name: "floor", Area: true, Capacity: areaPlaces},
		},
	}, seats)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func seatID(i int) int64 { return testSegment<<24 | int64(i) }
func unitID(i int) int64 { return areaSegment<<24 | int64(i) }

// claim makes node the owner of both partitions and opens its lane.
func (b *bench) claim(node string) {
	b.t.Helper()
	ctx := b.t.Context()
	session, err := b.db.SessionOpen(ctx, node, "127.0.0.1:1", "127.0.0.1:2", time.Hour)
	if err != nil {
		b.t.Fatal(err)
	}
	claimed, err := b.db.Claim(ctx, session, node, []int32{testPart, areaPart})
	if err != nil {
		b.t.Fatal(err)
	}
	if len(claimed) != 2 {
		b.t.Fatalf("%s claimed %d of 2 partitions", node, len(claimed))
	}
	b.session = session
	for _, c := range claimed {
		b.epoch[c.Part], b.seq[c.Part] = c.Epoch, c.AppliedSeq
	}
	b.openLane()
}

func (b *bench) openLane() {
	b.t.Helper()
	lane, err := b.db.OpenLane(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.lane = lane
	b.t.Cleanup(func() { lane.Close() })
}

// batch is the next flush of the seat partition, or of the area's when the operations are units.
func (b *bench) batch(ops ...ledger.Op) *ledger.Flush {
	part := int32(testPart)
	if len(ops) > 0 && ops[0].Area {
		part = areaPart
	}
	return &ledger.Flush{Batch: uuid.New(), Session: b.session, Now: b.now, Works: []ledger.Work{{Part: part, Epoch: b.epoch[part], Seq: b.seq[part] + 1, Ops: ops}}}
}

// flush sends a batch, counts it when it was applied, and returns the outcomes.
func (b *bench) flush(ops ...ledger.Op) []int16 {
	b.t.Helper()
	return b.send(b.batch(ops...))
}

func (b *bench) send(f *ledger.Flush) []int16 {
	b.t.Helper()
	results, err := b.lane.Flush(f)
	if err != nil {
		b.t.Fatal(err)
	}
	if results[0].Fenced {
		b.t.Fatal("fenced")
	}
	b.seq[f.Works[0].Part] = f.Works[0].Seq
	b.count(f, results[0])
	return results[0].Outcomes
}

// count remembers the versions of the seats that were moved.
func (b *bench) count(f *ledger.Flush, r ledger.WorkResult) {
	for i, op := range f.Works[0].Ops {
		if r.Outcomes[i] == applied && !r.Resent {
			for _, m := range op.Moves {
				b.ver[m.Seat] = m.Ver
			}
		}
	}
}

// op is an operation of a hold on seats of the bench's event.
func (b *bench) op(kind int16, id uuid.UUID, from, to int16, seats ...int64) ledger.Op {
	o := ledger.Op{
		Kind: kind, Event: b.event, Segment: testSegment, Hold: id, Generation: 1, Quantity: int32(len(seats)),
		Deadline: b.now.Add(time.Hour), MaxExpires: b.now.Add(2 * time.Hour),
	}
	for _, s := range seats {
		if s>>24 == areaSegment {
			o.Segment, o.Area = areaSegment, true
		}
		o.Moves = append(o.Moves, ledger.Move{Seat: s, Ver: b.ver[s] + 1, From: from, To: to})
	}
	return o
}

func (b *bench) hold(seats ...int64) (uuid.UUID, ledger.Op) {
	id := uuid.New()
	return id, b.op(hold, id, available, held, seats...)
}

// keyed gives an operation a request of its own.
func keyed(o ledger.Op) ledger.Op {
	o.Scope, o.Key, o.Fingerprint = uuid.New(), uuid.New(), uuid.New()
	return o
}

// overLimit is the outcome of a hold that is over the limit of a dimension of which used seats counted before.
func overLimit(dimension, used int16) int16 { return 100 + 10000*(dimension-1) + used }

func limited(o ledger.Op, key uuid.UUID, limit int32) ledger.Op {
	o.Quotas = []ledger.Quota{{Dimension: 1, Key: key, Limit: limit}}
	return o
}

// opened is the operation that opens an order on a hold.
func (b *bench) opened(id, orderID uuid.UUID, seats ...int64) ledger.Op {
	o := b.op(order, id, 0, 0)
	o.Quantity = int32(len(seats))
	o.NewOrder = &ledger.NewOrder{ID: orderID, Buyer: "buyer-1", Currency: "EUR", ClientIP: "192.0.2.7"}
	for _, s := range seats {
		o.NewOrder.Lines = append(o.NewOrder.Lines, ledger.OrderLine{Seat: s, Face: 5000, Fee: 300, Tax: 0})
	}
	return o
}

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.SQL().ExecContext(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

// orderTo moves an order by hand, with its event, as the order service does. When its money goes back, all of its lines end.
func (b *bench) orderTo(id uuid.UUID, event string, state, attempt int) {
	b.t.Helper()
	b.exec(`WITH o AS (SELECT * FROM ledger.orders WHERE id = $1), e AS (
		INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, at) SELECT id, ver+1, ver, state, $2, $3, $4, now() FROM o)
		UPDATE ledger.orders x SET state = $2, ver = x.ver+1, attempt = $4 FROM o WHERE x.id = o.id`, id, state, event, attempt)
	if state == 7 {
		b.endLines(id)
	}
}

// endLines ends the lines of an order for some of its seats, or all.
func (b *bench) endLines(id uuid.UUID, seats ...int64) {
	b.t.Helper()
	b.exec(`UPDATE ledger.order_lines SET refund = gen_random_uuid() WHERE order_id = $1 AND (seat = ANY ($2) OR cardinality($2::bigint[]) = 0)`, id, pq.Array(append([]int64{}, seats...)))
}

func (b *bench) number(sql string, args ...any) (n int) {
	b.t.Helper()
	if err := b.db.SQL().QueryRowContext(b.t.Context(), sql, args...).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bench) want(got []int16, want ...int16) {
	b.t.Helper()
	if len(got) != len(want) {
		b.t.Fatalf("outcomes %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			b.t.Fatalf("outcomes %v, want %v", got, want)
		}
	}
}

// sold sells seats to a buyer with a limit of 4 and returns the hold and the order.
func (b *bench) sold(buyer uuid.UUID, seats ...int64) (holdID, orderID uuid.UUID) {
	b.t.Helper()
	orderID = uuid.New()
	holdID, h := b.hold(seats...)
	b.want(b.flush(limited(h, buyer, 4)), applied)
	b.want(b.flush(b.opened(holdID, orderID, seats...)), applied)
	b.orderTo(orderID, "pay_start", 2, 1)
	b.want(b.flush(b.paid(pin, holdID, orderID, held, paying, seats...)), applied)
	b.orderTo(orderID, "pay_ok", 3, 1)
	b.want(b.flush(b.paid(sell, holdID, orderID, paying, sold, seats...)), applied)
	return holdID, orderID
}

// paid is an operation for the first attempt of an order.
func (b *bench) paid(kind int16, id, orderID uuid.UUID, from, to int16, seats ...int64) ledger.Op {
	o := b.op(kind, id, from, to, seats...)
	o.Order, o.Attempt = orderID, 1
	return o
}

// uuidOf is a fixed id for a name.
func uuidOf(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)) }

func itoa(n int) string { return strconv.Itoa(n) }
