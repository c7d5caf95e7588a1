package rooms_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/room"
	"ticketrush/room/host"
)

// The owner dies while claims are under way. Another node goes on: nobody is forgotten who was told to be inside, never are there too many, and the
// frontier does not go back (the edges look).
func TestOwnerIsKilled(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	r := g.enter(g.client(), "spring", slow)
	edges := []*edge{newEdge(t, "a", r), newEdge(t, "b", g.client().Room("spring"))}
	c := g.crowd(edges, 1, 2*most)
	c.answered(most / 3)
	dead := g.ownerOf("spring")
	dead.kill()
	began := time.Now()
	c.answered(most - 5) // some grants may have been stored, and their answers lost: a claim finds them again
	t.Logf("%d are inside %v after the owner died", most-5, time.Since(began).Round(time.Millisecond))
	c.answered(most)
	c.end()
	c.stillInside(r)
	if granted := g.grants("spring", most); len(granted) != most {
		t.Errorf("%d were let in, want %d", len(granted), most)
	}
	for _, e := range edges {
		if e.mu.Lock(); e.fences < 2 {
			t.Errorf("an edge has met %d owners, want 2 and more when the machine is busy", e.fences)
		}
		e.mu.Unlock()
	}
	if now := g.ownerOf("spring"); now == dead {
		t.Error("the dead node owns the room")
	}
}

// A node that is stopped stores everything before it gives the room away; the next owner goes on within a moment.
func TestOwnerIsStopped(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	r := g.enter(g.client(), "spring", slow)
	edges := []*edge{newEdge(t, "a", r), newEdge(t, "b", g.client().Room("spring"))}
	c := g.crowd(edges, 1, 2*most)
	c.answered(most / 3)
	g.ownerOf("spring").stop(t)
	c.answered(most)
	c.end()
	for _, e := range edges {
		e.mu.Lock()
		t.Logf("longest time between two answered syncs: %v, %d not answered; a sync every %v", e.gap.Round(time.Millisecond), e.missed, syncEvery)
		e.mu.Unlock()
	}
	c.stillInside(r)
	state, err := r.Describe(t.Context())
	if err != nil || state.Inside != most || state.Joined != 2*most || state.Granted != most {
		t.Errorf("the next owner says %+v, %v", state, err)
	}
}

// waitBlocked waits until something about a room waits for a lock in the ledger.
func (g *gang) waitBlocked() {
	g.t.Helper()
	until(g.t, "a batch that waits", func() bool {
		var n int
		err := g.alive()[0].Ledger().SQL().QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%room_%'`).Scan(&n)
		return err == nil && n > 0
	})
}

