package stock

import (
	"math"

	"pgregory.net/rapid"
)

// holdNamed asks for a few seats by name, some of which may be gone.
func (mc *machine) holdNamed(t *rapid.T, cmd Command) {
	ask := &cmd.Ask
	n := len(mc.m.specs)
	from := rapid.IntRange(0, n-1).Draw(t, "from")
	taken, wanted := false, map[int]bool{}
	for i := from; i < min(from+rapid.IntRange(1, 4).Draw(t, "n"), n); i++ {
		ask.Seats = append(ask.Seats, SeatAsk{Seat: NewSeatID(testSegment, int32(i)), Type: int16(i - from)})
		taken = taken || !mc.m.free(i)
		wanted[i] = true
	}
	ask.Nearest = rapid.Bool().Draw(t, "nearest")
	effect := mc.s.Apply(cmd, mc.now)
	orphan := ask.Orphans == OrphansNever && mc.m.leavesSingle(wanted, false)
	switch {
	case effect.Op == nil && taken && effect.Answer.Code == CodeSeatTaken:
		mc.checkAlternatives(t, ask, effect.Answer.Alternatives)
		if ask.Nearest && len(effect.Answer.Alternatives) > 0 {
			t.Fatalf("alternatives %v were not given", effect.Answer.Alternatives)
		}
	case effect.Op == nil && !taken && orphan && effect.Answer.Code == CodeWouldOrphan:
	case effect.Op == nil:
		t.Fatalf("taken=%v orphan=%v answered %d", taken, orphan, effect.Answer.Code)
	case taken:
		if !ask.Nearest {
			t.Fatal("named seats that are gone were replaced unasked")
		}
		var ids []SeatID
		for _, m := range effect.Op.Moves {
			ids = append(ids, m.Seat)
		}
		mc.checkAlternatives(t, ask, ids)
		mc.seen["substituted"]++
	default:
		for _, m := range effect.Op.Moves {
			if !wanted[int(m.Seat.Index())] {
				t.Fatalf("seat %d was not asked for", m.Seat)
			}
		}
	}
	mc.admit(t, &cmd, effect)
}

// checkAlternatives verifies that seats given in place of others are as many, free, and of the same categories.
func (mc *machine) checkAlternatives(t *rapid.T, ask *Ask, given []SeatID) {
	if len(given) == 0 {
		return
	}
	categories := map[uint8]int{}
	for _, a := range ask.Seats {
		categories[mc.m.specs[a.Seat.Index()].Category]++
	}
	seen := map[SeatID]bool{}
	for _, id := range given {
		i := int(id.Index())
		if seen[id] || !mc.m.free(i) {
			t.Fatalf("alternative %d is not free, or twice", id)
		}
		seen[id] = true
		categories[mc.m.specs[i].Category]--
	}
	for c, n := range categories {
		if n != 0 {
			t.Fatalf("%d seats of category %d are missing among %v", n, c, given)
		}
	}
}

// checkBest verifies a best-available answer against brute force: the rung is the first that is possible, adjacent runs are the nearest,
// lower rungs keep their promise, and a refusal is true.
func (mc *machine) checkBest(t *rapid.T, cmd *Command, effect Effect) {
	ask, k := &cmd.Ask, int(cmd.Ask.Quantity)
	if ask.Accessible > 0 {
		mc.checkAccessible(t, cmd, effect)
		return
	}
	if effect.Op == nil || effect.Op.Kind == KindNote {
		mc.checkRefusal(t, ask, effect)
		return
	}
	h := mc.s.at(mc.s.byID[cmd.Hold])
	taken := map[int]bool{}
	for _, seat := range h.seats {
		i := int(seat.index)
		if !mc.m.open(i, ask.Categories, true) {
			t.Fatalf("seat %d is not for sale to this request", i)
		}
		taken[i] = true
	}
	companions := mc.needsCompanions(ask, h.rung)
	legal, isLegal := mc.m.bestRun(k, true, ask.Categories, companions)
	adjacent, isAdjacent := mc.m.bestRun(k, false, ask.Categories, companions)
	first := int(h.seats[0].index)
	cost := float32(math.Inf(1))
	if first+(k-1)/2 < len(mc.m.specs) {
		cost = mc.m.specs[first+(k-1)/2].Distance
	}
	switch {
	case h.rung <= RungOrphan && !mc.adjacent(h.seats):
		t.Fatalf("rung %d, and not adjacent: %v", h.rung, h.seats)
	case ask.Orphans != OrphansAllow && isLegal && (h.rung != RungTogether || cost != legal):
		t.Fatalf("rung %d at distance %v, a run without a single is at %v", h.rung, cost, legal)
	case ask.Orphans == OrphansAllow && isAdjacent && cost != adjacent,
		ask.Orphans == OrphansAvoid && !isLegal && isAdjacent && (cost != adjacent || h.rung != RungOrphan):
		t.Fatalf("rung %d at distance %v, a run is at %v", h.rung, cost, adjacent)
	case h.rung > RungOrphan && ask.Together == TogetherRequired:
		t.Fatalf("rung %d for a party that must sit together", h.rung)
	case h.rung == RungScattered && ask.Together != TogetherAny:
		t.Fatal("a party was scattered unasked")
	case ask.Orphans == OrphansNever && mc.m.leavesSingle(taken, false) && mc.m.leavesSingle(taken, true):
		t.Fatalf("a single is left beside %v", h.seats)
	case (h.rung == RungTwoRows || h.rung == RungNear) && mc.alone(taken):
		t.Fatalf("somebody sits alone: %v", h.seats)
	}
}

