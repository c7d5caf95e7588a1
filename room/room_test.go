package room

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ticketrush/room/draw"
)

var start = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func tid(n int) (t Tid) {
	binary.BigEndian.PutUint64(t[:], uint64(n)+1)
	return t
}

var testKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func TestFirstVisitorsEnterAtOnce(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 10, MaxActive: 5})
	now := start.Add(time.Second)
	r.Tick(now)
	r.sync(now)
	rank, err := r.edge.Join(now, tid(1), ClassArrival)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := r.edge.Join(now, tid(1), ClassArrival); again != rank {
		t.Fatal("a second join gave another rank")
	}
	if v := r.edge.Look(now, rank); v.Standing != StandingQueued || v.Position != 1 || !r.edge.Urgent() {
		t.Errorf("before the owner knows: %+v", v)
	}
	r.sync(now)
	if v := r.edge.Look(now, rank); v.Standing != StandingEligible || v.Position != 0 {
		t.Errorf("after: %+v", v)
	}
	if _, ok, waits, err := r.Claim(now, Claim{Tid: tid(1), Rank: rank, Until: now.Add(time.Second)}); ok || !waits || err != nil {
		t.Fatalf("claim: %v %v %v", ok, waits, err)
	}
	d := r.Tick(now.Add(TickEvery))
	if len(d) != 1 || !d[0].Granted || d[0].Tid != tid(1) {
		t.Fatalf("decisions %+v", d)
	}
	s, ok, _, err := r.Claim(now.Add(time.Second), Claim{Tid: tid(1), Rank: rank})
	if !ok || err != nil || s != d[0].Session {
		t.Errorf("the second claim gave %+v, the first %+v", s, d[0].Session)
	}
	if err := r.alive(now.Add(time.Second), tid(1), s); err != nil {
		t.Errorf("the pass: %v", err)
	}
}

func TestAFullHousePromisesNoWait(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 10, MaxActive: 1})
	now := start.Add(time.Second)
	r.Tick(now)
	first, second := r.join(now, tid(1), ClassArrival), r.join(now, tid(2), ClassArrival)
	if v := r.edge.Look(now, second); v.Standing != StandingQueued || v.Wait <= 0 {
		t.Errorf("while the house has room the rate says how long it takes: %+v", v)
	}
	if _, _, waits, err := r.Claim(now, Claim{Tid: tid(1), Rank: first, Until: now.Add(time.Second)}); !waits || err != nil {
		t.Fatalf("claim: %v %v", waits, err)
	}
	now = now.Add(TickEvery)
	r.Tick(now)
	r.sync(now)
	if v := r.edge.Look(now, second); v.Standing != StandingQueued || v.Position != 1 || v.Wait != 0 {
		t.Errorf("nobody knows when the one inside leaves: %+v", v)
	}
}

func TestPassesRenewAndEnd(t *testing.T) {
	t.Parallel()
	set := Settings{Rate: 1000, MaxActive: 1, PassLife: time.Minute, Grace: 5 * time.Second, Overlap: 10 * time.Second, StayMax: 140 * time.Second}
	r := newAlone(t, set)
	now := start.Add(time.Second)
	enter := func(n int) bool {
		rank := r.join(now, tid(n), ClassArrival)
		r.Tick(now)
		r.Claim(now, Claim{Tid: tid(n), Rank: rank, Until: now})
		d := r.Tick(now)
		r.sync(now)
		return slices.ContainsFunc(d, func(d Decision) bool { return d.Granted && d.Tid == tid(n) })
	}
	if !enter(1) || enter(2) {
		t.Fatal("one slot: the first enters, the second does not")
	}
	first := r.state.Inside[tid(1)]
	now = now.Add(30 * time.Second)
	s, err := r.Renew(now, tid(1), 0, 0)
	if err != nil || s.Renewal != 1 || s.Expires != now.Add(time.Minute).UnixMilli() {
		t.Fatalf("renewed: %+v %v", s, err)
	}
	r.sync(now)
	if err := r.alive(now.Add(9*time.Second), tid(1), first); err != nil {
		t.Errorf("the old pass within the overlap: %v", err)
	}
	if err := r.alive(now.Add(10*time.Second), tid(1), first); !errors.Is(err, ErrOldPass) {
		t.Errorf("the old pass after the overlap: %v", err)
	}
	if err := r.alive(now.Add(10*time.Second), tid(1), s); err != nil {
		t.Errorf("the new pass: %v", err)
	}
	now = now.Add(59 * time.Second)
	if s, err = r.Renew(now, tid(1), 1, 0); err != nil || s.Expires != start.Add(141*time.Second).UnixMilli() {
		t.Fatalf("a renewal beyond the longest stay: %+v %v", s, err)
	}
	now = now.Add(30 * time.Second)
	if _, err = r.Renew(now, tid(1), 2, 0); !errors.Is(err, ErrStay) {
		t.Errorf("one more: %v", err)
	}
	now = start.Add(141 * time.Second)
	if err := r.alive(now, tid(1), s); !errors.Is(err, ErrNotInside) {
		t.Errorf("ended: %v", err)
	}
	if enter(2) {
		t.Error("the slot was given before the grace was over")
	}
	now = now.Add(5*time.Second + clockBound*time.Millisecond)
	if !enter(2) {
		t.Error("the slot is not given after the grace")
	}
}

