package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"

	"ticketrush/ledger/db"
)

// RoomLane is one connection on which rooms append, one batch at a time. It follows the rules of a Lane: no cancel, no timeout, and what is not known
// to be written is sent again, the same. It is not safe for concurrent use, but for Close.
type RoomLane struct {
	socket  *laneSocket
	pool    *sql.DB // of this one connection
	conn    *sql.Conn
	append  *sql.Stmt
	compact *sql.Stmt
}

// RoomBatch is what a room wants written at once.
type RoomBatch struct {
	Seq     int64
	Body    []byte
	Edition int32
	Tids    []byte   // of the lobby, 16 bytes each
	Log     [][]byte // entries of the transparency log
	Now     time.Time
}

// digest is what tells a batch from another one with its number. Now is left out: a batch that is sent again is the same.
func (b *RoomBatch) digest() []byte {
	h := sha256.New()
	h.Write([]byte("ticketrush/room/v1"))
	part := func(text []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(text)))
		h.Write(n[:])
		h.Write(text)
	}
	var head [12]byte
	binary.BigEndian.PutUint64(head[:], uint64(b.Seq))
	binary.BigEndian.PutUint32(head[8:], uint32(b.Edition))
	part(head[:])
	part(b.Body)
	part(b.Tids)
	for _, entry := range b.Log {
		part(entry)
	}
	return h.Sum(nil)
}

// OpenRoomLane opens a lane for rooms.
func (l *DB) OpenRoomLane(ctx context.Context) (*RoomLane, error) {
	socket := &laneSocket{}
	pool, err := openLanePool(l.dsn, socket)
	if err != nil {
		return nil, err
	}
	lane := &RoomLane{socket: socket, pool: pool}
	if err := lane.prepare(ctx); err != nil {
		_ = lane.Close()
		return nil, fmt.Errorf("open a lane for rooms: %w", explain(err))
	}
	return lane, nil
}

func (lane *RoomLane) prepare(ctx context.Context) (err error) {
	if lane.conn, err = lane.pool.Conn(ctx); err != nil {
		return err
	}
	if _, err = lane.conn.ExecContext(ctx, laneSettings); err != nil {
		return err
	}
	if lane.append, err = lane.conn.PrepareContext(ctx, db.RoomAppend); err != nil {
		return err
	}
	lane.compact, err = lane.conn.PrepareContext(ctx, db.RoomCompact)
	return err
}

// Close closes the connection, also under an append that is on its way, which then has an unknown outcome. It may be called at any time, by
// anybody, more than once.
func (lane *RoomLane) Close() error {
	lane.socket.close()
	return lane.pool.Close()
}

// What room_append and room_compact answer.
const (
	roomLost    = 0
	roomWritten = 1
	roomResent  = 2
	roomOther   = 3
)

// Append writes a batch, which has to be the room's next; one that was written before is done as well. ErrUnknown: send the same again, on a new lane.
// ErrRoomLost and *ConstraintError: it was not written and will not be.
func (lane *RoomLane) Append(o RoomOwner, b *RoomBatch) error {
	log := &array{}
	for _, entry := range b.Log {
		log.bytes(entry)
	}
	tids := b.Tids
	if tids == nil {
		tids = []byte{}
	}
	code, err := lane.call(lane.append, o.Part, o.Session, o.Epoch, o.Room, o.Fence, b.Seq, b.digest(), b.Body, b.Edition, tids, log.argument(), b.Now)
	return roomOutcome(o, b.Seq, code, err)
}

// Compact puts a snapshot of the room after batch seq in the place of the batches. Errors are those of Append.
func (lane *RoomLane) Compact(o RoomOwner, seq int64, body []byte, now time.Time) error {
	code, err := lane.call(lane.compact, o.Room, o.Fence, seq, body, now)
	return roomOutcome(o, seq, code, err)
}

// call counts an answer only when its result was closed without an error.
func (lane *RoomLane) call(stmt *sql.Stmt, args ...any) (code int32, err error) {
	rows, err := stmt.QueryContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&code); err != nil {
			return 0, err
		}
	}
	if err := rows.Close(); err != nil {
		return 0, err
	}
	return code, rows.Err()
}

// roomOutcome says what an answer means. Only the server's own word that it undid the call is final.
func roomOutcome(o RoomOwner, seq int64, code int32, err error) error {
	var p *pq.Error
	switch {
	case errors.As(err, &p):
		switch p.Code.Class() {
		case "23", "22", "42", "P0", "XX":
			return &ConstraintError{Code: string(p.Code), Constraint: p.Constraint, Message: p.Message}
		}
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case code == roomWritten, code == roomResent:
		return nil
	case code == roomOther:
		return fmt.Errorf("batch %d of room %s: another one has its number, or it leaves numbers out: %w", seq, o.Room, ErrRoomLost)
	default:
		return fmt.Errorf("batch %d of room %s under epoch %d, fence %d: %w", seq, o.Room, o.Epoch, o.Fence, ErrRoomLost)
	}
}
