package sim

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// pair is the real ledger and the simulated one, side by side: each step goes to both, and each answer has to be the same.
type pair struct {
	*rapid.T
	db   *ledger.DB
	lane *ledger.Lane
	sim  *Ledger

	ctx      context.Context
	mostly   sort
	run      int
	event    stock.EventID
	segments []owner.SegmentRef
	engines  map[stock.SegmentNo]*stock.Segment
	holds    []heldBy
	wides    []uuid.UUID // holds over several segments
	orders   []uuid.UUID
	grants   []Untaken
	refs     []Payment
	sent     []*owner.Batch
	sessions map[string]int64
	ids      uint64
	seen     map[string]int
}

type heldBy struct {
	id      uuid.UUID
	segment stock.SegmentNo
}

// sort is what a sequence has most of.
type sort int

const (
	allSorts    sort = iota
	mostlyWide       // holds over several segments
	mostlyAfter      // refunds, payments that come late, an event that is cancelled
)

// hour is far from any boundary: the two clocks are read one after the other.
const hour = int64(3600_000)

func nowMs() int64 { return time.Now().UnixMilli() }

// TestLedgerEqualsPostgres runs the same random sequences at Postgres, through the ledger package, and at the simulated ledger: sessions, claims,
// releases, loads, flushes made by real engines, resends, fenced batches, and the life of orders. All answers and, in the end, all rows are equal.
func TestLedgerEqualsPostgres(t *testing.T) {
	t.Parallel()
	equal(t, allSorts, []string{
		"outcome 0", "outcome 10", "outcome 11", "outcome 20", "outcome 21", "outcome 30", "limit 1", "limit 2", "limit 3", "outcome 41", "outcome 50", "outcome 51", "granted", "taken", "fenced", "resent", "claimed", "not claimed",
		"verdict 0", "verdict 1", "verdict 2", "verdict 3", "verdict 5", "verdict 7", "verdict 8", "issued 0", "loaded",
	})
}

// TestWideHoldsEqualPostgres is the same with mostly holds over several segments.
func TestWideHoldsEqualPostgres(t *testing.T) {
	t.Parallel()
	equal(t, mostlyWide, []string{
		"outcome 60", "outcome 61", "wide begin 1", "wide begin 2", "wide begin 0", "wide begin -10", "wide begin -11", "wide begin -20", "wide begin -41", "wide begin -100", "wide begin limit 1", "wide begin limit 3", "named", "given back",
		"wide commit 0", "wide commit 60", "wide commit 62", "wide extend 0", "wide extend 10", "wide extend 20", "wide extend 30",
		"wide end 0", "wide end 10", "wide end 20", "wide end 21", "wide end 30", "wide order 0", "wide order 10", "wide order 20", "wide order 32", "wide order 62", "wide sold",
	})
}

// TestRefundsEqualPostgres is the same with mostly what comes after a sale: refunds, payments that come late, an event that is cancelled.
func TestRefundsEqualPostgres(t *testing.T) {
	t.Parallel()
	equal(t, mostlyAfter, []string{
		"refund 0", "refund 1", "refund 2", "refund 3", "refund 4", "refund 5", "refund 6", "sent true", "sent false", "voided true", "voided false", "to unsell", "verdict 15", "adopted 0", "adopted 1", "adopted 2",
		"adopted 3", "offered true", "offered false", "accepted 0", "accepted 1", "accepted 2", "accepted 3", "late decided 0", "late decided 1", "late decided 3", "late returned true", "late returned false", "cancelled",
		"mass refunded", "mass refund finished",
	})
}

// fewer runs 40 sequences, when nothing else was asked for: a hundred take a minute on a real server.
var fewer = sync.OnceFunc(func() {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("40"); err != nil {
			panic(err) // it is a number
		}
	}
})

// roundsMax bounds how often the sequences are drawn again when something rare was not among them.
const roundsMax = 6

