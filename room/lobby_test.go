package room

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ticketrush/room/draw"
)

// hold does the work of the room's driver: it seals and draws the list that the batches gave.
func (a *alone) hold(now time.Time) (*draw.Drawn, bool) {
	a.t.Helper()
	a.store(now)
	if !a.BeginSeal(now) {
		return nil, false
	}
	var list draw.List
	for _, b := range a.log {
		for _, tid := range b.Lobby {
			if err := list.Append(tid); err != nil {
				a.t.Fatal(err)
			}
		}
	}
	sealed := draw.Seal(&list)
	if err := a.Seal(Seal{Root: sealed.Root(), Count: sealed.N()}); err != nil {
		a.t.Fatal(err)
	}
	if _, ok := a.WantsDraw(); ok {
		a.t.Fatal("the room wants to draw before the seal is stored")
	}
	a.store(now)
	drawn, err := sealed.Draw("test", a.Edition(), *a.Lottery().Secret, draw.Beacon{})
	if err != nil {
		a.t.Fatal(err)
	}
	if err := a.Draw(Drawn{Seed: drawn.Seed(), Secret: *a.Lottery().Secret}, drawn.Histogram(LotsMax)); err != nil {
		a.t.Fatal(err)
	}
	a.Member = func(tid Tid) bool { return drawn.Has(tid) }
	a.store(now)
	return drawn, true
}

// TestDraw has two edges in the lobby, one of which tells the owner too late, and somebody who comes after the lobby.
func TestDraw(t *testing.T) {
	t.Parallel()
	opens := start.Add(time.Minute)
	r := newAlone(t, Settings{Rate: 1000, OpensAt: opens})
	r.Commit(draw.Secret{1})
	other := NewEdge("b", 1, start)
	r.syncEdge(other, start, start)
	now := start.Add(10 * time.Second)
	for i := range 100 {
		if rank := r.join(now, tid(i%60), ClassArrival); rank != 0 || !r.edge.InDraw(r.edge.LobbyMark()) {
			t.Fatal("a place of the lobby has a rank, or is not told")
		}
		if _, err := other.Join(now, tid(50+i%50), ClassArrival); err != nil {
			t.Fatal(err)
		}
	}
	if v := r.edge.Look(now, 0); v.Standing != StandingLobby {
		t.Errorf("in the lobby: %+v", v)
	}
	r.syncEdge(other, now, now)
	// The next one is never told: the edge is cut off until after the seal.
	if _, err := other.Join(now, tid(777), ClassArrival); err != nil || other.InDraw(other.LobbyMark()) {
		t.Fatal(err)
	}
	untold := other.LobbyMark()
	now = opens.Add(-lobbyClose * time.Millisecond)
	r.sync(now)
	if _, sealed := r.hold(now); sealed {
		t.Error("the list was sealed though an edge has not said that it told all")
	}
	if late, err := r.edge.Join(now, tid(888), ClassArrival); err != nil || RankClass(late) != ClassArrival {
		t.Errorf("a join after the lobby: %d %v", late, err)
	}
	now = now.Add(sealPatience * time.Millisecond)
	r.sync(now)
	drawn, sealed := r.hold(now)
	if !sealed || drawn.N() != 100 {
		t.Fatalf("the list is not sealed, or has not 100 places")
	}
	if d := r.Tick(now); d != nil || r.state.Frontier[GroupMain] != 0 {
		t.Error("somebody was let in before the opening")
	}
	r.syncEdge(other, now, now)
	if other.InDraw(untold) || other.Draw().Drawn.Seed != drawn.Seed() {
		t.Error("the other edge does not know of the draw, or says that somebody is in it who is not")
	}
	now = opens
	r.Tick(now)
	now = now.Add(openEvery * time.Millisecond)
	r.Tick(now)
	r.sync(now)
	var moved *MovedError
	if _, _, _, err := r.Claim(now, Claim{Tid: tid(777), Rank: draw.Rank(drawn.Seed(), tid(777)), Until: now}); !errors.As(err, &moved) || RankClass(moved.Rank) != ClassArrival {
		t.Errorf("a claim of somebody who was told too late: %v", err)
	}
	// The first hundred of the frontier are those of the draw, in its order.
	open := r.crowd().countUpTo(GroupMain, r.state.Frontier[GroupMain])
	for i := range 100 {
		rank, ordinal, _ := drawn.Place(tid(i))
		if eligible := r.edge.Look(now, rank).Standing == StandingEligible; eligible != (uint64(ordinal) <= open) {
			t.Errorf("number %d of the draw is called: %v; %d are", ordinal, eligible, open)
		}
	}
	if open == 0 {
		t.Error("nobody is called")
	}
}

// TestDrawOutlivesItsOwner restarts the room between any two steps of a draw.
func TestDrawOutlivesItsOwner(t *testing.T) {
	t.Parallel()
	opens := start.Add(time.Minute)
	r := newAlone(t, Settings{Rate: 1000, OpensAt: opens})
	r.Commit(draw.Secret{1})
	r.store(start)
	base, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(r.log)
	restart := func(now time.Time) {
		again, err := Restore(r.set, base, r.log[len(all):], now)
		if err != nil {
			t.Fatal(err)
		}
		r.Room = again
		r.store(now)
	}
	now := start.Add(time.Second)
	for i := range 30 {
		r.join(now, tid(i), ClassArrival)
		if i%10 == 0 {
			restart(now)
		}
	}
	r.sync(now)
	if got := r.Lottery(); got.Told != 30 || *got.Secret != (draw.Secret{1}) {
		t.Errorf("after restarts: %+v", got)
	}
	now = opens.Add(-lobbyClose * time.Millisecond)
	r.sync(now)
	drawn, ok := r.hold(now)
	if !ok || drawn.N() != 30 {
		t.Fatalf("the draw is not held, or not of 30")
	}
	restart(now)
	if got := r.Drawn(); got == nil || got.Seed != drawn.Seed() || r.crowd().classTotal(ClassLobby) != 30 {
		t.Errorf("after the draw and a restart: %+v", got)
	}
}
