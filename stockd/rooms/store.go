package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ticketrush/ledger"
	"ticketrush/room"
	"ticketrush/room/host"
)

// When a snapshot is due: so much was appended since the last one. A take-over reads a snapshot and what came after it.
const (
	batchesMax = 4096
	bytesMin   = 1 << 20
	bytesTimes = 4 // the size of the last snapshot
)

// store keeps a room in the ledger, for one life of its host. Only the host's goroutine calls it, but for ReadLog.
type store struct {
	lanes   *lanes
	db      *ledger.DB
	owner   ledger.RoomOwner // its Fence is set by Load
	now     func() time.Time
	pending *ledger.RoomBatch // the batch that was sent last

	batches, bytes int // since the last snapshot
	snapshot       int // its bytes
}

var _ host.Store = (*store)(nil)

// record is a batch without its tids and its part of the log, which have rows of their own.
type record struct {
	Seq     uint64        `json:"seq"`
	At      int64         `json:"at"`
	Records []room.Record `json:"records"`
}

// errFenced says that the partition itself is not this node's any more.
var errFenced = errors.New("the partition has another owner")

// lost makes the ledger's word that the room has another owner the host's. What a constraint refused can never be written either.
func lost(err error) error {
	var refused *ledger.ConstraintError
	if errors.Is(err, ledger.ErrRoomLost) || errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", host.ErrLost, err)
	}
	return err
}

// Load implements host.Store. It begins a new life of the room's owner; what an earlier one sent and what did not arrive yet is refused from here on.
func (s *store) Load(ctx context.Context) (snapshot room.State, batches []room.Batch, found bool, err error) {
	s.owner, err = s.db.RoomOpen(ctx, s.owner)
	if errors.Is(err, ledger.ErrRoomLost) {
		return snapshot, nil, false, fmt.Errorf("%w: %w", errFenced, lost(err))
	}
	if err != nil {
		return snapshot, nil, false, err
	}
	state, err := s.db.RoomLoad(ctx, s.owner.Room)
	if err != nil {
		return snapshot, nil, false, err
	}
	if state.Snapshot == nil {
		if len(state.Batches) > 0 {
			return snapshot, nil, false, fmt.Errorf("room %s has %d batches and no snapshot", s.owner.Room, len(state.Batches))
		}
		return snapshot, nil, false, nil
	}
	if err := json.Unmarshal(state.Snapshot, &snapshot); err != nil {
		return snapshot, nil, false, fmt.Errorf("the snapshot of room %s: %w", s.owner.Room, err)
	}
	s.snapshot = len(state.Snapshot)
	owners := uint64(1) // this one
	for _, b := range state.Batches {
		var r record
		if err := json.Unmarshal(b.Body, &r); err != nil || int64(r.Seq) != b.Seq {
			return snapshot, nil, false, fmt.Errorf("batch %d of room %s, which says that it is number %d, is malformed: %w", b.Seq, s.owner.Room, r.Seq, err)
		}
		batches = append(batches, room.Batch{Seq: r.Seq, At: r.At, Records: r.Records})
		for i := range r.Records {
			if r.Records[i].Kind == room.KindOwner {
				owners++
			}
		}
		s.batches++
		s.bytes += len(b.Body)
	}
	// The room counts its owners, and edges follow the higher number. The ledger's may be higher: a life may have ended before it wrote anything, and
	// after a restore to an earlier time it is higher by far, for edges know numbers that were given out since.
	if fence := uint64(s.owner.Fence); fence > snapshot.Fence+owners {
		snapshot.Fence = fence - owners
	}
	return snapshot, batches, true, nil
}

// LoadLobby implements host.Store.
func (s *store) LoadLobby(ctx context.Context, edition uint16, each func(room.Tids) error) error {
	return s.db.RoomLobby(ctx, s.owner.Room, int32(edition), func(raw []byte) error {
		tids := make(room.Tids, len(raw)/len(room.Tid{}))
		for i := range tids {
			copy(tids[i][:], raw[i*len(room.Tid{}):])
		}
		return each(tids)
	})
}

// Append implements host.Store.
func (s *store) Append(ctx context.Context, edition uint16, batch *room.Batch) error {
	if s.pending == nil || s.pending.Seq != int64(batch.Seq) {
		body, err := json.Marshal(record{batch.Seq, batch.At, batch.Records})
		if err != nil {
			return fmt.Errorf("write batch %d: %w", batch.Seq, err)
		}
		raw := make([]byte, 0, len(batch.Lobby)*len(room.Tid{}))
		for i := range batch.Lobby {
			raw = append(raw, batch.Lobby[i][:]...)
		}
		s.pending = &ledger.RoomBatch{Seq: int64(batch.Seq), Body: body, Edition: int32(edition), Tids: raw, Log: batch.Log, Now: s.now()}
	}
	err := s.lanes.with(ctx, func(lane *ledger.RoomLane) error { return lane.Append(s.owner, s.pending) })
	if err != nil {
		return lost(err)
	}
	s.batches++
	s.bytes += len(s.pending.Body)
	return nil
}

// ReadLog implements host.Store.
func (s *store) ReadLog(ctx context.Context, from, to int64) (entries [][]byte, err error) {
	rows, err := s.db.RoomLog(ctx, s.owner.Room, from, int32(min(to-from, logAtOnce)))
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		if row.N != from+int64(i) {
			return nil, fmt.Errorf("the log of room %s has entry %d where entry %d should be", s.owner.Room, row.N, from+int64(i))
		}
		entries = append(entries, row.Entry)
	}
	return entries, nil
}

// logAtOnce bounds the entries that are read at once: as many as a tile has.
const logAtOnce = 256

// Compact implements host.Store.
func (s *store) Compact(ctx context.Context, snapshot *room.State) error {
	body, err := json.Marshal(snapshot)
	if err != nil {
		return fmt.Errorf("write the snapshot: %w", err)
	}
	err = s.lanes.with(ctx, func(lane *ledger.RoomLane) error { return lane.Compact(s.owner, int64(snapshot.Seq), body, s.now()) })
	if err != nil {
		return lost(err)
	}
	s.batches, s.bytes, s.snapshot = 0, 0, len(body)
	return nil
}

// Due implements host.Store.
func (s *store) Due() bool {
	return s.batches >= batchesMax || s.bytes >= max(bytesMin, bytesTimes*s.snapshot)
}
