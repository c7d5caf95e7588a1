package stock

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// legModel is what a leg should be like: what the ledger has of it.
type legModel struct {
	try   int32
	state State
	order uuid.UUID
	at    int32 // attempt
	seats []SeatID
	names map[SeatID]uuid.UUID // the documents of its seats
}

// TestLegsFollowTheLedger: whatever is asked of legs, in whatever order, and whatever the ledger says, memory is as the ledger, nothing is lost or made,
// no leg runs out by itself, and each that lives is looked at again and again.
func TestLegsFollowTheLedger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		layout, err := NewLayout(drawSpecs(t))
		if err != nil {
			t.Fatal(err)
		}
		s := NewSegment(layout, 1, testSegment)
		now := int64(1_000_000)
		legs := map[uuid.UUID]*legModel{}
		ver := map[SeatID]int32{}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			id := testID('w', rapid.IntRange(1, 4).Draw(t, "hold"))
			m := legs[id]
			cmd := Command{
				Event: 1, Segment: testSegment, Hold: id, Order: testID('o', rapid.IntRange(1, 2).Draw(t, "order")), Attempt: rapid.Int32Range(1, 2).Draw(t, "attempt"),
				Try: rapid.Int32Range(1, 3).Draw(t, "try"), Ask: Ask{Quantity: rapid.Int32Range(1, 3).Draw(t, "n"), Together: TogetherAny}, TTL: 1000,
			}
			cmd.Kind = rapid.SampledFrom([]Kind{KindLeg, KindLeg, KindUnleg, KindPin, KindPin, KindUnpin, KindSell, KindRefund, KindExtend, KindRelease, KindExpire, KindOrder}).Draw(t, "kind")
			if cmd.Kind == KindLeg && rapid.Bool().Draw(t, "by name") {
				cmd.Quotas = docs(rapid.SliceOfN(rapid.IntRange(1, 3), int(cmd.Ask.Quantity), int(cmd.Ask.Quantity)).Draw(t, "documents")...)
			}
			if cmd.Kind == KindRefund {
				cmd.Ask = Ask{}
				if m != nil && rapid.Bool().Draw(t, "one alone") {
					cmd.Ask.Seats = []SeatAsk{{Seat: rapid.SampledFrom(m.seats).Draw(t, "which")}}
				}
			}
			effect := s.Apply(cmd, now)
			if o := effect.Op; o != nil && o.Kind != KindNote {
				outcome := rapid.SampledFrom([]Outcome{OutcomeApplied, OutcomeApplied, OutcomeNotTrying, OutcomeLegStays, OutcomeOrderNo, OutcomeFenced}).Draw(t, "outcome")
				checkLegOp(t, o, m, ver)
				checkLegQuotas(t, o, m, &cmd)
				s.Settle(o, outcome, now)
				if outcome == OutcomeApplied {
					applyLeg(legs, ver, o)
				}
			} else if effect.Op != nil {
				s.Settle(effect.Op, OutcomeApplied, now)
			}
			now += rapid.Int64Range(0, legLookMs).Draw(t, "time")
			if due := s.Due(now, 100); len(due) > 0 {
				t.Fatalf("legs %v have run out by themselves", due)
			}
			checkLegs(t, s, legs)
		}
		lookedAt(t, s, legs, now)
		reloadLegs(t, s, layout, legs, ver)
	})
}

// checkLegOp: a leg's operation names it, its try, and its seats as the ledger has them.
func checkLegOp(t *rapid.T, o *Op, m *legModel, ver map[SeatID]int32) {
	if !o.Leg || len(o.Moves) == 0 || (o.Kind == KindLeg) != (m == nil) {
		t.Fatalf("%+v of %+v", o, m)
	}
	for _, move := range o.Moves {
		if move.Ver != ver[move.Seat]+1 {
			t.Fatalf("seat %d goes from version %d to %d", move.Seat, ver[move.Seat], move.Ver)
		}
		if m != nil && (move.From != m.state || !slices.Contains(m.seats, move.Seat) || o.Generation != m.try) {
			t.Fatalf("%+v of %+v", o, m)
		}
	}
	if m != nil && m.state != Held && (o.Order != m.order && o.Kind != KindUnleg) {
		t.Fatalf("a leg of order %v is moved for order %v", m.order, o.Order)
	}
}

// checkLegQuotas: a leg that is taken says which of its seats the documents stand for, and a refund gives back what its seats took, and nothing else does.
func checkLegQuotas(t *rapid.T, o *Op, m *legModel, cmd *Command) {
	names := map[SeatID]uuid.UUID{}
	visitors := 0
	for _, q := range o.Quotas {
		if q.Dimension != DimensionDocument {
			visitors++
			continue
		}
		if _, twice := names[q.Seat]; twice || !slices.ContainsFunc(o.Moves, func(move Move) bool { return move.Seat == q.Seat }) {
			t.Fatalf("a document stands for seat %d of %+v", q.Seat, o)
		}
		names[q.Seat] = q.Key
	}
	switch o.Kind {
	case KindLeg:
		var sent, got []string
		for _, q := range documentsOf(cmd.Quotas) {
			sent = append(sent, q.Key.String())
		}
		for _, key := range names {
			got = append(got, key.String())
		}
		slices.Sort(sent)
		slices.Sort(got)
		if !slices.Equal(sent, got) || visitors > 0 {
			t.Fatalf("%v of %+v", o.Quotas, cmd.Quotas)
		}
	case KindRefund:
		for _, move := range o.Moves {
			if names[move.Seat] != m.names[move.Seat] {
				t.Fatalf("seat %d gives back %v, it took %v", move.Seat, names[move.Seat], m.names[move.Seat])
			}
		}
		if len(m.names) > 0 && visitors != 1 {
			t.Fatalf("%v", o.Quotas)
		}
	default:
		if len(o.Quotas) > 0 {
			t.Fatalf("kind %d counts %v", o.Kind, o.Quotas)
		}
	}
}

