package room

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func tid(n int) (t Tid) {
	binary.BigEndian.PutUint64(t[:], uint64(n)+1)
	return t
}

func newRoom(t testing.TB, set Settings) *Room {
	t.Helper()
	r, err := New(set, start)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// store takes what there is and says that it is stored.
func store(r *Room, now time.Time) *Batch {
	b, ok := r.Take(now)
	if !ok {
		return nil
	}
	r.Stored()
	return &b
}

func TestFirstVisitorsEnterAtOnce(t *testing.T) {
	t.Parallel()
	r := newRoom(t, Settings{Rate: 10, MaxActive: 5})
	now := start.Add(time.Second)
	r.Tick(now)
	rank := r.Join(now, tid(1), ClassArrival)
	if r.Join(now, tid(1), ClassArrival) != rank {
		t.Fatal("a second join gave another rank")
	}
	if v := r.Look(now, tid(1), rank); v.Standing != StandingQueued || v.Position != 1 {
		t.Errorf("before the frontier is stored: %+v", v)
	}
	store(r, now)
	if v := r.Look(now, tid(1), rank); v.Standing != StandingEligible || v.Position != 0 {
		t.Errorf("after: %+v", v)
	}
	if _, ok, waits, err := r.Claim(now, Claim{tid(1), rank, now.Add(time.Second)}); ok || !waits || err != nil {
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
	if v := r.Look(now.Add(time.Second), tid(1), rank); v.Standing != StandingAdmitted {
		t.Errorf("inside: %+v", v)
	}
}

func TestAFullHousePromisesNoWait(t *testing.T) {
	t.Parallel()
	r := newRoom(t, Settings{Rate: 10, MaxActive: 1})
	now := start.Add(time.Second)
	r.Tick(now)
	first, second := r.Join(now, tid(1), ClassArrival), r.Join(now, tid(2), ClassArrival)
	if v := r.Look(now, tid(2), second); v.Wait <= 0 {
		t.Errorf("while the house has room the rate says how long it takes: %+v", v)
	}
	store(r, now)
	if _, _, waits, err := r.Claim(now, Claim{tid(1), first, now.Add(time.Second)}); !waits || err != nil {
		t.Fatalf("claim: %v %v", waits, err)
	}
	r.Tick(now.Add(TickEvery))
	store(r, now)
	if v := r.Look(now.Add(TickEvery), tid(2), second); v.Standing != StandingQueued || v.Position != 1 || v.Wait != 0 {
		t.Errorf("nobody knows when the one inside leaves: %+v", v)
	}
}

func TestLobby(t *testing.T) {
	t.Parallel()
	opens := start.Add(time.Minute)
	r := newRoom(t, Settings{Rate: 100, OpensAt: opens})
	now := start.Add(10 * time.Second)
	early := r.Join(now, tid(1), ClassArrival)
	if RankClass(early) != ClassLobby {
		t.Errorf("class %d in the lobby", RankClass(early))
	}
	if v := r.Look(now, tid(1), early); v.Standing != StandingLobby || v.Position != 1 {
		t.Errorf("in the lobby: %+v", v)
	}
	if d := r.Tick(now); d != nil || r.Dirty() && r.state.Frontier[GroupMain] != 0 {
		t.Error("the lobby let somebody in")
	}
	now = opens
	late := r.Join(now, tid(2), ClassArrival)
	if early >= late {
		t.Error("somebody who came later is earlier in the line")
	}
	r.Tick(now.Add(TickEvery))
	store(r, now)
	if v := r.Look(now, tid(1), early); v.Standing != StandingEligible {
		t.Errorf("after the opening: %+v", v)
	}
}

func TestPassesRenewAndEnd(t *testing.T) {
	t.Parallel()
	set := Settings{Rate: 1000, MaxActive: 1, PassLife: time.Minute, Grace: 5 * time.Second, Overlap: 10 * time.Second, StayMax: 140 * time.Second}
	r := newRoom(t, set)
	now := start.Add(time.Second)
	enter := func(n int) bool {
		rank := r.Join(now, tid(n), ClassArrival)
		r.Tick(now)
		r.Claim(now, Claim{tid(n), rank, now})
		d := r.Tick(now)
		return slices.ContainsFunc(d, func(d Decision) bool { return d.Granted && d.Tid == tid(n) })
	}
	if !enter(1) || enter(2) {
		t.Fatal("one slot: the first enters, the second does not")
	}
	now = now.Add(30 * time.Second)
	s, err := r.Renew(now, tid(1), 0, 0)
	if err != nil || s.Renewal != 1 || s.Expires != now.Add(time.Minute).UnixMilli() {
		t.Fatalf("renewed: %+v %v", s, err)
	}
	if _, err := r.Alive(now.Add(9*time.Second), tid(1), 0); err != nil {
		t.Errorf("the old pass within the overlap: %v", err)
	}
	if _, err := r.Alive(now.Add(10*time.Second), tid(1), 0); !errors.Is(err, ErrOldPass) {
		t.Errorf("the old pass after the overlap: %v", err)
	}
	if _, err := r.Alive(now, tid(2), 0); !errors.Is(err, ErrNotInside) {
		t.Errorf("somebody outside: %v", err)
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
	if _, err := r.Alive(now, tid(1), 2); !errors.Is(err, ErrNotInside) {
		t.Errorf("ended: %v", err)
	}
	if enter(2) {
		t.Error("the slot was given before the grace was over")
	}
	now = now.Add(5 * time.Second)
	if !enter(2) {
		t.Error("the slot is not given after the grace")
	}
	if err := r.Leave(now, tid(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Alive(now, tid(2), 0); !errors.Is(err, ErrNotInside) {
		t.Errorf("left: %v", err)
	}
	if enter(3) {
		t.Error("a slot that was left was given before the grace was over")
	}
	now = now.Add(5 * time.Second)
	if !enter(3) {
		t.Error("a slot that was left is not given after the grace")
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
	r := newRoom(t, Settings{Rate: rate, MaxActive: 10_000})
	now := start
	ranks := make([]uint64, crowd)
	for i := range ranks {
		ranks[i] = r.Join(now, tid(i), ClassArrival)
	}
	inside, granted := map[Tid]bool{}, []time.Time{}
	for range 4 * 30 {
		now = now.Add(TickEvery)
		for i, rank := range ranks {
			if i%4 != 0 && !inside[tid(i)] { // every fourth went home
				r.Claim(now, Claim{tid(i), rank, now.Add(time.Second)})
			}
		}
		for _, d := range r.Tick(now) {
			if d.Granted {
				inside[d.Tid] = true
				granted = append(granted, now)
			}
		}
		store(r, now)
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
	r := newRoom(t, Settings{Rate: 40, MaxActive: 100_000, SlowShare: 0.1})
	now := start
	got := [groups]int{}
	for i := range 4 * 20 {
		now = now.Add(TickEvery)
		for j := range 20 {
			n := i*20 + j
			class := ClassArrival
			if j%2 == 0 {
				class = ClassSlow
			}
			r.Join(now, tid(n), class)
		}
		for n := range (i + 1) * 20 {
			rank, _ := r.joins.get(tid(n))
			r.Claim(now, Claim{tid(n), rank, now.Add(time.Second)})
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

func TestAutomaticRate(t *testing.T) {
	t.Parallel()
	r := newRoom(t, Settings{Auto: true, RateMin: 10, RateMax: 70})
	now := start
	run := func(seconds int, pressure float64) float64 {
		for range 4 * seconds {
			now = now.Add(TickEvery)
			r.Pressure(now, pressure)
			r.Tick(now)
		}
		return r.rate()
	}
	if got := run(120, 0.2); got != 70 {
		t.Errorf("a site that is well has rate %v", got)
	}
	if got := run(3, 0.95); got >= 70 {
		t.Errorf("a site under pressure has rate %v", got)
	}
	if got := run(60, 0.95); got != 10 {
		t.Errorf("a site that stays under pressure has rate %v", got)
	}
}

func TestOpsLimitsOutliveAReloadUntilTheConfigurationChanges(t *testing.T) {
	t.Parallel()
	r := newRoom(t, Settings{Rate: 10, MaxActive: 100})
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
	} {
		if _, err := New(set, start); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestReplayRefusesAGap and other logs that are not whole.
func TestReplayRefusesAGap(t *testing.T) {
	t.Parallel()
	r := newRoom(t, Settings{})
	store(r, start)
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

// TestClockBack restarts with a clock that is an hour behind: ranks still grow, passes still end.
func TestClockBack(t *testing.T) {
	t.Parallel()
	r := newRoom(t, Settings{Rate: 100})
	now := start.Add(2 * time.Hour)
	first := r.Join(now, tid(1), ClassArrival)
	r.Mark(now)
	store(r, now)
	snap, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Restore(Settings{Rate: 100}, snap, nil, start)
	if err != nil {
		t.Fatal(err)
	}
	if second := back.Join(start, tid(2), ClassArrival); second <= first {
		t.Errorf("rank %d after %d", second, first)
	}
}

// TestJoinsThatACrashForgot restarts from before a join: its holder is let in all the same, and nobody who comes later is before them.
func TestJoinsThatACrashForgot(t *testing.T) {
	t.Parallel()
	r := newRoom(t, Settings{Rate: 100})
	store(r, start)
	snap, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	now := start.Add(time.Second)
	rank := r.Join(now, tid(1), ClassArrival)
	again, err := Restore(Settings{Rate: 100}, snap, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	again.Look(now, tid(1), rank)
	if late := again.Join(now, tid(2), ClassArrival); late <= rank {
		t.Errorf("rank %d after %d", late, rank)
	}
	now = now.Add(TickEvery)
	again.Tick(now)
	store(again, now)
	if v := again.Look(now, tid(1), rank); v.Standing != StandingEligible {
		t.Errorf("%+v", v)
	}
}

func TestNewEditionStartsTheLineAnew(t *testing.T) {
	t.Parallel()
	r := newRoom(t, Settings{Rate: 100})
	now := start.Add(time.Second)
	rank := r.Join(now, tid(1), ClassArrival)
	r.Tick(now)
	r.Claim(now, Claim{tid(1), rank, now})
	r.Tick(now)
	r.NewEdition(now, "test")
	if _, err := r.Alive(now, tid(1), 0); !errors.Is(err, ErrNotInside) {
		t.Errorf("a pass of the old edition: %v", err)
	}
	if d := r.Document(now); d.Edition != 2 || d.Joined != 0 || d.Inside != 0 || d.Frontier[GroupMain] != 0 {
		t.Errorf("%+v", d)
	}
	if _, err := json.Marshal(r.state); err != nil {
		t.Error(err)
	}
}

func BenchmarkJoinAndLook(b *testing.B) {
	r := newRoom(b, Settings{})
	now := start
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		now = now.Add(time.Millisecond)
		rank := r.Join(now, tid(n), ClassArrival)
		r.Look(now, tid(n), rank)
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { rt.Repeat(newMachine(rt).actions()) })
}
