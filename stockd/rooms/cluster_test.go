package rooms_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ticketrush/client"
	"ticketrush/room"
	"ticketrush/room/host"
)

// Two edges share a line that a node owns: who came first is let in first, whichever edge they came to, and there are never more inside than may be.
func TestTwoEdgesShareALine(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	r := g.enter(g.client(), "spring", room.Settings{Rate: 200, MaxActive: 6, PassLife: time.Minute, Grace: time.Millisecond})
	edges := []*edge{newEdge(t, "a", r), newEdge(t, "b", g.client().Room("spring"))}
	type place struct {
		tid  room.Tid
		rank uint64
		at   *edge
	}
	var line []place
	for i := range 12 {
		e := edges[i%2]
		tid, rank := e.join(i)
		line = append(line, place{tid, rank, e})
		e.wait(2 * time.Millisecond) // so that the order of arrival is plain
	}
	inside := map[room.Tid]room.Session{}
	for _, p := range line[:6] {
		s, ok := p.at.claim(t.Context(), p.tid, p.rank)
		if !ok || s.Rank != p.rank {
			t.Fatalf("claim of %v: %+v, %v", p.tid, s, ok)
		}
		inside[p.tid] = s
	}
	for _, p := range line[6:] {
		claimed, err := p.at.owner.Claim(t.Context(), room.Claim{Tid: p.tid, Rank: p.rank, Until: time.Now().Add(50 * time.Millisecond)})
		if err != nil || claimed.Granted {
			t.Errorf("a seventh is let in: %+v, %v", claimed, err)
		}
	}
	// One claims again at the other edge, renews, and leaves: their slot is the next one's.
	first := line[0]
	again, err := edges[1].owner.Claim(t.Context(), room.Claim{Tid: first.tid, Rank: first.rank, Until: time.Now().Add(time.Second)})
	if err != nil || !again.Granted || again.Session != inside[first.tid] {
		t.Errorf("the same claim at another edge: %+v, %v", again, err)
	}
	renewed, err := r.Renew(t.Context(), first.tid, 0, 0)
	if err != nil || renewed.Renewal != 1 {
		t.Errorf("renew: %+v, %v", renewed, err)
	}
	if err := r.Leave(t.Context(), first.tid); err != nil {
		t.Error(err)
	}
	if _, err := r.Renew(t.Context(), first.tid, 1, 0); !errors.Is(err, room.ErrNotInside) {
		t.Errorf("a pass that was given back is renewed: %v", err)
	}
	if _, ok := line[6].at.claim(t.Context(), line[6].tid, line[6].rank); !ok {
		t.Error("the slot that is free again is not the next one's")
	}
	g.wantRooms("spring", 6)
}

// wait lets time pass, in which the edge syncs.
func (e *edge) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-e.t.Context().Done():
	}
}

// wantRooms wants each node to list the room as its owner sees it.
func (g *gang) wantRooms(name string, inside int) {
	g.t.Helper()
	owner := g.ownerOf(name)
	for _, m := range g.alive() {
		until(g.t, "the list of "+m.ID(), func() bool {
			all, err := m.rooms.List(g.t.Context())
			return err == nil && len(all) == 1 && all[0].Room == name && all[0].Owner == owner.ID() && all[0].Inside == inside && all[0].NotReady == "" && len(all[0].Edges) == 2
		})
	}
}

func TestEnterSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	c := g.client()
	if _, err := c.Room("spring").Describe(t.Context()); !errors.Is(err, client.ErrNoRoom) {
		t.Errorf("a room that nobody entered: %v", err)
	}
	first := room.Settings{Rate: 5, MaxActive: 10, OpensAt: time.Now().Add(time.Hour).Truncate(time.Second)}
	entered, err := c.Room("spring").Enter(t.Context(), first)
	if err != nil || !entered.Created || len(entered.Differences) != 0 || entered.Number == 0 {
		t.Fatalf("entered: %+v, %v", entered, err)
	}
	other := first
	other.Rate, other.Grace, other.OpensAt = 6, 5*time.Second, first.OpensAt.In(time.FixedZone("elsewhere", 7200)) // the grace is the default anyway
	entered, err = c.Room("spring").Enter(t.Context(), other)
	want := client.RoomDifference{Setting: "rate", Asked: "6", InForce: "5"}
	if err != nil || entered.Created || len(entered.Differences) != 1 || entered.Differences[0] != want || entered.Settings.Rate != 5 {
		t.Errorf("entered again: %+v, %v; want the difference %+v", entered, err, want)
	}
	for what, wrong := range map[string]room.Settings{"a rate below 0": {Rate: -1}, "a pass of a day and more": {PassLife: 25 * time.Hour}} {
		if _, err := c.Room("summer").Enter(t.Context(), wrong); !errors.Is(err, client.ErrRoomSettings) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.Room("not a name").Enter(t.Context(), first); !errors.Is(err, client.ErrRoomRequest) {
		t.Errorf("a name that is none: %v", err)
	}
	if _, err := c.Room("summer").Sync(t.Context(), &room.Report{Edge: "a"}); !errors.Is(err, client.ErrNoRoom) {
		t.Errorf("a sync with a room that is not there: %v", err)
	}
}