// TestASlotThatWasLeftWaitsForEveryEdge has a second edge that does not hear of it.
func TestASlotThatWasLeftWaitsForEveryEdge(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 1000, MaxActive: 1, PassLife: time.Hour, Grace: 5 * time.Second})
	now := start.Add(time.Second)
	other := NewEdge("b", 1, now)
	r.syncEdge(other, now, now)
	enter := func(n int) bool {
		rank := r.join(now, tid(n), ClassArrival)
		r.Tick(now)
		r.Claim(now, Claim{Tid: tid(n), Rank: rank, Until: now})
		d := r.Tick(now)
		r.sync(now)
		return slices.ContainsFunc(d, func(d Decision) bool { return d.Granted && d.Tid == tid(n) })
	}
	if !enter(1) {
		t.Fatal("the first does not enter")
	}
	s := r.state.Inside[tid(1)]
	r.syncEdge(other, now, now)
	if err := r.Leave(now, tid(1)); err != nil {
		t.Fatal(err)
	}
	r.sync(now)
	r.sync(now) // says that it obeys
	now = now.Add(time.Minute)
	if other.Alive(now, tid(1), time.UnixMilli(s.Issued), time.UnixMilli(s.Expires)) != nil {
		t.Fatal("the other edge has not heard that the visitor left")
	}
	if enter(2) {
		t.Fatal("a slot was given twice: one edge still lets its last bearer in")
	}
	r.syncEdge(other, now, now)
	if err := other.Alive(now, tid(1), time.UnixMilli(s.Issued), time.UnixMilli(s.Expires)); !errors.Is(err, ErrOldPass) {
		t.Errorf("left, at the other edge: %v", err)
	}
	r.syncEdge(other, now, now)
	now = now.Add(5 * time.Second)
	if !enter(2) {
		t.Error("a slot that was left is not given after the grace")
	}
	// An edge that is silent for its lease lets nobody in any more, and holds nothing up.
	if err := r.Leave(now, tid(2)); err != nil {
		t.Fatal(err)
	}
	r.sync(now)
	r.sync(now)
	now = now.Add(edgeLease*time.Millisecond + time.Millisecond)
	if err := other.Alive(now, tid(2), now, now.Add(time.Hour)); !errors.Is(err, ErrAway) {
		t.Errorf("an edge that heard nothing for its lease: %v", err)
	}
	r.sync(now)
	now = now.Add(5 * time.Second)
	if !enter(3) {
		t.Error("a silent edge keeps a slot")
	}
	r.Ban(now, now.Add(time.Hour), tid(3))
	if _, _, _, err := r.Claim(now.Add(time.Minute), Claim{Tid: tid(3), Rank: 1}); !errors.Is(err, ErrBanned) {
		t.Errorf("revoked: %v", err)
	}
	if _, _, _, err := r.Claim(now.Add(time.Hour), Claim{Tid: tid(3), Rank: 1}); err != nil {
		t.Errorf("after the ban: %v", err)
	}
}

