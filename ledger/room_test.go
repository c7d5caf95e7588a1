package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
)

// roomBench is a ledger with a room in the partition that its node owns.
type roomBench struct {
	*bench
	lane  *ledger.RoomLane
	owner ledger.RoomOwner
	seq   int64
}

func newRoomBench(t testing.TB, dsn string) *roomBench {
	t.Helper()
	b := &roomBench{bench: newBench(t, dsn)}
	if _, created, err := b.db.RoomEnter(t.Context(), ledger.Room{Name: "spring", Number: 77, Part: testPart, Settings: json.RawMessage(`{"rate":5}`)}); err != nil || !created {
		t.Fatalf("enter: created %v, %v", created, err)
	}
	b.openRoomLane()
	b.owner = b.open(b.session, b.epoch[testPart])
	return b
}

func (b *roomBench) openRoomLane() {
	b.t.Helper()
	lane, err := b.db.OpenRoomLane(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.lane = lane
	b.t.Cleanup(func() { lane.Close() })
}

func (b *roomBench) open(session, epoch int64) ledger.RoomOwner {
	b.t.Helper()
	o, err := b.db.RoomOpen(b.t.Context(), ledger.RoomOwner{Room: "spring", Part: testPart, Session: session, Epoch: epoch})
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

// next is the room's next batch.
func (b *roomBench) next() *ledger.RoomBatch {
	return &ledger.RoomBatch{Seq: b.seq + 1, Body: fmt.Appendf(nil, "batch %d", b.seq+1), Edition: 1, Now: b.now}
}

// write appends the next batch and wants it written.
func (b *roomBench) write() *ledger.RoomBatch {
	b.t.Helper()
	batch := b.next()
	if err := b.lane.Append(b.owner, batch); err != nil {
		b.t.Fatal(err)
	}
	b.seq++
	return batch
}

func (b *roomBench) load() ledger.RoomState {
	b.t.Helper()
	s, err := b.db.RoomLoad(b.t.Context(), "spring")
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// wantBatches wants the batches after a snapshot, without a gap.
func (b *roomBench) wantBatches(after, last int64) {
	b.t.Helper()
	s := b.load()
	if s.SnapshotSeq != after || len(s.Batches) != int(last-after) {
		b.t.Fatalf("a snapshot after batch %d and %d batches, want %d and %d", s.SnapshotSeq, len(s.Batches), after, last-after)
	}
	for i, r := range s.Batches {
		if want := after + int64(i) + 1; r.Seq != want || string(r.Body) != fmt.Sprintf("batch %d", want) {
			b.t.Fatalf("batch %d: %q, want number %d", r.Seq, r.Body, want)
		}
	}
}

func TestRoomEnter(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	again, created, err := b.db.RoomEnter(t.Context(), ledger.Room{Name: "spring", Number: 78, Part: 9, Settings: json.RawMessage(`{"rate":6}`)})
	if err != nil || created || again.Number != 77 || again.Part != testPart || string(again.Settings) != `{"rate": 5}` || again.Fence != 1 || again.CreatedAt.IsZero() {
		t.Errorf("entered again: %+v, created %v, %v; want it as it was entered first", again, created, err)
	}
	if _, _, err := b.db.RoomEnter(t.Context(), ledger.Room{Name: "autumn", Number: 77, Part: 9, Settings: json.RawMessage(`{}`)}); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("a second room of one number: %v", err)
	}
	if _, err := b.db.RoomByName(t.Context(), "winter"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a room that is not there: %v", err)
	}
	if all, err := b.db.Rooms(t.Context()); err != nil || len(all) != 1 || all[0].Name != "spring" {
		t.Errorf("all rooms: %+v, %v", all, err)
	}
}

func TestRoomAppendIsOnceAndInOrder(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	first := b.write()
	b.write()
	last := b.write()
	again := *last
	again.Now = again.Now.Add(time.Second)
	if err := b.lane.Append(b.owner, &again); err != nil {
		t.Errorf("the last batch again: %v", err)
	}
	other := *last
	other.Body = []byte("another one")
	gap := b.next()
	gap.Seq++
	lobby := *last
	lobby.Tids = make([]byte, 16)
	for what, batch := range map[string]*ledger.RoomBatch{"an older one": first, "another one of that number": &other, "a gap": gap, "other tids": &lobby} {
		if err := b.lane.Append(b.owner, batch); !errors.Is(err, ledger.ErrRoomLost) {
			t.Errorf("%s: %v, want ErrRoomLost", what, err)
		}
	}
	b.wantBatches(0, 3)
	if err := b.lane.Compact(b.owner, 2, []byte("after 2"), b.now); !errors.Is(err, ledger.ErrRoomLost) {
		t.Errorf("a snapshot that is not the present state: %v", err)
	}
	if err := b.lane.Compact(b.owner, 3, []byte("after 3"), b.now); err != nil {
		t.Fatal(err)
	}
	if s := b.load(); string(s.Snapshot) != "after 3" {
		t.Errorf("the snapshot is %q", s.Snapshot)
	}
	if err := b.lane.Append(b.owner, last); err != nil {
		t.Errorf("the last batch again, after the snapshot: %v", err)
	}
	b.wantBatches(3, 3)
	b.write()
	b.wantBatches(3, 4)
}

// A room begins with a snapshot, which counts as its first batch.
func TestRoomBeginsWithASnapshot(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	for range 2 { // an unknown outcome is resolved by sending it again
		if err := b.lane.Compact(b.owner, 1, []byte("new"), b.now); err != nil {
			t.Fatal(err)
		}
	}
	b.seq = 1
	b.write()
	b.wantBatches(1, 2)
}

func TestRoomLobbyAndLogAreAppended(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	tids := func(n byte, count int) []byte { return bytes.Repeat([]byte{n}, 16*count) }
	for _, batch := range []*ledger.RoomBatch{
		{Seq: 1, Body: []byte("1"), Edition: 1, Tids: tids(1, 2), Log: [][]byte{[]byte("committed")}, Now: b.now},
		{Seq: 2, Body: []byte("2"), Edition: 1, Now: b.now},
		{Seq: 3, Body: []byte("3"), Edition: 1, Tids: tids(2, 3), Log: [][]byte{[]byte("sealed"), []byte("drawn")}, Now: b.now},
		{Seq: 4, Body: []byte("4"), Edition: 2, Tids: tids(3, 1), Now: b.now},
	} {
		for range 2 {
			if err := b.lane.Append(b.owner, batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	for edition, want := range map[int32][]byte{1: append(tids(1, 2), tids(2, 3)...), 2: tids(3, 1), 3: nil} {
		var got []byte
		if err := b.db.RoomLobby(t.Context(), "spring", edition, func(more []byte) error { got = append(got, more...); return nil }); err != nil || !bytes.Equal(got, want) {
			t.Errorf("edition %d: %x, %v; want %x", edition, got, err, want)
		}
	}
	entries, err := b.db.RoomLog(t.Context(), "spring", 1, 10)
	if err != nil || len(entries) != 2 || entries[0].N != 1 || string(entries[0].Entry) != "sealed" || string(entries[1].Entry) != "drawn" || entries[1].At.Sub(b.now).Abs() > time.Microsecond {
		t.Errorf("the log is %+v, %v", entries, err)
	}
	for _, sql := range []string{`UPDATE ledger.room_lobby SET tids = tids`, `DELETE FROM ledger.room_lobby`, `UPDATE ledger.room_log SET entry = entry`, `DELETE FROM ledger.room_log`} {
		if _, err := b.db.SQL().Exec(sql); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// A lobby of many rows is read in pieces, and one that lacks a row is not taken for a shorter one.
func TestRoomLobbyOfManyRows(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	b.exec(`INSERT INTO ledger.room_lobby(room, edition, first, tids) SELECT 'spring', 1, 2*i, decode(lpad(to_hex(i), 64, '0'), 'hex') FROM generate_series(0, 199) i`)
	count := 0
	read := func(tids []byte) error { count += len(tids) / 16; return nil }
	if err := b.db.RoomLobby(t.Context(), "spring", 1, read); err != nil || count != 400 {
		t.Errorf("%d tids, %v", count, err)
	}
	b.exec(`INSERT INTO ledger.room_lobby(room, edition, first, tids) VALUES ('spring', 1, 402, decode(repeat('00', 16), 'hex'))`)
	if err := b.db.RoomLobby(t.Context(), "spring", 1, read); err == nil || !strings.Contains(err.Error(), "gap") {
		t.Errorf("a lobby with a gap: %v", err)
	}
}

// Somebody with a superuser's rights changes what is stored of a room: reconcile says which room. After a restore its openings go on by far.
func TestReconcileRooms(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"":                          ``,
		"a batch removed":           `DELETE FROM ledger.room_batches WHERE seq = 3`,
		"the last batch removed":    `DELETE FROM ledger.room_batches WHERE seq = 4`,
		"a batch's epoch":           `UPDATE ledger.room_batches SET epoch = 9 WHERE seq = 3`,
		"a snapshot of another one": `UPDATE ledger.room_snapshots SET seq = 1`,
		"somebody of the lobby":     `DELETE FROM ledger.room_lobby`,
		"an entry of the log":       `DELETE FROM ledger.room_log WHERE n = 1`,
		"a room set back":           `UPDATE ledger.rooms SET seq = 3`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newRoomBench(t, database(t).DSN)
			b.write()
			b.write()
			if err := b.lane.Compact(b.owner, 2, []byte("after 2"), b.now); err != nil {
				t.Fatal(err)
			}
			b.write()
			if err := b.lane.Append(b.owner, &ledger.RoomBatch{Seq: 4, Body: []byte("batch 4"), Edition: 1, Tids: make([]byte, 32), Log: [][]byte{[]byte("a"), []byte("b")}, Now: b.now}); err != nil {
				t.Fatal(err)
			}
			b.exec(`SET session_replication_role = replica; ` + sql + `; SET session_replication_role = origin`)
			var broken []reconcile.Break
			for _, c := range b.reconcile(reconcile.Options{}).Checks {
				if c.Name == "rooms" {
					if c.Rows == 0 {
						t.Error("no row was looked at")
					}
					broken = append(broken, c.Breaks...)
				}
			}
			if want := len(sql) > 0; (len(broken) == 1) != want || want && broken[0].Row != "rooms spring" {
				t.Errorf("breaks: %+v", broken)
			}
		})
	}
}

func TestRestoredRoomsGoOnByFar(t *testing.T) {
	t.Parallel()
	b := newRoomBench(t, database(t).DSN)
	b.write()
	b.exec(`UPDATE ledger.sess SET dead = true`)
	if _, err := b.db.Restored(t.Context(), "test", "test"); err != nil {
		t.Fatal(err)
	}
	if err := b.lane.Append(b.owner, b.next()); !errors.Is(err, ledger.ErrRoomLost) {
		t.Errorf("who owned the room before the restore appends: %v", err)
	}
	if row, err := b.db.RoomByName(t.Context(), "spring"); err != nil || row.Fence < b.owner.Fence+1<<19 {
		t.Errorf("after a restore the next opening is number %d, %v; edges know %d and perhaps more", row.Fence+1, err, b.owner.Fence)
	}
}
