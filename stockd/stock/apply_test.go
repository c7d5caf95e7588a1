package stock

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
)

// FuzzApply sends commands as they come over the wire: no command may panic or break the stock.
func FuzzApply(f *testing.F) {
	for _, cmd := range []Command{
		{Kind: KindHold, Ask: Ask{Quantity: 3, Together: TogetherAny, Accessible: 1}},
		{Kind: KindHold, Ask: Ask{Seats: []SeatAsk{{Seat: NewSeatID(testSegment, 2), Type: 1}}, Nearest: true}},
		{Kind: KindLeg, Try: 2, Ask: Ask{Quantity: 3, Together: TogetherAny}},
		{Kind: KindPin, Order: testID('o', 1), Attempt: 1},
		{Kind: KindRefund, Order: testID('o', 1), Ask: Ask{Seats: []SeatAsk{{Seat: NewSeatID(testSegment, 2)}}}},
		{Kind: KindOrder, NewOrder: &NewOrder{ID: testID('o', 1), Lines: []OrderLine{{Seat: 1}}}},
	} {
		cmd.Event, cmd.Segment, cmd.Hold, cmd.TTL, cmd.MaxTTL = testEvent, testSegment, testID('x', 0), testTTL, testMaxTTL
		body, err := json.Marshal(cmd)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, int16(0))
	}
	f.Fuzz(func(t *testing.T, body []byte, outcome int16) {
		var cmd Command
		if json.Unmarshal(body, &cmd) != nil {
			t.Skip()
		}
		cmd.Event, cmd.Segment = testEvent, testSegment
		for _, s := range []*Segment{hall(t, "x..wc.b", ".......", "bbb...."), NewArea(testEvent, testSegment, 12)} {
			for _, now := range []int64{1000, 2000, 1_000_000} {
				effect := s.Apply(cmd, now)
				if effect.Op != nil {
					s.Settle(effect.Op, Outcome(outcome), now)
				}
				s.Due(now, 3)
				s.Legs(now, 3)
				if err := s.Check(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestASaleEndToEnd walks one hold through everything, with the counts after each step.
func TestASaleEndToEnd(t *testing.T) {
	t.Parallel()
	s := hall(t, "....", "....")
	hold, order := testID('h', 1), testID('o', 1)
	step := func(cmd Command, code Code, want Counts) *HoldView {
		t.Helper()
		cmd.Hold = hold
		answer := do(t, s, cmd)
		want.Capacity = 8
		if got := s.Counts(); answer.Code != code || got != want {
			t.Fatalf("kind %d: code %d, counts %+v, want %d, %+v", cmd.Kind, answer.Code, got, code, want)
		}
		return answer.Hold
	}
	view := step(Command{Kind: KindHold, Ask: Ask{Quantity: 2}}, CodeOK, Counts{Free: 6, Held: 2})
	lines := []OrderLine{{Seat: view.Seats[1].Seat}, {Seat: view.Seats[0].Seat}}
	step(Command{Kind: KindOrder, NewOrder: &NewOrder{ID: order, Lines: lines[:1]}}, CodeInvalid, Counts{Free: 6, Held: 2})
	step(Command{Kind: KindOrder, NewOrder: &NewOrder{ID: order, Lines: lines}}, CodeOK, Counts{Free: 6, Held: 2})
	step(Command{Kind: KindRelease}, CodeIllegal, Counts{Free: 6, Held: 2})
	step(Command{Kind: KindSell, Order: order, Attempt: 1}, CodeIllegal, Counts{Free: 6, Held: 2})
	step(Command{Kind: KindPin, Order: order, Attempt: 1}, CodeOK, Counts{Free: 6, Paying: 2})
	if pins := s.Pins(1000); len(pins) != 1 || pins[0] != (Pin{hold, order, 1}) || len(s.Pins(999)) != 0 {
		t.Errorf("pins %v", pins)
	}
	step(Command{Kind: KindUnpin, Order: order, Attempt: 1}, CodeOK, Counts{Free: 6, Held: 2})
	step(Command{Kind: KindPin, Order: order, Attempt: 2}, CodeOK, Counts{Free: 6, Paying: 2})
	step(Command{Kind: KindUnpin, Order: order, Attempt: 1}, CodeIllegal, Counts{Free: 6, Paying: 2})
	step(Command{Kind: KindSell, Order: testID('o', 2), Attempt: 2}, CodeHoldNotYours, Counts{Free: 6, Paying: 2})
	step(Command{Kind: KindSell, Order: order, Attempt: 2}, CodeOK, Counts{Free: 6, Sold: 2})
	step(Command{Kind: KindSell, Order: order, Attempt: 2}, CodeReplay, Counts{Free: 6, Sold: 2})
	step(Command{Kind: KindRefund, Order: order, Ask: Ask{Seats: []SeatAsk{{Seat: view.Seats[0].Seat}}}}, CodeOK, Counts{Free: 7, Sold: 1})
	if left := step(Command{Kind: KindRefund, Order: order}, CodeOK, Counts{Free: 8}); left != nil {
		t.Errorf("a refunded hold is shown: %+v", left)
	}
	step(Command{Kind: KindRefund, Order: order}, CodeNoHold, Counts{Free: 8})
}

// TestSoldOutIsNotAllHeld: only what is sold for good is sold out, and that is said after a commit only.
func TestSoldOutIsNotAllHeld(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*Segment{"seats": hall(t, "..."), "area": NewArea(testEvent, testSegment, 3)} {
		order := testID('o', 1)
		ask := Command{Kind: KindHold, Hold: testID('h', 2), Event: testEvent, Segment: testSegment, TTL: testTTL, Ask: Ask{Quantity: 1}}
		view := do(t, s, Command{Kind: KindHold, Hold: testID('h', 1), Ask: Ask{Quantity: 3}}).Hold
		effect := s.Apply(ask, 2000)
		if effect.Op != nil || effect.Answer.Code != CodeAllHeld || effect.Answer.FreeEstimate.Milliseconds() != testTTL-1000 {
			t.Errorf("%s: %+v", name, effect)
		}
		var lines []OrderLine
		for _, seat := range view.Seats {
			lines = append(lines, OrderLine{Seat: seat.Seat})
		}
		do(t, s, Command{Kind: KindOrder, Hold: view.ID, NewOrder: &NewOrder{ID: order, Lines: lines}})
		do(t, s, Command{Kind: KindPin, Hold: view.ID, Order: order, Attempt: 1})
		if effect := s.Apply(ask, 2000); effect.Op != nil || effect.Answer.Code != CodeAllHeld {
			t.Errorf("%s, paying: %+v", name, effect)
		}
		do(t, s, Command{Kind: KindSell, Hold: view.ID, Order: order, Attempt: 1})
		effect = s.Apply(ask, 2000)
		if effect.Op == nil || effect.Op.Kind != KindNote || effect.Op.Refused != CodeSoldOut || effect.Op.Request != (Request{}) {
			t.Errorf("%s, sold: %+v", name, effect)
		}
	}
}

// TestAReleasedSeatIsNotOfferedBeforeItsCommit: a release that may yet be undone gives nothing to others.
func TestAReleasedSeatIsNotOfferedBeforeItsCommit(t *testing.T) {
	t.Parallel()
	s := hall(t, ".")
	do(t, s, Command{Kind: KindHold, Hold: testID('h', 1), Ask: Ask{Quantity: 1}})
	base := Command{Event: testEvent, Segment: testSegment, TTL: testTTL}
	release, again := base, base
	release.Kind, release.Hold = KindRelease, testID('h', 1)
	again.Kind, again.Hold, again.Ask = KindHold, testID('h', 2), Ask{Quantity: 1}
	effect := s.Apply(release, 1000)
	if other := s.Apply(again, 1000); other.Op != nil || other.Answer.Code != CodeAllHeld {
		t.Errorf("the seat was offered: %+v", other)
	}
	if answer := s.Settle(effect.Op, OutcomeFenced, 1000); answer.Code != CodeBusy || answer.Hold != nil {
		t.Errorf("fenced: %+v", answer)
	}
	if view, ok := s.Hold(testID('h', 1)); !ok || view.State != Held {
		t.Errorf("the hold is %+v", view)
	}
}

// TestTimersOverYears puts deadlines near, far and beyond one turn of the wheel.
func TestTimersOverYears(t *testing.T) {
	t.Parallel()
	s := NewArea(testEvent, testSegment, 1000)
	const start = int64(1_700_000_000_000)
	deadlines := map[uuid.UUID]int64{}
	for i, ttl := range []int64{1, 999, 1000, 1001, 127_000, 128_000, 8_191_000, 8_192_000, 8_193_000, 20_000_000, 1_000_000_000} {
		cmd := Command{Kind: KindHold, Hold: testID('h', i), Event: testEvent, Segment: testSegment, TTL: ttl, Ask: Ask{Quantity: 1}}
		s.Settle(s.Apply(cmd, start).Op, OutcomeApplied, start)
		deadlines[cmd.Hold] = start + ttl
	}
	for now := start; len(deadlines) > 0; now += 500 {
		for _, id := range s.Due(now, 3) {
			late := now - deadlines[id]
			if late < 0 || late > 1500 {
				t.Fatalf("hold %v is found %d ms after its deadline", id, late)
			}
			delete(deadlines, id)
			cmd := Command{Kind: KindExpire, Hold: id, Event: testEvent, Segment: testSegment}
			s.Settle(s.Apply(cmd, now).Op, OutcomeApplied, now)
		}
		if now > start+1_000_100_000 {
			t.Fatalf("never found: %v", deadlines)
		}
	}
	if err := s.Check(); err != nil || s.Counts().Free != 1000 {
		t.Errorf("%v, %+v", err, s.Counts())
	}
}
