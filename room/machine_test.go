package room

import (
	"encoding/json"
	"reflect"
	"time"

	"pgregory.net/rapid"
)

// machine drives a Room at random and keeps what the room may not break: a model of who has a living pass, made of the answers alone.
type machine struct {
	t        *rapid.T
	set      Settings
	room     *alone
	now      time.Time
	ranks    map[Tid]uint64
	alive    map[Tid]Session // by the answers
	freed    map[Tid]int64   // when the slot of an ended pass may be given again
	frontier [groups]uint64
	shown    [groups]uint64
	base     State
}

func newMachine(t *rapid.T) *machine {
	m := &machine{
		t: t, now: start, ranks: map[Tid]uint64{}, alive: map[Tid]Session{}, freed: map[Tid]int64{},
		set: Settings{
			Rate: rapid.Float64Range(0.5, 50).Draw(t, "rate"), MaxActive: rapid.IntRange(1, 6).Draw(t, "max"), PassLife: 20 * time.Second,
			Grace: 3 * time.Second, Overlap: 4 * time.Second,
		},
	}
	r, err := New(m.set, m.now)
	if err != nil {
		t.Fatal(err)
	}
	m.room = &alone{Room: r, edge: NewEdge("a", 1, m.now), t: t}
	m.room.sync(m.now)
	m.room.log = nil
	if m.base, err = m.room.Snapshot(); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"join": m.join, "claim": m.claim, "claim too": m.claim, "tick": m.tick, "tick on": m.tick, "renew": m.renew, "leave": m.leave,
		"ops": m.ops, "restart": m.restart, "wait": m.wait, "": m.check,
	}
}

func (m *machine) anybody(t *rapid.T) Tid { return tid(rapid.IntRange(0, 12).Draw(t, "who")) }

func (m *machine) join(t *rapid.T) {
	who := m.anybody(t)
	class := rapid.SampledFrom([]Class{ClassArrival, ClassArrival, ClassPriority, ClassSlow}).Draw(t, "class")
	rank := m.room.join(m.now, who, class)
	if old, ok := m.ranks[who]; ok && old != rank {
		t.Fatalf("a second join of %v gave rank %d after %d", who, rank, old)
	}
	m.ranks[who] = rank
	m.store()
}

func (m *machine) claim(t *rapid.T) {
	who := m.anybody(t)
	rank, ok := m.ranks[who]
	if !ok {
		return
	}
	s, ok, waits, err := m.room.Claim(m.now, Claim{Tid: who, Rank: rank, Until: m.now.Add(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	if ok && s != m.alive[who] {
		t.Fatalf("a claim of somebody inside gave %+v, their pass is %+v", s, m.alive[who])
	}
	if (ok || waits) && rank > m.room.state.Frontier[groupOf(rank)] {
		t.Fatalf("rank %d may claim, the frontier is %v", rank, m.room.state.Frontier)
	}
}

func (m *machine) tick(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.SampledFrom([]int{25, 50, 250}).Draw(t, "ms")) * time.Millisecond)
	waiting := map[Tid]uint64{}
	for who, c := range m.room.pending {
		waiting[who] = c.Rank
	}
	best := [groups]uint64{^uint64(0), ^uint64(0)}
	highest := [groups]uint64{}
	for _, d := range m.room.Tick(m.now) {
		if !d.Granted {
			continue
		}
		delete(waiting, d.Tid)
		g := groupOf(d.Session.Rank)
		highest[g] = max(highest[g], d.Session.Rank)
		if m.room.state.Paused || m.room.state.Ended {
			t.Fatal("a pass in a room that is paused or ended")
		}
		m.take(d.Tid, d.Session)
		if n := m.slots(); n > m.room.state.Limits.MaxActive {
			t.Fatalf("%d slots are taken, max_active is %d", n, m.room.state.Limits.MaxActive)
		}
	}
	for who, rank := range waiting {
		if _, inside := m.room.state.Inside[who]; !inside {
			best[groupOf(rank)] = min(best[groupOf(rank)], rank)
		}
	}
	for g := range groups {
		if highest[g] > best[g] {
			t.Fatalf("rank %d was let in before rank %d, which had claimed", highest[g], best[g])
		}
	}
	m.store()
}

func (m *machine) take(who Tid, s Session) {
	if _, ok := m.alive[who]; ok && m.now.UnixMilli() < m.alive[who].Expires {
		m.t.Fatalf("%v has two passes", who)
	}
	m.alive[who] = s
	m.freed[who] = s.Expires + m.set.Grace.Milliseconds() + clockBound
}

// slots counts those whose pass lives, or ended less than the grace ago.
func (m *machine) slots() (n int) {
	for _, free := range m.freed {
		if m.now.UnixMilli() < free {
			n++
		}
	}
	return n
}

func (m *machine) renew(t *rapid.T) {
	who := m.anybody(t)
	old, ok := m.alive[who]
	s, err := m.room.Renew(m.now, who, old.Renewal, 0)
	if living := ok && m.now.UnixMilli() < old.Expires; living != (err == nil) {
		t.Fatalf("renewal of %+v: %v", old, err)
	}
	if err == nil {
		if s.Renewal < old.Renewal || s.Expires < old.Expires {
			t.Fatalf("renewed from %+v to %+v", old, s)
		}
		m.alive[who], m.freed[who] = s, s.Expires+m.set.Grace.Milliseconds()+clockBound
	}
	m.store()
}

func (m *machine) leave(t *rapid.T) {
	who := m.anybody(t)
	old, ok := m.alive[who]
	err := m.room.Leave(m.now, who)
	if living := ok && m.now.UnixMilli() < old.Expires; living != (err == nil) {
		t.Fatalf("leave of %+v: %v", old, err)
	}
	if err == nil {
		delete(m.alive, who)
		m.room.sync(m.now) // the edge hears of it
		m.room.sync(m.now) // and says so
		m.freed[who] = min(m.freed[who], m.now.Add(m.set.Grace).UnixMilli())
	}
	m.store()
}

func (m *machine) ops(t *rapid.T) {
	switch rapid.IntRange(0, 9).Draw(t, "op") {
	case 0:
		m.room.Pause(m.now, "test")
	case 1, 2, 3:
		m.room.Resume(m.now, "test")
	case 4:
		l := Limits{Rate: rapid.Float64Range(0.5, 50).Draw(t, "rate"), MaxActive: rapid.IntRange(1, 8).Draw(t, "max")}
		if err := m.room.SetLimits(m.now, l, "test"); err != nil {
			t.Fatal(err)
		}
	case 7:
		m.room.Passthrough(m.now, "test")
	case 8:
		m.room.Enforce(m.now, "test")
	case 5:
		m.room.OpenPlaces(m.now, rapid.Uint64Range(0, 3).Draw(t, "n"), "test")
	case 6:
		m.room.NewEdition(m.now, "test")
		m.room.store(m.now)
		m.room.sync(m.now)
		clear(m.ranks)
		clear(m.alive)
		clear(m.freed)
		m.frontier, m.shown = m.room.state.Frontier, m.room.shown
	}
	m.store()
}

func (m *machine) wait(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 30_000).Draw(t, "ms")) * time.Millisecond)
	m.store()
}

