package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"

	"ticketrush/ledger/db"
	"ticketrush/ledger/journal"
)

// Limits of one flush.
const (
	MaxOps   = 1024 // operations; the owner sends at most 128
	MaxSeats = 1 << 16
)

// Lane is one connection that flushes, one at a time: one batch in flight. It is not safe for concurrent use. It is a connection and not a
// pool: database/sql may run a statement of a pool twice and report no error.
type Lane struct {
	ledger *DB
	socket *laneSocket
	pool   *sql.DB // of this one connection
	conn   *sql.Conn
	flush  *sql.Stmt
}

// laneSettings hold for the connection. A custom plan for each call would halve the throughput of small batches. The generic ones are made when
// tables may still be empty and are kept when they are full, so only one shape of plan is allowed: for each element of an array, one look-up
// by an index. No statement of the function joins two arrays. There is no statement_timeout on purpose: a cancel may report success of what
// was rolled back.
const laneSettings = `SET plan_cache_mode = force_generic_plan; SET jit = off; SET search_path = ledger;
	SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off`

// OpenLane opens a lane.
func (l *DB) OpenLane(ctx context.Context) (*Lane, error) {
	socket := &laneSocket{}
	pool, err := openLanePool(l.dsn, socket)
	if err != nil {
		return nil, err
	}
	lane := &Lane{ledger: l, socket: socket, pool: pool}
	if err := lane.prepare(ctx); err != nil {
		_ = lane.Close()
		return nil, fmt.Errorf("open a flush lane: %w", explain(err))
	}
	return lane, nil
}

func (lane *Lane) prepare(ctx context.Context) (err error) {
	if lane.conn, err = lane.pool.Conn(ctx); err != nil {
		return err
	}
	if _, err = lane.conn.ExecContext(ctx, laneSettings); err != nil {
		return err
	}
	lane.flush, err = lane.conn.PrepareContext(ctx, db.Flush)
	return err
}

// Close closes the connection, also under a flush that is on its way, which then has an unknown outcome. It may be called at any time, by
// anybody, more than once.
func (lane *Lane) Close() error {
	lane.socket.close()
	return lane.pool.Close()
}

// Flush commits the works of f, each or not at all, and says what became of each of them. On ErrUnknown send the same f again, on a new
// lane; on a *ConstraintError nothing was written.
//
// It takes no context: a flush is never cancelled. Close the lane to give up waiting.
func (lane *Lane) Flush(f *Flush) ([]WorkResult, error) {
	args, err := arguments(f)
	if err != nil {
		return nil, err
	}
	var answer []byte
	if err := lane.call(args, &answer); err != nil {
		return nil, lane.failed(f, err)
	}
	return decode(f, answer)
}

// call counts an answer only when its result was closed without an error: an error may follow the row.
func (lane *Lane) call(args []any, answer *[]byte) error {
	rows, err := lane.flush.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		if err := rows.Scan(answer); err != nil {
			return err
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	return rows.Err()
}

// failed classifies an error. Only the server's own word that it undid the call is final.
func (lane *Lane) failed(f *Flush, err error) error {
	var p *pq.Error
	if !errors.As(err, &p) {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	switch p.Code.Class() {
	case "23", "22", "42", "P0", "XX":
		conflict := &ConstraintError{Code: string(p.Code), Constraint: p.Constraint, Message: p.Message}
		if work, jerr := json.Marshal(f.Works); jerr == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			// The report is a help for people; when it fails too, the caller's alarm has the same words.
			_ = lane.ledger.q.FlushConflictInsert(ctx, lane.ledger.pool, db.FlushConflictInsertParams{Batch: f.Batch, Reason: conflict.Error(), Work: work})
		}
		return conflict
	default: // deadlock, shutdown, resources: the same batch may be sent again, and must be, for an owner may not skip a sequence number
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
}

// decode reads the answer: an int2 for each work, then one for each operation.
func decode(f *Flush, answer []byte) ([]WorkResult, error) {
	ops := 0
	for i := range f.Works {
		ops += len(f.Works[i].Ops)
	}
	if len(answer) != 2*(len(f.Works)+ops) {
		return nil, fmt.Errorf("%w: the flush of %d works and %d operations was answered with %d bytes", ErrUnknown, len(f.Works), ops, len(answer))
	}
	codes := journal.Outcomes(answer)
	statuses, outcomes := codes[:len(f.Works)], codes[len(f.Works):]
	results := make([]WorkResult, len(f.Works))
	for i := range f.Works {
		n := len(f.Works[i].Ops)
		switch statuses[i] {
		case 0:
			results[i] = WorkResult{Fenced: true}
		default:
			results[i] = WorkResult{Resent: statuses[i] == 2, Outcomes: outcomes[:n:n]}
		}
		outcomes = outcomes[n:]
	}
	return results, nil
}
