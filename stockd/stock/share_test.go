package stock

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// Grant gives capacity away, or takes some, in the machine of one segment.
func (mc *machine) Grant(t *rapid.T) {
	cmd := mc.command(KindGrantOut, testID('g', mc.ids))
	cmd.Other = testSegment + 1
	cmd.Ask.Quantity = int32(rapid.IntRange(0, 4).Draw(t, "n"))
	free := mc.m.counts().Free
	n := min(cmd.Ask.Quantity, free)
	if cmd.Ask.Quantity == 0 {
		n = free / 2
	}
	want := op(KindGrantOut)
	if n == 0 {
		want = memory(CodeAllHeld)
	}
	if rapid.Bool().Draw(t, "in") {
		cmd.Kind, n, want = KindGrantIn, cmd.Ask.Quantity, op(KindGrantIn)
		if n == 0 {
			want = memory(CodeInvalid)
		}
	}
	if mc.layout != nil {
		want = memory(CodeInvalid)
	}
	effect := mc.s.Apply(cmd, mc.now)
	mc.require(t, effect, want)
	if effect.Op == nil {
		return
	}
	if o := effect.Op; o.Quantity != n || o.Other != cmd.Other || o.Hold != cmd.Hold || !o.Area || len(o.Moves) > 0 {
		t.Fatalf("op %+v, want one of %d", o, n)
	}
	if again := mc.s.Apply(cmd, mc.now); again.Answer.Code != CodeBusy {
		t.Fatalf("a grant under way is asked for again: %+v", again)
	}
	if cmd.Kind == KindGrantOut {
		mc.m.capacity -= int(n)
	}
}

func (mc *machine) settleGrant(t *rapid.T, o *Op, outcome Outcome, answer Answer) {
	mc.seen[fmt.Sprint("settled ", o.Kind, " ", outcome)]++
	if (outcome == OutcomeApplied) == (o.Kind == KindGrantIn) {
		mc.m.capacity += int(o.Quantity)
	}
	if (answer.Code == CodeOK) != (outcome == OutcomeApplied) || answer.Code == CodeOK && answer.Granted != o.Quantity {
		t.Fatalf("outcome %d of a grant of %d was answered %+v", outcome, o.Quantity, answer)
	}
}

// area is several segments of one area, with a ledger that has their capacities and the grants under way.
type area struct {
	opened   int32
	parts    []*Segment
	capacity []int32 // as the ledger has it
	untaken  map[uuid.UUID]Grant
	taken    map[uuid.UUID]bool
	flying   [][]*Op // of each segment, in the order in which they were applied
	holds    map[uuid.UUID]int
	ids      int
	seen     map[string]int
	lies     []string // about what is on its way
}

func (a *area) id(kind byte) uuid.UUID { a.ids++; return testID(kind, a.ids) }

func (a *area) draw(t *rapid.T) int { return rapid.IntRange(0, len(a.parts)-1).Draw(t, "segment") }

func (a *area) apply(i int, cmd Command) Answer {
	cmd.Event, cmd.Segment = testEvent, SegmentNo(i+1)
	effect := a.parts[i].Apply(cmd, 0)
	if effect.Op != nil {
		a.flying[i] = append(a.flying[i], effect.Op)
	}
	if effect.Op == nil && effect.Answer.Code == CodeAllHeld {
		under := slices.ContainsFunc(a.flying[i], func(o *Op) bool { return o.Kind == KindGrantOut || o.Kind == KindGrantIn })
		if effect.Answer.Moving != under {
			a.lies = append(a.lies, fmt.Sprintf("segment %d: moving %v, a grant is under way: %v", i+1, effect.Answer.Moving, under))
		}
		a.seen[fmt.Sprint("all held, moving ", under)]++
	}
	return effect.Answer
}

func (a *area) hold(t *rapid.T) {
	i, id := a.draw(t), a.id('h')
	a.holds[id] = i
	a.apply(i, Command{Kind: KindHold, Hold: id, Ask: Ask{Quantity: int32(rapid.IntRange(1, 6).Draw(t, "party"))}, TTL: testTTL, MaxTTL: testTTL})
}

