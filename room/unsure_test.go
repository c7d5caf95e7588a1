package room

import (
	"errors"
	"testing"
	"time"
)

// enter takes somebody in at once.
func (a *alone) enter(now time.Time, who Tid) (time.Time, Session) {
	a.t.Helper()
	rank := a.join(now, who, ClassArrival)
	for range 40 {
		now = now.Add(TickEvery)
		a.Tick(now)
		a.store(now)
		if s, ok, _, err := a.Claim(now, Claim{Tid: who, Rank: rank, Until: now.Add(time.Second)}); ok || err != nil {
			a.store(now)
			return now, s
		}
	}
	a.t.Fatalf("%v is not let in", who)
	return now, Session{}
}

// Found by the simulator of a sale: somebody left, every edge knew, and the slot was given on. Then the owner was lost, and an edge restarted. The
// new owner had no memory of the one who had left, nor had the edge: the old pass would have let somebody in for whom there was no slot.
func TestAPassIsNotTrustedByWhoCannotKnow(t *testing.T) {
	t.Parallel()
	a := newAlone(t, Settings{Rate: 1000, MaxActive: 2, Grace: time.Second})
	base, err := a.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	a.log = nil
	now, left := a.enter(start, tid(1))
	now, stays := a.enter(now, tid(2))
	if err := a.Leave(now, tid(1)); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the edge hears of it, says so, and the grace passes
		a.sync(now)
		now = now.Add(2 * time.Second)
		a.Tick(now)
		a.store(now)
	}
	now, third := a.enter(now, tid(3))
	if third.Expires == 0 || !errors.Is(a.alive(now, tid(1), left), ErrOldPass) {
		t.Fatalf("the slot was not given on: %+v", third)
	}

	again, err := Restore(a.set, base, a.log, now)
	if err != nil {
		t.Fatal(err)
	}
	a.Room = again
	a.store(now)
	remembers := a.edge
	a.sync(now)
	if err := a.alive(now, tid(1), left); !errors.Is(err, ErrOldPass) {
		t.Errorf("an edge that remembers says of the pass of somebody who left: %v", err)
	}
	if err := a.alive(now, tid(2), stays); err != nil {
		t.Errorf("an edge that remembers says of a good pass: %v", err)
	}
	now = now.Add(edgeTwice * time.Millisecond)
	a.edge = NewEdge(remembers.name, remembers.incarnation+1, now)
	a.sync(now)
	for who, s := range map[int]Session{1: left, 2: stays} {
		if err := a.alive(now, tid(who), s); !errors.Is(err, ErrUnsure) {
			t.Errorf("an edge that is younger than pass %d says of it: %v", who, err)
		}
	}
	if _, err := a.Renew(now, tid(1), 0, 0); !errors.Is(err, ErrNotInside) {
		t.Errorf("the owner renews the pass of somebody who left: %v", err)
	}
	s, err := a.Renew(now, tid(2), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	a.store(now)
	if err := a.alive(now, tid(2), s); err != nil {
		t.Errorf("a pass that was renewed since: %v", err)
	}
}

// An edge that has to hear of many passes that ended lets nobody in before it has heard of all.
func TestAnEdgeThatIsBehindLetsNobodyIn(t *testing.T) {
	t.Parallel()
	a := newAlone(t, Settings{Rate: 1000})
	now, s := a.enter(start, tid(1))
	for i := range voidsAtOnce + 1 {
		a.voids.add(Void{Tid: tid(100 + i), Hard: now.UnixMilli(), Until: now.Add(time.Hour).UnixMilli()})
	}
	now = now.Add(edgeTwice * time.Millisecond)
	young := NewEdge("b", 1, now)
	alive := func() error {
		return young.Alive(now, tid(1), time.UnixMilli(s.Issued), time.UnixMilli(s.Expires))
	}
	a.syncEdge(young, now, now)
	if err := alive(); !errors.Is(err, ErrAway) {
		t.Errorf("after the first part of the voids: %v", err)
	}
	a.syncEdge(young, now, now)
	if err := alive(); err != nil {
		t.Errorf("after all voids: %v", err)
	}
	// The edge hears nothing for its lease: the owner gives slots on without it.
	for i := range voidsAtOnce + 1 {
		a.voids.add(Void{Tid: tid(20_000 + i), Hard: now.UnixMilli(), Until: now.Add(time.Hour).UnixMilli()})
	}
	now = now.Add((edgeLease + 1000) * time.Millisecond)
	a.syncEdge(young, now, now)
	if err := alive(); !errors.Is(err, ErrAway) {
		t.Errorf("back after its lease, with voids to come: %v", err)
	}
	a.syncEdge(young, now, now)
	if err := alive(); err != nil {
		t.Errorf("back after its lease: %v", err)
	}
}

// Found by the simulator of a sale: after a draw the frontier is a drawn number, which an edge took for a time. All ranks of those who came
// later were then in the year 2049, in the order in which their edges had heard of the frontier.
func TestArrivalsAfterADrawKeepTheirTime(t *testing.T) {
	t.Parallel()
	for _, frontier := range []uint64{uint64(ClassPriority)<<classShift | 77, uint64(ClassLobby)<<classShift | 1<<60, slowFloor} {
		a := arrivals{}
		a.pass(frontier)
		if rank := a.next(ClassArrival, 1234, 1); rankMs(rank) != 1234 {
			t.Errorf("after the frontier %x somebody came at %d ms", frontier, rankMs(rank))
		}
	}
	for class, next := range map[Class]int64{ClassArrival: 5001, ClassSlow: 5001} {
		a := arrivals{}
		b := arrivals{}
		a.pass(b.next(class, 5000, 9))
		if rank := a.next(class, 1234, 1); rankMs(rank) != next {
			t.Errorf("after a frontier of class %d at 5000 ms somebody came at %d ms", class, rankMs(rank))
		}
	}
}