// equal runs random sequences at both and wants that something was seen.
func equal(t *testing.T, mostly sort, musts []string) {
	database := pgdev.Test(t, "ledger", func(ctx context.Context, dsn string) error {
		_, err := ledger.Migrate(ctx, dsn)
		return err
	})
	db, err := ledger.Open(t.Context(), database.DSN, ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	lane, err := db.OpenLane(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lane.Close() })
	fewer()
	run, seen := 0, map[string]int{}
	check := func(rt *rapid.T) {
		run++
		p := &pair{T: rt, db: db, lane: lane, ctx: t.Context(), mostly: mostly, run: run, seen: seen, engines: map[stock.SegmentNo]*stock.Segment{}, sessions: map[string]int64{}}
		p.begin()
		if mostly == mostlyAfter {
			for range rapid.IntRange(1, 3).Draw(rt, "orders") {
				p.bought(rapid.Bool().Draw(rt, "late"))
			}
		}
		for range rapid.IntRange(30, 160).Draw(rt, "steps") {
			p.step()
		}
		p.compareRows()
	}
	unseen := func(must string) bool { return seen[must] == 0 }
	for rounds := 0; rounds == 0 || rounds < roundsMax && slices.ContainsFunc(musts, unseen); rounds++ {
		rapid.Check(t, check)
	}
	for _, must := range musts {
		if seen[must] == 0 {
			t.Errorf("%q was never seen: %v", must, seen)
		}
	}
}

func (p *pair) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pair) same(what string, theirs, simulated any) {
	p.Helper()
	if a, b := fmt.Sprintf("%+v", theirs), fmt.Sprintf("%+v", simulated); a != b {
		p.Fatalf("%s:\n  Postgres  %s\n  simulated %s", what, a, b)
	}
}

// group is the order in which holds are loaded: live ones, those of sold seats, those of legs.
func group(h *LoadedHold) int {
	if h.Leg {
		return 9
	}
	return int(h.State)
}

// begin puts an event on sale in both, and gives the simulated ledger the partitions' past.
func (p *pair) begin() {
	p.sim = NewLedger(func() int64 { return time.Now().UnixMicro() })
	chart, err := p.db.ChartInsert(p.ctx, ledger.Chart{UID: uuid.New(), Name: "hall", Body: []byte("{}")})
	p.must(err)
	p.must(p.db.SQL().QueryRowContext(p.ctx, `SELECT coalesce(max(id), 0) + 1 FROM ledger.events`).Scan(&p.event))
	begins := 24 * time.Hour
	if rapid.IntRange(0, 5).Draw(p.T, "has begun") == 5 { // what is paid late then goes back
		begins = -time.Hour
	}
	e := ledger.Event{
		UID: uuid.New(), Slug: fmt.Sprintf("run-%d", p.run), Name: "An event", Chart: chart, State: "on_sale", StartsAt: time.Now().Add(begins), Currency: "EUR",
		HoldTTL: time.Hour, MaxHoldTTL: time.Hour, SectionName: map[string]string{"A": "Hall"}, Tiers: []ledger.Tier{{CategoryName: "A", TypeName: "adult", Face: 1}},
	}
	var seats []ledger.SeatInfo
	for no := stock.SegmentNo(1); no <= 4; no++ {
		ref := owner.SegmentRef{Event: p.event, Segment: no, Part: stock.PartitionOf(p.event, no)}
		area, places, home := no >= 3, hallOf(no).Capacity(), min(no, 3)
		p.engines[no] = stock.NewSegment(hallOf(no), p.event, no)
		if area {
			places = 6
			p.engines[no] = stock.NewShare(p.event, no, home, places)
		}
		p.segments = append(p.segments, ref)
		p.sim.AddSegment(ref, home, area, places)
		e.Segments = append(e.Segments, ledger.SegmentInfo{Segment: int32(no), Part: int32(ref.Part), Section: "A", Name: fmt.Sprint("S", no), Area: area, Home: int32(home), Capacity: places})
		for i := range places {
			if !area {
				seats = append(seats, ledger.SeatInfo{Seat: int64(stock.NewSeatID(no, i)), Label: fmt.Sprintf("%d-%d", no, i)})
			}
		}
		p.past(ref.Part)
	}
	p.sim.shows[p.event].begins = time.Now().Add(begins).UnixMilli()
	id, err := p.db.EventInsert(p.ctx, e, seats)
	p.must(err)
	p.same("event", id, p.event)
	for i, ref := range p.segments {
		if slices.ContainsFunc(p.segments[:i], func(other owner.SegmentRef) bool { return other.Part == ref.Part }) {
			p.Skip("two segments in one partition: a batch has one work for it, and here each segment is drawn for itself")
		}
	}
	p.must(p.db.SQL().QueryRowContext(p.ctx, `SELECT coalesce(max(id), 0) FROM ledger.sess`).Scan(&p.sim.lastSess))
	p.sim.Digest = func(b *owner.Batch, work int) (digest []byte) {
		w := &b.Works[work]
		p.must(p.db.SQL().QueryRowContext(p.ctx, `SELECT digest FROM ledger.flush_batches WHERE part = $1 AND seq = $2`, int32(w.Part), w.Seq).Scan(&digest))
		return digest
	}
	for _, node := range []string{"n1", "n2"} {
		p.open(node)
	}
	p.claim("n1")
}

