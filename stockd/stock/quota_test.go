package stock

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func docs(numbers ...int) (quotas []Quota) {
	quotas = []Quota{{Dimension: DimensionTid, Key: testID('t', 1), Limit: 9}}
	for _, n := range numbers {
		quotas = append(quotas, Quota{Dimension: DimensionDocument, Key: testID('d', n), Limit: 2})
	}
	return quotas
}

// seatsOf are the seats that documents stand for, in the order of the tickets.
func seatsOf(t *testing.T, e Effect) (indexes []int32) {
	t.Helper()
	if e.Op == nil {
		t.Fatalf("refused: %+v", e.Answer)
	}
	for _, q := range e.Op.Quotas {
		if (q.Seat != 0) != (q.Dimension == DimensionDocument) {
			t.Fatalf("%+v", q)
		}
		if q.Seat != 0 {
			indexes = append(indexes, q.Seat.Index())
		}
	}
	return indexes
}

// A document goes with the seat of its ticket, however the seats are chosen.
func TestDocumentsFollowTheTickets(t *testing.T) {
	t.Parallel()
	named := func(indexes ...int32) (ask Ask) {
		for _, i := range indexes {
			ask.Seats = append(ask.Seats, SeatAsk{Seat: NewSeatID(testSegment, i)})
		}
		return ask
	}
	nearest := named(9, 1, 4)
	nearest.Nearest = true
	for name, c := range map[string]struct {
		s    *Segment
		ask  Ask
		want []int32
	}{
		"named, not in the order of the map": {hall(t, "......"), named(4, 1, 3), []int32{4, 1, 3}},
		"best":                               {hall(t, "xx..xx"), Ask{Quantity: 2}, []int32{2, 3}},
		"area":                               {NewArea(testEvent, testSegment, 9), Ask{Quantity: 3}, []int32{1, 2, 3}},
		"in place of a seat that is gone":    {hall(t, "bbbb", "x...", "...."), nearest, []int32{9, 1, 5}},
	} {
		cmd := Command{Kind: KindHold, Event: testEvent, Segment: testSegment, Hold: testID('h', 1), TTL: testTTL, Ask: c.ask}
		cmd.Quotas = docs(1, 2, 3)[:1+len(c.want)]
		before := slices.Clone(cmd.Quotas)
		if got := seatsOf(t, c.s.Apply(cmd, 1000)); !slices.Equal(got, c.want) {
			t.Errorf("%s: seats %v, want %v", name, got, c.want)
		}
		if !slices.Equal(before, cmd.Quotas) {
			t.Errorf("%s: the command was changed", name)
		}
	}
	for name, quotas := range map[string][]Quota{"too few": docs(1), "too many": docs(1, 2, 3), "a seat": {{Dimension: DimensionDocument, Seat: 1}, {Dimension: DimensionDocument}}} {
		cmd := Command{Kind: KindHold, Event: testEvent, Segment: testSegment, Hold: testID('h', 1), TTL: testTTL, Ask: Ask{Quantity: 2}, Quotas: quotas}
		if e := hall(t, "....").Apply(cmd, 1000); e.Answer.Code != CodeInvalid {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// What counts at the end is what is sold, whatever was held, refused, loaded anew and given back in parts on the way.
func TestDocumentsGiveBackWhatTheyTook(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := NewArea(testEvent, testSegment, 40)
		counters, owed := map[uuid.UUID]int32{}, map[SeatID][]uuid.UUID{}
		var rows []HoldRow
		flush := func(cmd Command, sign int32) {
			cmd.Event, cmd.Segment, cmd.TTL, cmd.MaxTTL = testEvent, testSegment, testTTL, testMaxTTL
			e := s.Apply(cmd, 1000)
			if e.Op == nil {
				rt.Fatalf("kind %d: %+v", cmd.Kind, e.Answer)
			}
			for _, q := range e.Op.Quotas {
				counters[q.Key] += sign * q.Count(e.Op.Quantity)
			}
			for _, m := range e.Op.Moves {
				if m.To == Available {
					delete(owed, m.Seat)
				} else if cmd.Kind == KindHold {
					owed[m.Seat] = []uuid.UUID{testID('t', 1)}
				}
			}
			if cmd.Kind == KindHold {
				for _, q := range e.Op.Quotas {
					if q.Seat != 0 {
						owed[q.Seat] = append(owed[q.Seat], q.Key)
					}
				}
				rows = append(rows, HoldRow{ID: cmd.Hold, Generation: e.Op.Generation, Quantity: e.Op.Quantity, Deadline: e.Op.Deadline, MaxExpires: e.Op.MaxExpires, Quotas: e.Op.Quotas})
			}
			s.Settle(e.Op, OutcomeApplied, 1000)
		}
		for n := range rapid.IntRange(1, 5).Draw(rt, "holds") {
			id, order := testID('h', n), testID('o', n)
			party := rapid.IntRange(1, 4).Draw(rt, "party")
			var numbers []int
			for range party {
				numbers = append(numbers, rapid.IntRange(1, 3).Draw(rt, "document"))
			}
			flush(Command{Kind: KindHold, Hold: id, Ask: Ask{Quantity: int32(party)}, Quotas: docs(numbers...)}, 1)
			if rapid.Bool().Draw(rt, "released") {
				flush(Command{Kind: KindRelease, Hold: id}, -1)
				continue
			}
			view, _ := s.Hold(id)
			lines := make([]OrderLine, 0, party)
			for _, seat := range view.Seats {
				lines = append(lines, OrderLine{Seat: seat.Seat})
			}
			flush(Command{Kind: KindOrder, Hold: id, NewOrder: &NewOrder{ID: order, Lines: lines}}, 0)
			flush(Command{Kind: KindPin, Hold: id, Order: order, Attempt: 1}, 0)
			flush(Command{Kind: KindSell, Hold: id, Order: order, Attempt: 1}, 0)
			for _, line := range lines {
				if rapid.Bool().Draw(rt, "comes back") {
					flush(Command{Kind: KindRefund, Hold: id, Order: order, Ask: Ask{Seats: []SeatAsk{{Seat: line.Seat}}}}, -1)
				}
				if rapid.IntRange(0, 3).Draw(rt, "taken over") == 0 {
					s = loadedAgain(rt, s, rows)
				}
			}
		}
		want := map[uuid.UUID]int32{}
		for _, keys := range owed {
			for _, key := range keys {
				want[key]++
			}
		}
		for key, n := range counters {
			if n != want[key] {
				rt.Fatalf("the counter of %v is %d, its seats make %d", key, n, want[key])
			}
		}
	})
}

// loadedAgain is what another node makes of the ledger's rows.
func loadedAgain(rt *rapid.T, s *Segment, rows []HoldRow) *Segment {
	next := NewArea(testEvent, testSegment, 40)
	var seats []SeatRow
	var holds []HoldRow
	for _, row := range rows {
		view, ok := s.Hold(row.ID)
		if !ok {
			continue
		}
		row.Order, row.Attempt = view.Order, view.Attempt
		holds = append(holds, row)
		for _, seat := range view.Seats {
			seats = append(seats, SeatRow{Seat: seat.Seat, State: view.State, Ver: 3, Hold: row.ID, Generation: row.Generation, Order: view.Order, Attempt: view.Attempt})
		}
	}
	if err := next.Load(seats, holds, 100); err != nil {
		rt.Fatal(err)
	}
	return next
}

func TestLimitOutcomes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := Dimension(rapid.IntRange(1, 3).Draw(t, "dimension"))
		used := rapid.Int32Range(0, 2*UsedMax).Draw(t, "used")
		o := OutcomeLimit(d, used)
		a := o.LimitAnswer([]Quota{{Dimension: d, Limit: 7}, {Dimension: d%3 + 1, Limit: 8}})
		want := used
		if used >= UsedMax {
			want = -1
		}
		if o < 100 || a.Code != CodeLimitReached || a.Dimension != d || a.Limit != 7 || a.Used != want {
			t.Fatalf("dimension %d, %d used: outcome %d, %+v", d, used, o, a)
		}
	})
	for _, o := range []Outcome{-1, OutcomeApplied, OutcomeLimitBusy, OutcomeNotSold, OutcomeFenced, 30100, 32767} {
		if d, _ := o.Limit(); d != 0 {
			t.Errorf("outcome %d is no limit", o)
		}
	}
}
