package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ticketrush/ledger"
)

// Whoever does not own the partition any more writes nothing: after another node's claim, after its own release, and after another opening of
// the same room by the same session.
func TestRoomOfAStaleOwner(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	stale := b.owner
	refused := func(what string) {
		t.Helper()
		if err := b.lane.Append(stale, b.next()); !errors.Is(err, ledger.ErrRoomLost) {
			t.Errorf("%s: an append gives %v", what, err)
		}
	}
	b.write()
	b.owner = b.open(b.session, b.epoch[testPart])
	refused("opened again by the same session")
	if err := b.lane.Compact(stale, 1, []byte("old"), b.now); !errors.Is(err, ledger.ErrRoomLost) {
		t.Errorf("a snapshot of a life before gives %v", err)
	}
	b.write()

	stale = b.owner
	if err := b.db.ReleaseParts(t.Context(), b.session, []ledger.PartRelease{{Part: testPart, Epoch: b.epoch[testPart]}}); err != nil {
		t.Fatal(err)
	}
	refused("released")
	other := b.session1("n2", time.Minute)
	claimed, err := b.db.Claim(t.Context(), other, "n2", []int32{testPart})
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claim: %+v, %v", claimed, err)
	}
	refused("claimed by another node")
	if _, err := b.db.RoomOpen(t.Context(), stale); !errors.Is(err, ledger.ErrRoomLost) {
		t.Errorf("the stale owner opens the room again: %v", err)
	}
	b.owner = b.open(other, claimed[0].Epoch)
	refused("opened by another node")
	if last := b.write(); last.Seq != 3 {
		t.Errorf("the new owner goes on with batch %d", last.Seq)
	}
	b.wantBatches(0, 3)
	if _, err := b.db.RoomOpen(t.Context(), ledger.RoomOwner{Room: "autumn", Part: testPart, Session: other, Epoch: claimed[0].Epoch}); !errors.Is(err, ledger.ErrRoomLost) {
		t.Errorf("a room that is not there is opened: %v", err)
	}
}

// An append that has to wait for a claim that is under way is judged by what the claim has written, although it began before. A lock that does not fence
// would let it through.
func TestRoomAppendDuringAClaim(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	other := b.session1("n2", time.Minute)
	tx, err := b.db.SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`UPDATE ledger.part SET session = $1, epoch = epoch + 1 WHERE part = $2`, other, testPart); err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error)
	go func() { outcome <- b.lane.Append(b.owner, b.next()) }()
	b.waitBlocked()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; !errors.Is(err, ledger.ErrRoomLost) {
		t.Errorf("an append that waited for a claim gives %v", err)
	}
	b.wantBatches(0, 0)
}

// While an append is under way the partition cannot be claimed, and two rooms of a partition do not wait for each other.
func TestRoomAppendKeepsAClaimOut(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	tx, err := b.db.SQL().BeginTx(t.Context(), nil) // stands for an append of another room
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var owned bool
	if err := tx.QueryRow(`SELECT ledger.room_owned($1, $2, $3)`, testPart, b.session, b.epoch[testPart]).Scan(&owned); err != nil || !owned {
		t.Fatal(owned, err)
	}
	b.write()
	if err := b.db.SessionEnd(t.Context(), b.session); err != nil {
		t.Fatal(err)
	}
	other := b.session1("n2", time.Minute)
	if claimed, err := b.db.Claim(t.Context(), other, "n2", []int32{testPart}); err != nil || len(claimed) != 0 {
		t.Errorf("a partition is claimed from under an append: %+v, %v", claimed, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if claimed, err := b.db.Claim(t.Context(), other, "n2", []int32{testPart}); err != nil || len(claimed) != 1 {
		t.Errorf("after the append it cannot be claimed: %+v, %v", claimed, err)
	}
}

// An append that hangs is given up by closing its lane; whether it was written is known when the same batch is sent again.
func TestRoomLaneClosedUnderAnAppend(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	tx, err := b.db.SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ledger.part WHERE part = $1 FOR NO KEY UPDATE`, testPart); err != nil {
		t.Fatal(err)
	}
	batch, lane, outcome := b.next(), b.lane, make(chan error)
	go func() { outcome <- lane.Append(b.owner, batch) }()
	b.waitBlocked()
	if err := lane.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; !errors.Is(err, ledger.ErrUnknown) {
		t.Fatalf("the append gives %v, want ErrUnknown", err)
	}
	b.openRoomLane()
	go func() { outcome <- b.lane.Append(b.owner, batch) }() // at the same time as the first, which the server still runs
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	b.seq++
	b.write()
	b.wantBatches(0, 2)
}

func TestRoomReplyLost(t *testing.T) {
	t.Parallel()
	cut, dsn := startCutter(t, database(t).DSN)
	b := newRoomBench(t, dsn)
	batch := b.next()
	batch.Tids = make([]byte, 32)
	cut.armed.Store(true)
	if err := b.lane.Append(b.owner, batch); !errors.Is(err, ledger.ErrUnknown) {
		t.Fatalf("a lost answer gives %v, want ErrUnknown", err)
	}
	b.openRoomLane()
	if err := b.lane.Append(b.owner, batch); err != nil {
		t.Fatal(err)
	}
	b.seq++
	b.write()
	if n := b.number(`SELECT lobby FROM ledger.rooms`); n != 2 {
		t.Errorf("%d tids in the lobby, want 2", n)
	}
	b.wantBatches(0, 2)
}

// The server is killed in the middle of appends, several times. Every batch that was acknowledged is there, once, and the room goes on with the
// one whose outcome was unknown.
func TestServerKilledInTheMiddleOfRoomAppends(t *testing.T) {
	t.Parallel()
	server, dsn := durable(t)
	b := newRoomBench(t, dsn)
	resent := 0
	for range 4 {
		killed := make(chan error, 1)
		var batch *ledger.RoomBatch
		var unknown error
		for i := 0; unknown == nil; i++ {
			if i == 15 {
				go func() { killed <- server.Kill() }()
			}
			batch = b.next()
			if unknown = b.lane.Append(b.owner, batch); unknown == nil {
				b.seq++
			}
		}
		if !errors.Is(unknown, ledger.ErrUnknown) {
			t.Fatal(unknown)
		}
		if err := errors.Join(<-killed, server.Resume(context.WithoutCancel(t.Context()))); err != nil {
			t.Fatal(err)
		}
		if b.number(`SELECT count(*) FROM ledger.room_batches`) > int(b.seq) {
			resent++
		}
		b.openRoomLane()
		if err := b.lane.Append(b.owner, batch); err != nil {
			t.Fatalf("after %v the batch is sent again and gives %v", unknown, err)
		}
		b.seq++
		b.wantBatches(0, b.seq)
	}
	t.Logf("%d batches; %d of 4 unknown ones were written", b.seq, resent)
}