// past copies a partition's row, and ends its owner.
func (p *pair) past(part stock.PartitionID) {
	row := p.sim.part(part)
	var head []byte
	p.must(p.db.SQL().QueryRowContext(p.ctx, `UPDATE ledger.part SET session = 0 WHERE part = $1 RETURNING epoch, applied_seq, head_hash`, int32(part)).Scan(&row.epoch, &row.seq, &head))
	copy(row.head[:], head)
}

func (p *pair) id() uuid.UUID {
	p.ids++
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%d/%d", p.run, p.ids))
}

func (p *pair) open(node string) {
	id, err := p.db.SessionOpen(p.ctx, node, node+":1", node+":2", time.Hour)
	p.must(err)
	p.same("session", id, p.sim.SessionOpen(node, time.Hour.Microseconds()))
	p.sessions[node] = id
}

func (p *pair) node() string { return rapid.SampledFrom([]string{"n1", "n2"}).Draw(p.T, "node") }

// step is one of them; rapid draws low numbers more often than high ones.
func (p *pair) step() {
	switch what := rapid.IntRange(0, 30).Draw(p.T, "what"); {
	case p.mostly == mostlyWide && what < 12:
		p.wide()
	case p.mostly == mostlyAfter && what < 20:
		p.afterAny()
	case what < 10 || p.mostly == mostlyWide && what < 16:
		p.flush()
	case what < 11:
		p.wide()
	case what < 23:
		p.sale()
	case what < 25:
		p.resend()
	case what < 27:
		p.load()
	case what < 28:
		p.release()
	case what < 29:
		p.session()
	default:
		p.claim(p.node())
	}
}

// session renews, ends, lets run out, or opens anew.
func (p *pair) session() {
	node := p.node()
	id := p.sessions[node]
	switch rapid.IntRange(0, 4).Draw(p.T, "session") {
	case 0:
		p.must(p.db.SessionEnd(p.ctx, id))
		p.sim.SessionEnd(id)
	case 1:
		_, err := p.db.SQL().ExecContext(p.ctx, `UPDATE ledger.sess SET expires_at = clock_timestamp() - interval '1 s' WHERE id = $1`, id)
		p.must(err)
		p.sim.sessions[id].expires = p.sim.Clock() - 1_000_000
	case 2:
		p.open(node)
	default:
		alive, err := p.db.SessionRenew(p.ctx, id, time.Hour)
		p.must(err)
		p.same("renewal", alive, p.sim.SessionRenew(id, time.Hour.Microseconds()))
	}
}

func (p *pair) claim(node string) {
	var parts []stock.PartitionID
	var numbers []int32
	for _, ref := range p.segments {
		if rapid.IntRange(0, 4).Draw(p.T, "asks") > 0 {
			parts, numbers = append(parts, ref.Part), append(numbers, int32(ref.Part))
		}
	}
	claimed, err := p.db.Claim(p.ctx, p.sessions[node], node, numbers)
	p.must(err)
	var got []owner.Claim
	for _, c := range claimed {
		got = append(got, owner.Claim{Part: stock.PartitionID(c.Part), Epoch: c.Epoch, Seq: c.AppliedSeq})
	}
	p.same("claim", got, p.sim.Claim(p.sessions[node], node, parts))
	p.seen["claimed"] += len(got)
	p.seen["not claimed"] += len(parts) - len(got)
}