// TestRateHolds lets a crowd claim without pause: never more in any second than the rate and the bucket allow, and not much less.
func TestRateHolds(t *testing.T) {
	t.Parallel()
	const rate, crowd = 40.0, 2000
	r := newAlone(t, Settings{Rate: rate, MaxActive: 10_000})
	now := start
	ranks := make([]uint64, crowd)
	for i := range ranks {
		ranks[i], _ = r.edge.Join(now, tid(i), ClassArrival)
	}
	r.sync(now)
	inside, granted := map[Tid]bool{}, []time.Time{}
	for range 4 * 30 {
		now = now.Add(openEvery * time.Millisecond)
		for i, rank := range ranks {
			if i%4 != 0 && !inside[tid(i)] { // every fourth went home
				r.Claim(now, Claim{Tid: tid(i), Rank: rank, Until: now.Add(time.Second)})
			}
		}
		for _, d := range r.Tick(now) {
			if d.Granted {
				inside[d.Tid] = true
				granted = append(granted, now)
			}
		}
		r.store(now)
	}
	for i, from := range granted {
		n := 0
		for _, at := range granted[i:] {
			if at.Sub(from) < time.Second {
				n++
			}
		}
		if float64(n) > rate+rate/2 {
			t.Fatalf("%d passes within a second", n)
		}
	}
	if n := len(granted); float64(n) < 0.85*rate*30 || float64(n) > rate*30+rate/2 {
		t.Errorf("%d passes in 30 s at %v a second", n, rate)
	}
}

// TestSlowLaneIsNotStarved fills both lanes.
func TestSlowLaneIsNotStarved(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 40, MaxActive: 100_000, SlowShare: 0.1})
	now := start
	got := [groups]int{}
	ranks := map[int]uint64{}
	for i := range 4 * 20 {
		now = now.Add(openEvery * time.Millisecond)
		for j := range 20 {
			n := i*20 + j
			class := ClassArrival
			if j%2 == 0 {
				class = ClassSlow
			}
			ranks[n], _ = r.edge.Join(now, tid(n), class)
		}
		r.sync(now)
		for n := range (i + 1) * 20 {
			r.Claim(now, Claim{Tid: tid(n), Rank: ranks[n], Until: now.Add(time.Second)})
		}
		for _, d := range r.Tick(now) {
			if d.Granted {
				got[groupOf(d.Session.Rank)]++
			}
		}
	}
	share := float64(got[GroupSlow]) / float64(got[GroupMain]+got[GroupSlow])
	if math.Abs(share-0.1) > 0.03 {
		t.Errorf("the slow lane had %.3f of the passes (%v)", share, got)
	}
}

func TestOpsLimitsOutliveAReloadUntilTheConfigurationChanges(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 10, MaxActive: 100})
	if err := r.SetLimits(start, Limits{Rate: 25}, "ops"); err != nil {
		t.Fatal(err)
	}
	r.Configure(Settings{Rate: 10, MaxActive: 200})
	if got := r.state.Limits; got != (Limits{25, 200}) {
		t.Errorf("after a reload that changed max_active: %+v", got)
	}
	r.Configure(Settings{Rate: 11, MaxActive: 200})
	if got := r.state.Limits; got != (Limits{11, 200}) {
		t.Errorf("after a reload that changed the rate: %+v", got)
	}
	if err := r.SetLimits(start, Limits{Rate: -1}, "ops"); err == nil {
		t.Error("a negative rate was taken")
	}
}