func applyLeg(legs map[uuid.UUID]*legModel, ver map[SeatID]int32, o *Op) {
	m := legs[o.Hold]
	if o.Kind == KindLeg {
		m = &legModel{try: o.Generation, names: map[SeatID]uuid.UUID{}}
		legs[o.Hold] = m
		for _, q := range o.Quotas {
			m.names[q.Seat] = q.Key
		}
	}
	state := Available
	for _, move := range o.Moves {
		ver[move.Seat] = move.Ver
		state = move.To
		if o.Kind == KindLeg {
			m.seats = append(m.seats, move.Seat)
		} else if move.To == Available {
			m.seats = slices.DeleteFunc(m.seats, func(seat SeatID) bool { return seat == move.Seat })
			delete(m.names, move.Seat)
		}
	}
	if state == Available && len(m.seats) > 0 {
		return // a part of it came back
	}
	m.state = state
	if m.state >= Paying {
		m.order, m.at = o.Order, o.Attempt
	}
	if m.state == Available {
		delete(legs, o.Hold)
	}
}

func checkLegs(t *rapid.T, s *Segment, legs map[uuid.UUID]*legModel) {
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if lives := s.Lives(0); len(lives) > 0 {
		t.Fatalf("legs have lives: %v", lives)
	}
	var n [4]int32
	for id, m := range legs {
		n[m.state] += int32(len(m.seats))
		if _, shown := s.Hold(id); shown {
			t.Fatal("a leg is shown as a hold")
		}
	}
	if c := s.Counts(); c.Held != n[Held] || c.Paying != n[Paying] || c.Sold != n[Sold] {
		t.Fatalf("%+v, the ledger has %v", c, n)
	}
}

// lookedAt: each leg that may have to go is told once, and again later.
func lookedAt(t *rapid.T, s *Segment, legs map[uuid.UUID]*legModel, now int64) {
	for range 2 {
		now += legLookMs
		var want, got []string
		for id, m := range legs {
			if m.state != Sold {
				want = append(want, id.String())
			}
		}
		for len(got) < len(want) {
			part := s.Legs(now, 2)
			if len(part) == 0 {
				break
			}
			for _, leg := range part {
				got = append(got, leg.Hold.String())
				if leg.Try != legs[leg.Hold].try {
					t.Fatalf("%+v", leg)
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) || len(s.Legs(now, 10)) > 0 {
			t.Fatalf("looked at %v, want %v", got, want)
		}
	}
}

// reloadLegs: a segment that is loaded from the rows is the same, and its legs are looked at first of all.
func reloadLegs(t *rapid.T, s *Segment, layout *Layout, legs map[uuid.UUID]*legModel, ver map[SeatID]int32) {
	var rows []SeatRow
	var holds []HoldRow
	live := 0
	taken := map[SeatID]bool{}
	for id, m := range legs {
		row := HoldRow{ID: id, Generation: 0, Quantity: 9, Leg: true, Quotas: []Quota{{Dimension: DimensionTid, Key: testID('t', 1)}}}
		for seat, key := range m.names {
			row.Quotas = append(row.Quotas, Quota{Dimension: DimensionDocument, Key: key, Seat: seat})
		}
		// What the hold has elsewhere, or what a later try has not taken yet.
		row.Quotas = append(row.Quotas, Quota{Dimension: DimensionDocument, Key: testID('d', 1), Seat: NewSeatID(testSegment+1, 0)}, Quota{Dimension: DimensionDocument, Key: testID('d', 2)})
		holds = append(holds, row)
		if m.state != Sold {
			live++
		}
		for _, seat := range m.seats {
			row := SeatRow{Seat: seat, State: m.state, Ver: ver[seat], Hold: id, Generation: m.try}
			if m.state >= Paying {
				row.Order, row.Attempt = m.order, m.at
			}
			rows = append(rows, row)
			taken[seat] = true
		}
	}
	for seat, v := range ver {
		if !taken[seat] {
			rows = append(rows, SeatRow{Seat: seat, Ver: v})
		}
	}
	fresh := NewSegment(layout, 1, testSegment)
	if err := fresh.Load(rows, holds, 0); err != nil {
		t.Fatal(err)
	}
	if fresh.Counts() != s.Counts() || len(fresh.Legs(legLookMs, 100)) != live {
		t.Fatalf("loaded %+v, had %+v", fresh.Counts(), s.Counts())
	}
	for id, m := range legs {
		if m.state != Sold {
			continue
		}
		cmd := Command{Kind: KindRefund, Event: 1, Segment: testSegment, Hold: id, Order: m.order, Attempt: m.at}
		effect := fresh.Apply(cmd, 0)
		if effect.Op == nil || effect.Op.Kind != KindRefund {
			t.Fatalf("%+v", effect)
		}
		checkLegQuotas(t, effect.Op, m, &cmd)
	}
}
