package stock

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

const (
	testEvent   EventID   = 7
	testSegment SegmentNo = 3
	testTTL               = 60_000
	testMaxTTL            = 150_000
)

// machine drives a Segment and the model with the same commands.
type machine struct {
	s       *Segment
	layout  *Layout
	m       *model
	home    SegmentNo // of an area
	now     int64
	ids     int
	pending []*Op
	known   []uuid.UUID
	seen    map[string]int
}

func testID(kind byte, n int) uuid.UUID {
	var id uuid.UUID
	id[0] = kind
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// drawSpecs draws a small hall: rows of blocks of seats, some categories, some accessible seats with companions.
func drawSpecs(t *rapid.T) []SeatSpec {
	var specs []SeatSpec
	rows := rapid.IntRange(1, 4).Draw(t, "rows")
	special := rapid.Bool().Draw(t, "special")
	cats := rapid.IntRange(1, 3).Draw(t, "categories")
	block := int32(0)
	for r := range rows {
		x := rapid.IntRange(-8, 0).Draw(t, "left")
		for range rapid.IntRange(1, 3).Draw(t, "blocks") {
			n := rapid.OneOf(rapid.IntRange(1, 9), rapid.IntRange(1, 9), rapid.Just(64)).Draw(t, "seats")
			for i := range n {
				spec := SeatSpec{Row: int32(r), Block: block, X: float32(x), Y: float32(r), Category: uint8((r + i/5) % cats)}
				spec.Distance = float32(x*x+(r+1)*(r+1)) + float32(len(specs))/4096 // no two alike
				if special && i == 0 && n > 3 {
					spec.Flags = SeatAccessible
					spec.Companions = []int32{int32(len(specs)) + 1}
				}
				if special && i == 1 && n > 3 {
					spec.Flags = SeatCompanion
				}
				specs = append(specs, spec)
				x++
			}
			x += 2
			block++
		}
	}
	return specs
}

func newMachine(t *rapid.T) *machine {
	mc := &machine{now: 1_000_000, seen: map[string]int{}}
	if rapid.IntRange(0, 3).Draw(t, "area") == 0 {
		capacity := rapid.IntRange(0, 30).Draw(t, "capacity")
		mc.m = newModel(nil, capacity)
		mc.home = rapid.SampledFrom([]SegmentNo{testSegment, testSegment, testSegment - 1}).Draw(t, "home")
		mc.s = NewShare(testEvent, testSegment, mc.home, int32(capacity))
		return mc
	}
	specs := drawSpecs(t)
	layout, err := NewLayout(specs)
	if err != nil {
		t.Fatal(err)
	}
	mc.layout = layout
	mc.m = newModel(specs, len(specs))
	mc.s = NewSegment(layout, testEvent, testSegment)
	return mc
}

func (mc *machine) command(kind Kind, hold uuid.UUID) Command {
	mc.ids++
	return Command{
		Kind: kind, Event: testEvent, Segment: testSegment, Hold: hold, TTL: testTTL, MaxTTL: testMaxTTL,
		Request: Request{Scope: testID('s', 1), Key: testID('k', mc.ids), Fingerprint: testID('f', mc.ids)},
		Quotas:  []Quota{{Dimension: DimensionTid, Key: testID('q', mc.ids%5), Limit: 6}},
	}
}

func (mc *machine) pick(t *rapid.T) uuid.UUID {
	if len(mc.known) == 0 || rapid.IntRange(0, 20).Draw(t, "unknown") == 0 {
		return testID('u', rapid.IntRange(1, 3).Draw(t, "id"))
	}
	live := slices.DeleteFunc(slices.Clone(mc.known), func(id uuid.UUID) bool { return mc.m.holds[id] == nil })
	if len(live) == 0 || rapid.IntRange(0, 9).Draw(t, "ended") == 0 {
		live = mc.known
	}
	return rapid.SampledFrom(live).Draw(t, "hold")
}

// Hold asks for seats, by name or by quantity.
func (mc *machine) Hold(t *rapid.T) {
	cmd := mc.command(KindHold, testID('h', mc.ids))
	ask := &cmd.Ask
	ask.Orphans = Orphans(rapid.IntRange(0, 2).Draw(t, "orphans"))
	ask.Together = Together(rapid.IntRange(0, 2).Draw(t, "together"))
	if mc.layout != nil && rapid.IntRange(0, 2).Draw(t, "named") == 0 {
		mc.holdNamed(t, cmd)
		return
	}
	k := rapid.OneOf(rapid.IntRange(1, 8), rapid.IntRange(1, 14)).Draw(t, "k")
	ask.Quantity = int32(k)
	for i := range k {
		ask.Types = append(ask.Types, int16(i))
	}
	if mc.layout == nil {
		mc.holdUnits(t, cmd)
		return
	}
	ask.Categories = rapid.SampledFrom([]uint64{0, 0, 0, 1, 2, 6}).Draw(t, "categories")
	if rapid.IntRange(0, 5).Draw(t, "acc") == 0 {
		ask.Accessible = int32(rapid.IntRange(1, min(k, 3)).Draw(t, "accessible"))
	}
	effect := mc.s.Apply(cmd, mc.now)
	mc.checkBest(t, &cmd, effect)
	mc.admit(t, &cmd, effect)
}

func (mc *machine) holdUnits(t *rapid.T, cmd Command) {
	effect := mc.s.Apply(cmd, mc.now)
	c := mc.m.counts()
	sold := c.Sold == c.Capacity && mc.home == testSegment
	switch fits := c.Free >= cmd.Ask.Quantity; {
	case fits && effect.Op == nil:
		t.Fatalf("%d free, asked %d, refused with %d", c.Free, cmd.Ask.Quantity, effect.Answer.Code)
	case !fits && effect.Op == nil && (effect.Answer.Code != CodeAllHeld || sold):
		t.Fatalf("refused with %d at %+v", effect.Answer.Code, c)
	case !fits && effect.Op != nil && (effect.Op.Refused != CodeSoldOut || !sold):
		t.Fatalf("op %+v at %+v", effect.Op, c)
	}
	mc.admit(t, &cmd, effect)
}

// admit takes a hold's operation into the model, after checking that it takes only what is free.
func (mc *machine) admit(t *rapid.T, cmd *Command, effect Effect) {
	o := effect.Op
	if o == nil {
		mc.seen[fmt.Sprint("refused ", effect.Answer.Code)]++
		return
	}
	mc.pending = append(mc.pending, o)
	if o.Kind == KindNote {
		mc.seen[fmt.Sprint("note ", o.Refused)]++
		return
	}
	n := int(cmd.Ask.Quantity) + len(cmd.Ask.Seats)
	if o.Kind != KindHold || len(o.Moves) != n || int(o.Quantity) != n || !slices.Equal(o.Quotas, cmd.Quotas) || o.Hold != cmd.Hold {
		t.Fatalf("op %+v for %d seats", o, n)
	}
	h := &modelHold{
		generation: o.Generation, seats: map[int32]int16{}, state: Held, tentative: true, busy: true, quotas: cmd.Quotas,
		deadline: mc.now + cmd.TTL, maxExpires: mc.now + cmd.MaxTTL, fingerprint: cmd.Request.Fingerprint,
	}
	if o.Deadline != h.deadline || o.MaxExpires != h.maxExpires {
		t.Fatalf("deadlines %d %d, want %d %d", o.Deadline, o.MaxExpires, h.deadline, h.maxExpires)
	}
	types := map[int16]int{}
	for _, m := range o.Moves {
		i := m.Seat.Index()
		if mc.layout == nil {
			if mc.m.seats[i] != nil {
				t.Fatalf("unit %d was used before", i)
			}
			mc.m.seats[i] = &modelSeat{}
		}
		seat := mc.m.seats[i]
		if seat == nil || seat.state != Available || m.From != Available || m.To != Held || m.Ver != seat.ver+1 {
			t.Fatalf("move %+v of seat %+v", m, seat)
		}
		seat.state, seat.hold = Held, cmd.Hold
		h.seats[i] = m.Type
		types[m.Type]++
	}
	for _, want := range cmd.Ask.Types {
		if types[want] != 1 {
			t.Fatalf("types %v, asked %v", types, cmd.Ask.Types)
		}
	}
	mc.m.holds[cmd.Hold] = h
	mc.known = append(mc.known, cmd.Hold)
	mc.seen[fmt.Sprint("rung ", mc.s.at(mc.s.byID[cmd.Hold]).rung)]++
}

// Again repeats a hold request, with its payload or with another.
func (mc *machine) Again(t *rapid.T) {
	if len(mc.known) == 0 {
		t.Skip("no holds")
	}
	id := rapid.SampledFrom(mc.known).Draw(t, "hold")
	h := mc.m.holds[id]
	if h == nil {
		t.Skip("ended")
	}
	cmd := mc.command(KindHold, id)
	cmd.Ask.Quantity = 1
	want := memory(CodeKeyReused)
	if rapid.Bool().Draw(t, "same") {
		cmd.Request.Fingerprint = h.fingerprint
		want = note(CodeReplay)
	}
	if h.loaded {
		want = note(CodeReplay) // the ledger decides
	}
	if h.busy {
		want = memory(CodeBusy)
	}
	mc.require(t, mc.s.Apply(cmd, mc.now), want)
}

func (mc *machine) require(t *rapid.T, effect Effect, want verdict) {
	got := memory(effect.Answer.Code)
	if effect.Op != nil {
		got = verdict{effect.Op.Kind, effect.Op.Refused}
		mc.pending = append(mc.pending, effect.Op)
	}
	mc.seen[fmt.Sprint("verdict ", want)]++
	if got != want {
		t.Fatalf("got kind %d code %d, want kind %d code %d", got.kind, got.code, want.kind, want.code)
	}
}

// next is the step that brings a hold nearer to a sale, or beyond it.
func next(h *modelHold) Kind {
	switch {
	case h.state == Held && h.order == uuid.Nil:
		return KindOrder
	case h.state == Held:
		return KindPin
	case h.state == Paying && h.attempt == 1:
		return KindUnpin
	case h.state == Paying:
		return KindSell
	default:
		return KindRefund
	}
}

// Change sends any other command to any hold.
func (mc *machine) Change(t *rapid.T) {
	kind := rapid.SampledFrom([]Kind{KindExtend, KindPin, KindUnpin, KindRelease, KindExpire, KindSell, KindSell, KindRefund, KindOrder, KindOrder}).Draw(t, "kind")
	id := mc.pick(t)
	h := mc.m.holds[id]
	natural := h != nil && rapid.IntRange(0, 3).Draw(t, "natural") > 0
	if natural {
		kind = next(h)
	}
	cmd := mc.command(kind, id)
	cmd.Attempt = int32(rapid.IntRange(0, 2).Draw(t, "attempt"))
	cmd.Free = rapid.Bool().Draw(t, "free")
	cmd.Order = testID('o', 999)
	cmd.NewOrder = &NewOrder{ID: testID('o', mc.ids)}
	if h != nil {
		if rapid.IntRange(0, 9).Draw(t, "right order") > 0 {
			cmd.Order = h.order
		}
		if natural {
			cmd.Order, cmd.Attempt = h.order, h.attempt
			if kind == KindPin {
				cmd.Attempt++
			}
		}
		for i := range h.seats {
			cmd.NewOrder.Lines = append(cmd.NewOrder.Lines, OrderLine{Seat: NewSeatID(testSegment, i)})
		}
		if h.order != uuid.Nil && rapid.IntRange(0, 4).Draw(t, "order again") == 0 {
			cmd.NewOrder.ID = h.order
		}
		if kind == KindRefund && rapid.Bool().Draw(t, "part") {
			i := slices.Min(slices.Collect(maps.Keys(h.seats)))
			cmd.Ask.Seats = []SeatAsk{{Seat: NewSeatID(testSegment, i)}}
		}
	}
	if cmd.Order == uuid.Nil && (kind == KindPin || kind == KindUnpin || kind == KindSell || kind == KindRefund) {
		cmd.Order = testID('o', 998)
	}
	want := mc.m.expect(&cmd, mc.now)
	effect := mc.s.Apply(cmd, mc.now)
	mc.require(t, effect, want)
	if want.moves() {
		mc.checkOp(t, effect.Op, &cmd, h)
		h.busy = true
	}
}

// checkOp verifies what a change asks of the ledger.
func (mc *machine) checkOp(t *rapid.T, o *Op, cmd *Command, h *modelHold) {
	to := map[Kind]State{KindPin: Paying, KindSell: Sold, KindRelease: Available, KindExpire: Available, KindRefund: Available, KindUnpin: Held}[o.Kind]
	if o.Kind == KindUnpin && cmd.Free {
		to = Available
	}
	n := len(h.seats)
	if o.Kind == KindRefund && len(cmd.Ask.Seats) > 0 {
		n = len(cmd.Ask.Seats)
	}
	if o.Generation != h.generation || int(o.Quantity) != n {
		t.Fatalf("op %+v for a hold of %d seats in generation %d", o, n, h.generation)
	}
	if o.Kind == KindExtend || o.Kind == KindOrder {
		n = 0
	} else if gives := to == Available; gives != slices.Equal(o.Quotas, h.quotas) {
		t.Fatalf("kind %d gives back quotas %v, hold has %v", o.Kind, o.Quotas, h.quotas)
	}
	if len(o.Moves) != n {
		t.Fatalf("kind %d moves %d seats, want %d", o.Kind, len(o.Moves), n)
	}
	for _, m := range o.Moves {
		seat := mc.m.seats[m.Seat.Index()]
		if seat.hold != o.Hold || m.From != seat.state || m.To != to || m.Ver != seat.ver+1 || m.Type != h.seats[m.Seat.Index()] {
			t.Fatalf("kind %d: move %+v of %+v", o.Kind, m, seat)
		}
	}
}