// Every refusal of a room comes back as the same error of Go.
func TestErrorsTravel(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	r := g.enter(g.client(), "spring", room.Settings{Rate: 100})
	e := newEdge(t, "a", r)
	tid, rank := e.join(1)
	if _, ok := e.claim(t.Context(), tid, rank); !ok {
		t.Fatal("no pass")
	}
	ctx := t.Context()
	if _, err := r.Sync(ctx, &room.Report{Edge: "a", Incarnation: 1}); !errors.Is(err, room.ErrEdgeTwice) {
		t.Errorf("another process with the edge's name: %v", err)
	}
	if _, err := r.Sync(ctx, &room.Report{Edge: ""}); !errors.Is(err, room.ErrReport) {
		t.Errorf("a report without a name: %v", err)
	}
	if _, err := r.Renew(ctx, visitor(2), 0, 0); !errors.Is(err, room.ErrNotInside) {
		t.Errorf("renewal of somebody who is not inside: %v", err)
	}
	if _, err := r.Renew(ctx, tid, 7, 0); !errors.Is(err, room.ErrOldPass) {
		t.Errorf("renewal of a pass that never was: %v", err)
	}
	if err := r.Ban(ctx, tid, time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if _, err := r.Claim(ctx, room.Claim{Tid: tid, Rank: rank, Until: time.Now().Add(time.Second)}); !errors.Is(err, room.ErrBanned) {
		t.Errorf("claim of somebody who was put out: %v", err)
	}
	if _, err := r.Redeem(ctx, tid, 9, 1); !errors.Is(err, room.ErrCodeUnknown) {
		t.Errorf("a code that was never issued: %v", err)
	}
	if first, err := r.IssueCodes(ctx, 3, "guests"); err != nil || first != 1 {
		t.Errorf("codes: %d, %v", first, err)
	}
	place, err := r.Redeem(ctx, tid, 1, 1)
	if again, err2 := r.Redeem(ctx, tid, 1, 1); err != nil || err2 != nil || place == 0 || again != place {
		t.Errorf("a code gives %d and %d, %v, %v", place, again, err, err2)
	}
	if _, err := r.Redeem(ctx, visitor(3), 1, 1); !errors.Is(err, room.ErrCodeUsed) {
		t.Errorf("a code that was used: %v", err)
	}
	if _, err := r.Receipt(ctx, tid); !errors.Is(err, host.ErrNoDraw) {
		t.Errorf("a receipt without a draw: %v", err)
	}
	if err := r.Drawn(ctx, &failing{t}); !errors.Is(err, host.ErrNoDraw) {
		t.Errorf("a draw that never was: %v", err)
	}
	var change *host.InvalidChange
	if err := r.Change(ctx, host.Change{Action: "dance", Reason: "test"}); !errors.As(err, &change) || !change.Unknown {
		t.Errorf("an act that there is not: %v", err)
	}
	if err := r.Change(ctx, host.Change{Action: "pause"}); !errors.As(err, &change) || change.Unknown {
		t.Errorf("an act without a reason: %v", err)
	}
	if err := r.Change(ctx, host.Change{Action: "pause", Reason: "test"}); err != nil {
		t.Error(err)
	}
	until(t, "a pause", func() bool { state, err := r.Describe(ctx); return err == nil && state.Phase == room.PhasePaused })
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := r.Leave(gone, tid); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that was given up: %v", err)
	}
}

// failing takes nothing.
type failing struct{ t *testing.T }

func (f *failing) Write([]byte) (int, error) {
	f.t.Error("something was written")
	return 0, errors.New("no")
}