// needsCompanions is whether the search had to look at companion seats too, which it does only when the ladder fails without them.
func (mc *machine) needsCompanions(ask *Ask, rung int8) bool {
	k := int(ask.Quantity)
	_, legal := mc.m.bestRun(k, true, ask.Categories, false)
	_, adjacent := mc.m.bestRun(k, false, ask.Categories, false)
	return ask.Together == TogetherAny && rung <= RungOrphan && !legal && (!adjacent || ask.Orphans == OrphansNever)
}

func (mc *machine) adjacent(seats []heldSeat) bool {
	for i := 1; i < len(seats); i++ {
		if seats[i].index != seats[i-1].index+1 || mc.m.specs[seats[i].index].Block != mc.m.specs[seats[0].index].Block {
			return false
		}
	}
	return true
}

// alone is whether one of the party has nobody of the party beside.
func (mc *machine) alone(taken map[int]bool) bool {
	for i := range taken {
		block := mc.m.specs[i].Block
		beside := func(j int) bool { return taken[j] && mc.m.specs[j].Block == block }
		if !beside(i-1) && !beside(i+1) {
			return true
		}
	}
	return false
}

func (mc *machine) checkRefusal(t *rapid.T, ask *Ask, effect Effect) {
	k := int(ask.Quantity)
	companions := ask.Together == TogetherAny
	n := mc.m.openCount(ask.Categories, companions)
	_, adjacent := mc.m.bestRun(k, false, ask.Categories, companions)
	_, legal := mc.m.bestRun(k, true, ask.Categories, companions)
	c := mc.m.counts()
	code := effect.Answer.Code
	if effect.Op != nil {
		code = effect.Op.Refused
	}
	ok := false
	switch code {
	case CodeSoldOut:
		ok = effect.Op != nil && c.Sold == c.Capacity
	case CodeAllHeld:
		ok = n < k && c.Sold < c.Capacity
	case CodeWouldOrphan:
		ok = ask.Orphans == OrphansNever && adjacent && !legal
	case CodeNotTogether:
		ok = n >= k && !adjacent && (ask.Together != TogetherAny || ask.Orphans == OrphansNever) && int(effect.Answer.LargestRun) < k
	default:
	}
	if !ok {
		t.Fatalf("refused with %d: asked %+v, %d open, adjacent %v, legal %v, counts %+v", code, ask, n, adjacent, legal, c)
	}
}

func (mc *machine) checkAccessible(t *rapid.T, cmd *Command, effect Effect) {
	free := 0
	for i, s := range mc.m.specs {
		if mc.m.free(i) && s.Flags&SeatAccessible != 0 && (cmd.Ask.Categories == 0 || cmd.Ask.Categories>>s.Category&1 != 0) {
			free++
		}
	}
	if effect.Op == nil || effect.Op.Kind == KindNote {
		if effect.Answer.Code == CodeNotTogether && free < int(cmd.Ask.Accessible) {
			t.Fatal("the accessible seats are gone, not apart")
		}
		return
	}
	got := 0
	for _, m := range effect.Op.Moves {
		s := mc.m.specs[m.Seat.Index()]
		if s.Flags&SeatAccessible != 0 {
			got++
		}
		if !mc.m.free(int(m.Seat.Index())) || cmd.Ask.Categories != 0 && cmd.Ask.Categories>>s.Category&1 == 0 && s.Flags&SeatCompanion == 0 {
			t.Fatalf("seat %d is not for this request", m.Seat)
		}
	}
	if got != int(cmd.Ask.Accessible) {
		t.Fatalf("%d accessible seats, asked %d", got, cmd.Ask.Accessible)
	}
	mc.seen["accessible"]++
}