// restart rebuilds the room from the base and the log, through JSON, as a crash would: what was counted since the last mark may be lost.
func (m *machine) restart(t *rapid.T) {
	m.room.Mark(m.now)
	m.store()
	base, log := roundTrip(t, m.base), roundTrip(t, m.room.log)
	again, err := Restore(m.set, base, log, m.now)
	if err != nil {
		t.Fatal(err)
	}
	m.room.step(m.now)
	a, b := m.room.state.clone(), again.state.clone()
	a.nextFree, b.nextFree, a.Fence = 0, 0, b.Fence
	for _, e := range []*State{&a, &b} {
		for name := range e.Edges {
			e.Edges[name].Heard = 0
		}
	}
	if !reflect.DeepEqual(roundTrip(t, a), roundTrip(t, b)) {
		t.Fatalf("replayed state differs:\nlive   %+v\nreplay %+v", a, b)
	}
	m.room.Room = again
	m.store()
	m.room.sync(m.now)
	m.room.sync(m.now)
	if rapid.Bool().Draw(t, "compact") {
		if m.base, err = m.room.Snapshot(); err != nil {
			t.Fatal(err)
		}
		m.room.log = nil
	}
}

func roundTrip[V any](t *rapid.T, v V) (out V) {
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (m *machine) store() {
	m.room.store(m.now)
}

// check holds after every action.
func (m *machine) check(t *rapid.T) {
	for g := range groups {
		if m.room.state.Frontier[g] < m.frontier[g] || m.room.shown[g] < m.shown[g] {
			t.Fatalf("the frontier went back from %v to %v", m.frontier, m.room.state.Frontier)
		}
		if m.room.shown[g] > m.room.state.Frontier[g] {
			t.Fatal("a frontier is shown that was not reached")
		}
	}
	m.frontier, m.shown = m.room.state.Frontier, m.room.shown
	m.room.sync(m.now)
	for who, s := range m.alive {
		err := m.room.alive(m.now, who, s)
		if living := m.now.UnixMilli() < s.Expires; living != (err == nil) {
			t.Fatalf("pass %+v at %d: %v", s, m.now.UnixMilli(), err)
		}
	}
	if d := m.room.Document(m.now); len(d.Histogram) > PointsMax || d.Inside != m.slots() {
		t.Fatalf("document %+v, %d slots taken", d, m.slots())
	}
}