func (p *pair) release() {
	ref := rapid.SampledFrom(p.segments).Draw(p.T, "segment")
	node := p.node()
	r := owner.PartRelease{Part: ref.Part, Epoch: p.sim.part(ref.Part).epoch, Lives: p.engines[ref.Segment].Lives(nowMs())}
	theirs := ledger.PartRelease{Part: int32(r.Part), Epoch: r.Epoch}
	for _, l := range r.Lives {
		theirs.Lives = append(theirs.Lives, ledger.HoldLife{Hold: l.Hold, Remaining: time.Duration(l.RemainingMs) * time.Millisecond})
	}
	p.must(p.db.ReleaseParts(p.ctx, p.sessions[node], []ledger.PartRelease{theirs}))
	p.sim.Release(p.sessions[node], []owner.PartRelease{r})
}

// load reads a partition's rows in both, and an engine from them.
func (p *pair) load() { p.loadPart(rapid.SampledFrom(p.segments).Draw(p.T, "segment")) }

func (p *pair) loadPart(ref owner.SegmentRef) {
	loaded, err := p.db.Load(p.ctx, []int32{int32(ref.Part)})
	p.must(err)
	var theirs []LoadedSegment
	for _, s := range loaded.Segments {
		if s.Event == int32(p.event) {
			theirs = append(theirs, loadedFrom(loaded, s))
		}
	}
	simulated := p.sim.Load([]stock.PartitionID{ref.Part}, nil)
	p.same("load", theirs, simulated)
	for i := range simulated {
		s := &simulated[i]
		engine := stock.NewShare(s.Event, s.Segment, s.Home, s.Capacity)
		if !s.Area {
			engine = stock.NewSegment(hallOf(s.Segment), s.Event, s.Segment)
		}
		var holds []stock.HoldRow
		for _, h := range s.Holds {
			holds = append(holds, h.HoldRow)
		}
		p.must(engine.Load(s.Seats, holds, s.NextUnit))
		p.engines[s.Segment] = engine
	}
	p.seen["loaded"]++
}

func loadedFrom(loaded *ledger.Loaded, s ledger.SegmentRow) LoadedSegment {
	out := LoadedSegment{
		SegmentRef: owner.SegmentRef{Event: stock.EventID(s.Event), Segment: stock.SegmentNo(s.Segment), Part: stock.PartitionID(s.Part)}, Area: s.Area, Home: stock.SegmentNo(s.Home),
		Capacity: s.Capacity, Held: s.Held, Paying: s.Paying, Sold: s.Sold, NextUnit: s.NextUnit,
	}
	for _, r := range loaded.Seats {
		if r.Event == s.Event && stock.SeatID(r.Seat).Segment() == out.Segment {
			out.Seats = append(out.Seats, stock.SeatRow{
				Seat: stock.SeatID(r.Seat), State: stock.State(r.State), Ver: r.Ver, Hold: r.Hold, Generation: r.Generation, Order: r.Order, Attempt: r.Attempt, Type: r.Type,
			})
		}
	}
	for _, h := range loaded.Holds {
		if h.Event != s.Event || h.Segment != s.Segment {
			continue
		}
		if h.State == ledger.HoldTrying || h.State == ledger.HoldDropped {
			h.Deadline, h.MaxExpires = time.UnixMilli(0), time.UnixMilli(0) // by the clock of each
		}
		row := LoadedHold{State: h.State, RemainingMs: -1, HoldRow: stock.HoldRow{
			ID: h.ID, Generation: h.Generation, Quantity: h.Quantity, Deadline: h.Deadline.UnixMilli(), MaxExpires: h.MaxExpires.UnixMilli(), Order: h.Order, Attempt: h.Attempt, Leg: len(h.Legs) > 0,
		}}
		if h.Remaining >= 0 {
			row.RemainingMs = h.Remaining.Milliseconds()
		}
		for _, q := range h.Quotas {
			row.Quotas = append(row.Quotas, stock.Quota{Dimension: stock.Dimension(q.Dimension), Key: q.Key, Limit: q.Limit, Seat: stock.SeatID(q.Seat)})
		}
		out.Holds = append(out.Holds, row)
	}
	slices.SortStableFunc(out.Holds, func(a, b LoadedHold) int { return cmp.Or(cmp.Compare(group(&a), group(&b)), byID(a.ID, b.ID)) })
	return out
}
