package stock

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// Settle tells one pending operation what the ledger said of it.
func (mc *machine) Settle(t *rapid.T) {
	if len(mc.pending) == 0 {
		t.Skip("nothing pending")
	}
	at := rapid.IntRange(0, len(mc.pending)-1).Draw(t, "which")
	o := mc.pending[at]
	mc.pending = slices.Delete(mc.pending, at, at+1)
	outcome := OutcomeApplied
	if rapid.IntRange(0, 3).Draw(t, "refused") == 0 {
		outcome = rapid.SampledFrom([]Outcome{OutcomeReplay, OutcomeKeyReused, OutcomeHoldGone, OutcomeNotExpired, OutcomeOrderNo, OutcomeOrderLocked, OutcomeOrderOpen, OutcomeLimit(DimensionTid, 4), OutcomeLimitBusy, OutcomeGrantGone, OutcomeNotSold, OutcomeFenced}).Draw(t, "outcome")
	}
	answer := mc.s.Settle(o, outcome, mc.now)
	if o.Kind == KindGrantOut || o.Kind == KindGrantIn {
		mc.settleGrant(t, o, outcome, answer)
		return
	}
	h := mc.m.holds[o.Hold]
	if o.Kind == KindNote {
		if outcome == OutcomeApplied && answer.Code != o.Refused {
			t.Fatalf("note of %d answered %d", o.Refused, answer.Code)
		}
		return
	}
	h.busy = false
	mc.seen[fmt.Sprint("settled ", o.Kind, " ", outcome)]++
	if outcome != OutcomeApplied {
		if answer.Code == CodeOK {
			t.Fatalf("outcome %d answered OK", outcome)
		}
		if o.Kind == KindHold {
			mc.end(o.Hold, o.Moves)
		}
		return
	}
	if answer.Code != CodeOK {
		t.Fatalf("applied, answered %d", answer.Code)
	}
	mc.commit(o, h)
}

// end frees seats in the model. Units of a refused hold stay used: the engine never gives them again.
func (mc *machine) end(id uuid.UUID, moves []Move) {
	h := mc.m.holds[id]
	for _, m := range moves {
		seat := mc.m.seats[m.Seat.Index()]
		seat.state, seat.hold = Available, uuid.Nil
		delete(h.seats, m.Seat.Index())
	}
	if len(h.seats) == 0 {
		delete(mc.m.holds, id)
	}
}

func (mc *machine) commit(o *Op, h *modelHold) {
	for _, m := range o.Moves {
		seat := mc.m.seats[m.Seat.Index()]
		seat.ver, seat.state = m.Ver, m.To
		h.state = m.To
	}
	switch o.Kind {
	case KindHold:
		h.tentative = false
	case KindExtend:
		h.deadline = o.Deadline
	case KindOrder:
		h.order = o.Order
	case KindPin:
		h.order, h.attempt = o.Order, o.Attempt
	default:
	}
	if h.state == Available {
		if len(o.Moves) < len(h.seats) {
			h.state = Sold
		}
		mc.end(o.Hold, o.Moves)
	}
}

// Time passes, sometimes for long.
func (mc *machine) Time(t *rapid.T) {
	mc.now += int64(rapid.OneOf(rapid.IntRange(1, 3000), rapid.IntRange(1, 90_000), rapid.Just(9_000_000)).Draw(t, "ms"))
}

// Due expires what has run out; what it names must be so, and repeated calls find everything.
func (mc *machine) Due(t *rapid.T) {
	want := map[uuid.UUID]bool{}
	for id, h := range mc.m.holds {
		// The wheel has slots of a second.
		if h.state == Held && !h.busy && !h.tentative && fireAt(h.deadline) <= mc.now/1000 {
			want[id] = true
		}
	}
	found := map[uuid.UUID]bool{}
	for range 2*len(mc.m.holds) + 2 {
		for _, id := range mc.s.Due(mc.now, 2) {
			if h := mc.m.holds[id]; h == nil || h.state != Held || h.deadline > mc.now || h.busy {
				t.Fatalf("hold %v is not due: %+v", id, h)
			}
			found[id] = true
		}
	}
	for id := range want {
		if !found[id] && mc.s.at(mc.s.byID[id]).fire <= mc.now/1000 { // else a refused expiry waits for its next try
			t.Fatalf("hold %v is due and was not found", id)
		}
	}
	for id := range found {
		cmd := mc.command(KindExpire, id)
		verdict := mc.m.expect(&cmd, mc.now)
		mc.require(t, mc.s.Apply(cmd, mc.now), verdict)
		mc.m.holds[id].busy = verdict.moves()
	}
}