func (a *area) release(t *rapid.T) {
	ids := slices.SortedFunc(maps.Keys(a.holds), func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	if len(ids) == 0 {
		t.Skip("no holds")
	}
	id := rapid.SampledFrom(ids).Draw(t, "hold")
	a.apply(a.holds[id], Command{Kind: KindRelease, Hold: id})
}

// balance does what Balance says, by counts that may be those of another moment.
func (a *area) balance(t *rapid.T) {
	i := a.draw(t)
	var shares []Share
	for _, s := range a.parts {
		shares = append(shares, Share{s.no, max(0, s.Counts().Free+int32(rapid.IntRange(-2, 2).Draw(t, "stale")))})
	}
	if g, ok := Balance(a.parts[i].no, shares, a.opened); ok {
		a.apply(int(g.From)-1, Command{Kind: KindGrantOut, Hold: a.id('g'), Other: g.To, Ask: Ask{Quantity: g.Quantity}})
	}
}

// take takes any grant, perhaps one that was taken before.
func (a *area) take(t *rapid.T) {
	ids := slices.SortedFunc(maps.Keys(a.untaken), func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	if len(ids) == 0 {
		t.Skip("no grants")
	}
	id := rapid.SampledFrom(ids).Draw(t, "grant")
	g := a.untaken[id]
	a.apply(int(g.To)-1, Command{Kind: KindGrantIn, Hold: id, Other: g.From, Ask: Ask{Quantity: g.Quantity}})
}

// settle commits, or refuses, the oldest operation of a segment.
func (a *area) settle(t *rapid.T) {
	i := a.draw(t)
	if len(a.flying[i]) == 0 {
		t.Skip("nothing under way")
	}
	o := a.flying[i][0]
	a.flying[i] = a.flying[i][1:]
	outcome := OutcomeApplied
	switch {
	case rapid.IntRange(0, 5).Draw(t, "lost") == 0:
		outcome = OutcomeFenced
	case o.Kind == KindGrantOut:
		a.capacity[i] -= o.Quantity
		a.untaken[o.Hold] = Grant{SegmentNo(i + 1), o.Other, o.Quantity}
	case o.Kind == KindGrantIn && a.taken[o.Hold]:
		outcome = OutcomeGrantGone
	case o.Kind == KindGrantIn:
		a.capacity[i] += o.Quantity
		a.taken[o.Hold] = true
	}
	a.seen[fmt.Sprint(o.Kind, " ", outcome)]++
	a.parts[i].Settle(o, outcome, 0)
}

// lose is the end of an owner: what is under way is not written, and the segment is loaded anew, without holds.
func (a *area) lose(t *rapid.T) {
	if rapid.IntRange(0, 7).Draw(t, "really") > 0 {
		t.Skip("not now")
	}
	i := a.draw(t)
	a.flying[i] = nil
	a.parts[i] = NewShare(testEvent, SegmentNo(i+1), 1, a.capacity[i])
	maps.DeleteFunc(a.holds, func(_ uuid.UUID, at int) bool { return at == i })
}

func (a *area) check(t *rapid.T) {
	if len(a.lies) > 0 {
		t.Fatal(a.lies)
	}
	var sum, under int32
	for i, s := range a.parts {
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		sum += a.capacity[i]
		given := int32(0)
		for _, o := range a.flying[i] {
			if o.Kind == KindGrantOut {
				given += o.Quantity
			}
		}
		if got := s.Counts().Capacity; got+given != a.capacity[i] {
			t.Fatalf("segment %d has %d and gives %d, the ledger has %d", i+1, got, given, a.capacity[i])
		}
	}
	for id, g := range a.untaken {
		if !a.taken[id] {
			under += g.Quantity
		}
	}
	if sum+under != a.opened {
		t.Fatalf("capacities %v and %d under way make %d, not %d", a.capacity, under, sum+under, a.opened)
	}
}

// TestCapacityIsConservedOverSegments: whatever is given, taken, taken twice, refused and lost, the capacities and the grants that were not taken
// make the area's capacity, no segment promises what it has given away, and one that has nothing says when something is on its way from it, or to it.
func TestCapacityIsConservedOverSegments(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		opened := int32(rapid.IntRange(2, 200).Draw(t, "opened"))
		a := &area{opened: opened, untaken: map[uuid.UUID]Grant{}, taken: map[uuid.UUID]bool{}, holds: map[uuid.UUID]int{}, seen: seen}
		a.capacity = SplitArea(opened, max(1, opened/int32(rapid.IntRange(2, 5).Draw(t, "segments"))))
		for i, n := range a.capacity {
			a.parts = append(a.parts, NewShare(testEvent, SegmentNo(i+1), 1, n))
		}
		a.flying = make([][]*Op, len(a.parts))
		t.Repeat(map[string]func(*rapid.T){
			"": a.check, "hold": a.hold, "hold more": a.hold, "release": a.release, "balance": a.balance, "balance more": a.balance, "take": a.take,
			"settle": a.settle, "settle more": a.settle, "settle yet more": a.settle, "lose": a.lose,
		})
	})
	for _, must := range []string{"1 0", "9 0", "9 99", "10 0", "10 50", "10 99"} {
		if seen[must] == 0 {
			t.Errorf("%q was never seen: %v", must, seen)
		}
	}
}

