package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ticketrush/ledger/db"
)

// ErrRoomLost says that somebody else owns the room, or owns it anew: nothing of what was to be written is written, now or later.
var ErrRoomLost = errors.New("the room has another owner")

// Room is a waiting room as it was entered, and who opened it last.
type Room struct {
	Name      string
	Number    uint32 // what its passes carry
	Part      int32
	Settings  json.RawMessage
	Session   int64
	Epoch     int64
	Fence     int64 // how often it was opened
	Seq       int64 // of its last batch; 0: it never began
	Edition   int32 // of its last batch
	CreatedAt time.Time
}

// RoomOwner names one life of a room's owner.
type RoomOwner struct {
	Room    string
	Part    int32
	Session int64
	Epoch   int64
	Fence   int64 // what RoomOpen gave
}

// RoomEnter enters a room unless there is one of that name, and gives what is there; created tells whether it is new. ErrExists: a room of
// another name has the number.
func (l *DB) RoomEnter(ctx context.Context, r Room) (there Room, created bool, err error) {
	n, err := l.q.RoomInsert(ctx, l.short, db.RoomInsertParams{Room: r.Name, Number: int64(r.Number), Part: r.Part, Settings: r.Settings})
	if err != nil {
		return there, false, explain(err)
	}
	there, err = l.RoomByName(ctx, r.Name)
	return there, n == 1, err
}

// RoomByName reads a room; ErrNotFound when there is none.
func (l *DB) RoomByName(ctx context.Context, name string) (Room, error) {
	r, err := l.q.RoomGet(ctx, l.short, name)
	if errors.Is(err, sql.ErrNoRows) {
		return Room{}, fmt.Errorf("room %q: %w", name, ErrNotFound)
	}
	return roomOf(db.RoomListRow(r)), explain(err)
}

// Rooms reads all rooms, by name.
func (l *DB) Rooms(ctx context.Context) ([]Room, error) {
	rows, err := l.q.RoomList(ctx, l.short)
	if err != nil {
		return nil, explain(err)
	}
	all := make([]Room, 0, len(rows))
	for _, r := range rows {
		all = append(all, roomOf(r))
	}
	return all, nil
}

func roomOf(r db.RoomListRow) Room {
	return Room{
		Name: r.Room, Number: uint32(r.Number), Part: r.Part, Settings: r.Settings, Session: r.Session, Epoch: r.Epoch, Fence: r.Fence, Seq: r.Seq,
		Edition: r.Edition, CreatedAt: r.CreatedAt,
	}
}

// RoomOpen begins a life of the room's owner, which has to own the partition: what an earlier life has sent and what is still on its way is refused from
// here on. RoomLoad is the second step, as Load is after Claim. An unknown outcome is resolved by opening again. ErrRoomLost: the partition is
// not the session's under this epoch, or there is no such room in it.
func (l *DB) RoomOpen(ctx context.Context, o RoomOwner) (RoomOwner, error) {
	fence, err := l.q.RoomOpen(ctx, l.short, db.RoomOpenParams{Part: o.Part, Session: o.Session, Epoch: o.Epoch, Room: o.Room})
	if err != nil {
		return o, explain(err)
	}
	if fence == 0 {
		return o, fmt.Errorf("open room %s in partition %d under epoch %d: %w", o.Room, o.Part, o.Epoch, ErrRoomLost)
	}
	o.Fence = fence
	return o, nil
}

// RoomState is what is stored of a room: its last snapshot, and the batches after it.
type RoomState struct {
	Snapshot    []byte // nil: the room never began
	SnapshotSeq int64
	Batches     []RoomRecord
}

// RoomRecord is a batch as it is stored.
type RoomRecord struct {
	Seq  int64
	Body []byte
}

// RoomLoad reads a room that was opened.
func (l *DB) RoomLoad(ctx context.Context, name string) (s RoomState, err error) {
	snapshot, err := l.q.RoomSnapshot(ctx, l.short, name)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return s, explain(err)
	default:
		s.Snapshot, s.SnapshotSeq = snapshot.Body, snapshot.Seq
	}
	rows, err := l.q.RoomBatches(ctx, l.short, db.RoomBatchesParams{Room: name, After: s.SnapshotSeq})
	if err != nil {
		return s, explain(err)
	}
	for _, r := range rows {
		s.Batches = append(s.Batches, RoomRecord{Seq: r.Seq, Body: r.Body})
	}
	return s, nil
}

// roomRows is how many rows of a lobby or a log are read at once: a row of a lobby has up to half a megabyte.
const roomRows = 64

// RoomLobby gives each the tids that were stored for an edition, in their order, 16 bytes for each tid.
func (l *DB) RoomLobby(ctx context.Context, name string, edition int32, each func(tids []byte) error) error {
	for from := int64(0); ; {
		rows, err := l.q.RoomLobby(ctx, l.short, db.RoomLobbyParams{Room: name, Edition: edition, FromFirst: from, MaxRows: roomRows})
		if err != nil {
			return explain(err)
		}
		for _, r := range rows {
			if r.First != from {
				return fmt.Errorf("the lobby of room %s, edition %d, has a gap: tid %d follows tid %d", name, edition, r.First, from)
			}
			if err := each(r.Tids); err != nil {
				return err
			}
			from += int64(len(r.Tids) / 16)
		}
		if len(rows) < roomRows {
			return nil
		}
	}
}

// RoomEntry is an entry of a room's log.
type RoomEntry struct {
	N     int64 // from 0
	At    time.Time
	Entry []byte
}

// RoomLog reads entries of a room's log from number from on, limit at most.
func (l *DB) RoomLog(ctx context.Context, name string, from int64, limit int32) ([]RoomEntry, error) {
	rows, err := l.q.RoomLog(ctx, l.short, db.RoomLogParams{Room: name, FromN: from, MaxRows: limit})
	if err != nil {
		return nil, explain(err)
	}
	entries := make([]RoomEntry, 0, len(rows))
	for _, r := range rows {
		entries = append(entries, RoomEntry{N: r.N, At: r.At, Entry: r.Entry})
	}
	return entries, nil
}