// Reload loses everything that is not committed and loads the rest from rows.
func (mc *machine) Reload(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "really") > 0 {
		t.Skip("not now")
	}
	stale := mc.pending
	mc.pending = nil
	seats, holds, next := mc.m.rows(testSegment)
	if mc.layout != nil {
		mc.s = NewSegment(mc.layout, testEvent, testSegment)
	} else {
		for _, o := range stale { // the ledger did not hear of it
			if o.Kind == KindGrantOut {
				mc.m.capacity += int(o.Quantity)
			}
		}
		mc.s = NewShare(testEvent, testSegment, mc.home, int32(mc.m.capacity))
	}
	if err := mc.s.Load(seats, holds, next); err != nil {
		t.Fatal(err)
	}
	for id, h := range mc.m.holds {
		if h.tentative {
			for i := range h.seats {
				mc.m.seats[i].state, mc.m.seats[i].hold = Available, uuid.Nil
			}
			h.seats = nil
			delete(mc.m.holds, id)
			continue
		}
		h.busy, h.loaded = false, true
	}
	if mc.layout == nil { // units that were never written may be given again
		maps.DeleteFunc(mc.m.seats, func(_ int32, seat *modelSeat) bool { return seat.ver == 0 })
	}
	for _, o := range stale {
		if answer := mc.s.Settle(o, OutcomeApplied, mc.now); o.Kind != KindNote && answer.Code != CodeBusy {
			t.Fatalf("an operation from before the load was settled: %+v", answer)
		}
	}
}

// Check compares everything that can be seen.
func (mc *machine) Check(t *rapid.T) {
	if err := mc.s.Check(); err != nil {
		t.Fatal(err)
	}
	if got, want := mc.s.Counts(), mc.m.counts(); got != want {
		t.Fatalf("counts %+v, want %+v", got, want)
	}
	for i, state := range mc.s.States(nil) {
		if want := mc.m.seats[int32(i)].state; state != want {
			t.Fatalf("seat %d is %d, want %d", i, state, want)
		}
	}
	pinned := 0
	for _, id := range mc.known {
		view, ok := mc.s.Hold(id)
		h := mc.m.holds[id]
		if ok != (h != nil && !h.tentative) {
			t.Fatalf("hold %v is seen: %v, model has %+v", id, ok, h)
		}
		if !ok {
			continue
		}
		if view.State == Paying && !h.busy {
			pinned++
		}
		if view.State != h.state || view.Deadline != h.deadline || view.MaxExpires != h.maxExpires || view.Order != h.order ||
			view.Attempt != h.attempt || view.Generation != h.generation || len(view.Seats) != len(h.seats) {
			t.Fatalf("hold %+v, want %+v", view, h)
		}
		for _, seat := range view.Seats {
			if typ, mine := h.seats[seat.Seat.Index()]; !mine || typ != seat.Type {
				t.Fatalf("seat %+v of hold %+v", seat, h)
			}
		}
	}
	if pins := mc.s.Pins(mc.now); len(pins) != pinned {
		t.Fatalf("%d pins, want %d", len(pins), pinned)
	}
}

func TestSegmentBehavesAsTheModel(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	run := func() {
		rapid.Check(t, func(t *rapid.T) {
			mc := newMachine(t)
			mc.seen = seen
			t.Repeat(map[string]func(*rapid.T){
				"": mc.Check, "hold": mc.Hold, "hold more": mc.Hold, "again": mc.Again, "change": mc.Change, "change more": mc.Change,
				"settle": mc.Settle, "settle more": mc.Settle, "settle yet more": mc.Settle, "time": mc.Time, "due": mc.Due, "reload": mc.Reload, "grant": mc.Grant,
			})
		})
	}
	// What never happened was not tested. The rarest of it may take a few runs.
	musts := []string{
		"rung 0", "rung 1", "rung 2", "rung 3", "rung 4", "rung 5", "refused 2", "refused 3", "refused 5", "refused 6",
		"settled 1 0", "settled 2 0", "settled 3 0", "settled 4 0", "settled 5 0", "settled 6 0", "settled 7 0", "settled 8 0", "settled 11 0",
		"settled 9 0", "settled 9 99", "settled 10 0", "settled 10 50",
	}
	never := func() (list []string) {
		for _, must := range musts {
			if seen[must] == 0 {
				list = append(list, must)
			}
		}
		return list
	}
	run()
	for range 9 {
		if len(never()) > 0 && !t.Failed() {
			run()
		}
	}
	if list := never(); len(list) > 0 {
		t.Errorf("never happened: %q in %v", list, seen)
	}
}