func TestSplitArea(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		capacity, most int32
		want           []int32
	}{
		{1500, 0, []int32{1500}}, {512, 512, []int32{512}}, {1500, 512, []int32{500, 500, 500}}, {7, 3, []int32{3, 2, 2}}, {1, 1, []int32{1}},
		{100_000, 512, slices.Repeat([]int32{6250}, SharesMax)},
	} {
		if got := SplitArea(c.capacity, c.most); !slices.Equal(got, c.want) {
			t.Errorf("%d places by %d: %v, want %v", c.capacity, c.most, got, c.want)
		}
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	shares := func(free ...int32) (all []Share) {
		for i, n := range free {
			all = append(all, Share{SegmentNo(i + 1), n})
		}
		return all
	}
	for _, c := range []struct {
		name   string
		self   SegmentNo
		shares []Share
		want   Grant
		ok     bool
	}{
		{"even", 2, shares(500, 500, 500), Grant{}, false},
		{"low asks the richest", 2, shares(500, 40, 700), Grant{3, 2, 0}, true},
		{"the home asks too", 1, shares(10, 400, 700), Grant{3, 1, 0}, true},
		{"the others leave it alone", 3, shares(10, 400, 700), Grant{}, false},
		{"in between nothing is done", 3, shares(150, 150, 0), Grant{}, false},
		{"in the tail all goes home", 3, shares(10, 20, 30), Grant{3, 1, All}, true},
		{"the home keeps it", 1, shares(10, 20, 30), Grant{}, false},
		{"nothing to forward", 2, shares(10, 0, 30), Grant{}, false},
		{"nothing at all", 2, shares(0, 0, 0), Grant{}, false},
	} {
		if got, ok := Balance(c.self, c.shares, 1500); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v, want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// TestOnlyTheHomeSaysSoldOut: a segment that has sold its own share knows nothing of the others.
func TestOnlyTheHomeSaysSoldOut(t *testing.T) {
	t.Parallel()
	for home, want := range map[SegmentNo]verdict{testSegment: note(CodeSoldOut), testSegment - 1: memory(CodeAllHeld)} {
		s := NewShare(testEvent, testSegment, home, 0) // it has given everything away
		effect := s.Apply(Command{Kind: KindHold, Event: testEvent, Segment: testSegment, Hold: testID('h', 1), Ask: Ask{Quantity: 1}, TTL: 1}, 0)
		if got := effect.Answer.Code; (effect.Op == nil) != (want.kind == 0) || effect.Op == nil && got != want.code {
			t.Errorf("home %d: %+v", home, effect)
		}
		if effect.Op != nil {
			if answer := s.Settle(effect.Op, OutcomeNotSold, 0); answer.Code != CodeAllHeld {
				t.Errorf("the ledger says that there are places, the segment says %+v", answer)
			}
		}
	}
}