func TestSettingsRefusals(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]Settings{
		"rate": {Rate: -1}, "max_active": {MaxActive: -1}, "pass": {PassLife: time.Millisecond}, "auto": {Auto: true, RateMin: 5, RateMax: 1},
		"ends": {OpensAt: start, EndsAt: start}, "grace": {Grace: -1}, "slow": {SlowShare: 0.9}, "stay": {StayMax: time.Second},
		"latency without auto": {Latency: time.Second}, "latency": {Auto: true, RateMin: 1, RateMax: 2, Latency: time.Hour},
		"beacon": {Beacon: strings.Repeat("x", 201)}, "beacon of drand": {Beacon: draw.QuicknetSource}, "every alone": {Every: time.Hour},
		"every without lobby": {Every: time.Hour, OpensAt: start, EndsAt: start.Add(time.Minute)},
		"every without end":   {Every: time.Hour, OpensAt: start, Lobby: time.Minute},
		"every too short":     {Every: time.Hour, OpensAt: start, Lobby: 10 * time.Minute, EndsAt: start.Add(51 * time.Minute)},
		"every of a second":   {Every: time.Second, OpensAt: start, Lobby: time.Minute, EndsAt: start.Add(time.Minute)},
	} {
		if _, err := New(set, start); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestReplayRefusesAGap and other logs that are not whole.
func TestReplayRefusesAGap(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{})
	r.store(start)
	snap, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]Batch{
		"gap": {Seq: snap.Seq + 2}, "unknown kind": {Seq: snap.Seq + 1, Records: []Record{{Kind: "x"}}},
		"no tid":        {Seq: snap.Seq + 1, Records: []Record{{Kind: KindGrant}}},
		"frontier back": {Seq: snap.Seq + 1, Records: []Record{{Kind: KindFrontier, Frontier: &[groups]uint64{}}}},
	} {
		if _, err := Restore(Settings{}, snap, []Batch{b}, start); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestJoinsThatAnOwnerForgot lets an owner begin anew from before a join: the edge tells it again, and nothing is counted twice.
func TestJoinsThatAnOwnerForgot(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 100})
	snap, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	now := start.Add(time.Second)
	rank := r.join(now, tid(1), ClassArrival)
	r.join(now, tid(2), ClassArrival)
	if r.Room, err = Restore(Settings{Rate: 100}, snap, nil, now); err != nil {
		t.Fatal(err)
	}
	if late := r.join(now, tid(3), ClassArrival); late <= rank {
		t.Errorf("rank %d after %d", late, rank)
	}
	r.sync(now)
	if d := r.Document(now); d.Joined != 3 {
		t.Errorf("%d joined", d.Joined)
	}
	now = now.Add(openEvery * time.Millisecond)
	r.Tick(now)
	r.sync(now)
	if v := r.edge.Look(now, rank); v.Standing != StandingEligible {
		t.Errorf("%+v", v)
	}
}

// TestJoinsThatACrashForgot has an edge and owner that die together: a place that they gave just before is let in all the same.
func TestJoinsThatACrashForgot(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 100})
	snap, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	now := start.Add(time.Second)
	rank := r.join(now, tid(1), ClassArrival)
	if r.Room, err = Restore(Settings{Rate: 100}, snap, nil, now); err != nil {
		t.Fatal(err)
	}
	now = now.Add(edgeTwice * time.Millisecond)
	r.edge = NewEdge("a", 2, now)
	r.sync(now)
	r.Claim(now, Claim{Tid: tid(1), Rank: rank})
	now = now.Add(openEvery * time.Millisecond)
	r.Tick(now)
	r.sync(now)
	if v := r.edge.Look(now, rank); v.Standing != StandingEligible {
		t.Errorf("%+v", v)
	}
}

func TestNewEditionStartsTheLineAnew(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 100})
	now := start.Add(time.Second)
	rank := r.join(now, tid(1), ClassArrival)
	r.Tick(now)
	r.Claim(now, Claim{Tid: tid(1), Rank: rank, Until: now})
	r.Tick(now)
	r.NewEdition(now, "test")
	if _, err := r.Renew(now, tid(1), 0, 0); !errors.Is(err, ErrNotInside) {
		t.Errorf("a pass of the old edition: %v", err)
	}
	r.sync(now)
	if d := r.Document(now); d.Edition != 2 || d.Joined != 0 || d.Inside != 0 || d.Frontier[GroupMain] != 0 {
		t.Errorf("%+v", d)
	}
}

func BenchmarkJoinAndLook(b *testing.B) {
	r := newAlone(b, Settings{})
	now := start
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		now = now.Add(time.Millisecond)
		rank, _ := r.edge.Join(now, tid(n), ClassArrival)
		r.edge.Look(now, rank)
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { rt.Repeat(newMachine(rt).actions()) })
}