// A partition is not given away before its room has stored everything: here the ledger takes its time.
func TestARoomIsStoredBeforeItIsGivenAway(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 2)
	r := g.enter(g.client(), "spring", slow)
	owner := g.ownerOf("spring")
	var other *member
	for _, m := range g.nodes {
		if m != owner {
			other = m
		}
	}
	if err := r.Change(t.Context(), host.Change{Action: "pause", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	db := other.Ledger().SQL()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ledger.rooms WHERE room = 'spring' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() { owner.stop(t); close(stopped) }()
	g.waitBlocked()
	for range 20 {
		var session int64
		if err := db.QueryRow(`SELECT session FROM ledger.part WHERE part = $1`, client.PartitionOfRoom("spring")).Scan(&session); err != nil || session == 0 {
			t.Fatalf("the partition is given away (session %d, %v) while its room still stores", session, err)
		}
		<-time.After(10 * time.Millisecond)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	<-stopped
	until(t, "the next owner", func() bool {
		state, err := r.Describe(t.Context())
		return err == nil && state.NotReady == "" && state.Owner == other.ID() && state.Phase == room.PhasePaused
	})
}

// A claim is answered when its batch is stored, and not before: here the ledger takes its time.
func TestNothingIsAnsweredBeforeItIsStored(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	r := g.enter(g.client(), "spring", slow)
	e := newEdge(t, "a", r)
	tid, rank := e.join(1)
	if !e.called(t.Context(), rank) {
		t.Fatal("not called")
	}
	tx, err := g.nodes[0].Ledger().SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ledger.rooms WHERE room = 'spring' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	answered := make(chan host.Claimed, 1)
	go func() {
		claimed, err := r.Claim(t.Context(), room.Claim{Tid: tid, Rank: rank, Until: time.Now().Add(10 * time.Second)})
		if err != nil {
			t.Error(err)
		}
		answered <- claimed
	}()
	g.waitBlocked()
	select {
	case claimed := <-answered:
		t.Fatalf("answered before it was stored: %+v", claimed)
	case <-time.After(100 * time.Millisecond):
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if claimed := <-answered; !claimed.Granted {
		t.Errorf("when it was stored: %+v", claimed)
	}
}

// A node that the ledger does not confirm any more says nothing of its rooms, also not what it could say from memory: another one may own them.
func TestAnOwnerWithoutTheLedgerIsSilent(t *testing.T) {
	t.Parallel()
	server, dsn := ownServer(t)
	g := newGang(t, dsn, 1)
	r := g.enter(g.client(), "spring", slow)
	now := time.Now()
	e := room.NewEdge("a", 1, now)
	report := e.Report(now)
	if _, err := r.Sync(t.Context(), &report); err != nil {
		t.Fatal(err)
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the promise", func() bool { return !g.nodes[0].Promising() })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if answer, err := r.Sync(ctx, &report); err == nil {
		t.Errorf("an owner without its ledger answers %+v", answer)
	}
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "an answer again", func() bool { _, err := r.Sync(t.Context(), &report); return err == nil })
}

// Somebody else has claimed the partition and opened the room, and the owner does not know: it stood still. What it is asked then it does not do.
func TestAPausedOwnerGrantsNothing(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	r := g.enter(g.client(), "spring", slow)
	e := newEdge(t, "a", r)
	c := g.crowd([]*edge{e}, 1, 5)
	c.answered(5)
	tid, rank := e.join(6)
	if !e.called(t.Context(), rank) {
		t.Fatal("not called")
	}

	db := g.nodes[0].Ledger()
	part := int32(client.PartitionOfRoom("spring"))
	thief, err := db.SessionOpen(t.Context(), "thief", "127.0.0.1:9", "127.0.0.1:9", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.SQL().Exec(`UPDATE ledger.part SET session = $1, epoch = epoch + 1 WHERE part = $2`, thief, part); err != nil {
		t.Fatal(err)
	}
	var epoch int64
	if err := db.SQL().QueryRow(`SELECT epoch FROM ledger.part WHERE part = $1`, part).Scan(&epoch); err != nil {
		t.Fatal(err)
	}
	if _, err := db.RoomOpen(t.Context(), ledger.RoomOwner{Room: "spring", Part: part, Session: thief, Epoch: epoch}); err != nil {
		t.Fatal(err)
	}
	row, err := db.RoomByName(t.Context(), "spring")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if claimed, err := r.Claim(ctx, room.Claim{Tid: tid, Rank: rank, Until: time.Now().Add(time.Second)}); err == nil && claimed.Granted {
		t.Errorf("an owner that was replaced lets somebody in: %+v", claimed)
	}
	if err := r.Leave(ctx, visitor(1)); err == nil {
		t.Error("an owner that was replaced takes a pass back")
	}
	if after, err := db.RoomByName(t.Context(), "spring"); err != nil || after.Seq != row.Seq || after.Fence != row.Fence {
		t.Errorf("it has written something: %+v, before %+v, %v", after, row, err)
	}

	// The other one goes; the node takes its own back, and has forgotten nothing.
	if err := db.SessionEnd(t.Context(), thief); err != nil {
		t.Fatal(err)
	}
	if _, ok := e.claim(t.Context(), tid, rank); !ok {
		t.Error("not let in when the node owns the room again")
	}
	c.stillInside(r)
	g.grants("spring", most)
}

// A room that cannot be read does not keep the others from running, and runs when it can be read again.
func TestOneRoomFailsAlone(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	c := g.client()
	broken, sound := g.enter(c, "broken", slow), g.enter(c, "sound", slow)
	db := g.nodes[0].Ledger().SQL()
	if _, err := db.Exec(`UPDATE ledger.room_snapshots SET body = 'not JSON' WHERE room = 'broken'`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE ledger.rooms SET fence = fence + 1 WHERE room = 'broken'`); err != nil { // its host is refused at its next batch
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := broken.Change(ctx, host.Change{Action: "pause", Reason: "test"}); err == nil {
		t.Error("a room that was lost is paused")
	}
	until(t, "the failure", func() bool {
		state, err := broken.Describe(t.Context())
		return err == nil && strings.Contains(state.NotReady, "snapshot")
	})
	if err := sound.Change(t.Context(), host.Change{Action: "pause", Reason: "test"}); err != nil {
		t.Errorf("the other room: %v", err)
	}
	if _, err := db.Exec(`DELETE FROM ledger.room_snapshots WHERE room = 'broken'; DELETE FROM ledger.room_batches WHERE room = 'broken'; UPDATE ledger.rooms SET seq = 0 WHERE room = 'broken'`); err != nil {
		t.Fatal(err)
	}
	until(t, "the room again", func() bool {
		state, err := broken.Describe(t.Context())
		return err == nil && state.NotReady == "" && state.Phase == room.PhaseOpen
	})
}

// Postgres restarts while claims are under way: what was answered is there, and the room goes on.
func TestPostgresRestartsUnderARoom(t *testing.T) {
	t.Parallel()
	server, dsn := ownServer(t)
	g := newGang(t, dsn, 2)
	r := g.enter(g.client(), "spring", slow)
	edges := []*edge{newEdge(t, "a", r)}
	c := g.crowd(edges, 1, 2*most)
	c.answered(most / 4)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.answered(most / 2)
	if err := errors.Join(server.Kill(), server.Resume(t.Context())); err != nil {
		t.Fatal(err)
	}
	c.answered(most)
	c.end()
	c.stillInside(r)
	if granted := g.grants("spring", most); len(granted) != most {
		t.Errorf("%d were let in, want %d", len(granted), most)
	}
}

// Who does not own the room says where it is, once it is asked by somebody who finds owners; for anybody else it asks there.
func TestAnyNodeIsAsked(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	g.enter(g.client(), "spring", slow)
	owner := g.ownerOf("spring")
	for _, m := range g.alive() {
		for _, direct := range []bool{false, true} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+m.internal+client.RoomsPath+"/spring", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(client.KeyHeader, internalKey)
			if direct {
				req.Header.Set("X-Stockd-Direct", "1")
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			switch {
			case m == owner || !direct:
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s, direct %v: %s", m.ID(), direct, resp.Status)
				}
			case resp.StatusCode != http.StatusMisdirectedRequest || resp.Header.Get("X-Stockd-Owner") != owner.internal || resp.Header.Get("X-Stockd-Epoch") == "":
				t.Errorf("%s: %s %v", m.ID(), resp.Status, resp.Header)
			}
		}
	}
	resp, err := http.Get("http://" + owner.internal + client.RoomsPath + "/spring")
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the key: %s", resp.Status)
	}
}
