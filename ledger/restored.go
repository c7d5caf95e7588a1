package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"ticketrush/ledger/db"
)

// epochJump is by how much epochs and session numbers go up after a restore: more than anybody can have used in the time that was lost.
const epochJump = 1 << 20

// ErrNodesRun says that nodes have live sessions.
var ErrNodesRun = errors.New("nodes are running on this ledger")

// Restored makes a ledger fit for nodes that was restored to an earlier time. Epochs were given out after that time and are known to edges and
// clients, where the higher one wins: so all of them go up by far, and so do the numbers of sessions, and of the openings of rooms, which edges know. who and why go into the audit log. It gives
// the number of partitions.
func (l *DB) Restored(ctx context.Context, who, why string) (parts int64, err error) {
	err = l.inTx(ctx, func(tx *sql.Tx) error {
		nodes, err := l.q.SessionsAlive(ctx, tx)
		if err != nil {
			return err
		}
		if len(nodes) > 0 {
			return fmt.Errorf("%w: %s; stop them first", ErrNodesRun, strings.Join(nodes, ", "))
		}
		if err := l.q.SessionsForget(ctx, tx); err != nil {
			return err
		}
		if _, err := l.q.SessionNumberJump(ctx, tx, epochJump); err != nil {
			return err
		}
		if parts, err = l.q.PartEpochsJump(ctx, tx, epochJump); err != nil {
			return err
		}
		if _, err := l.q.RoomFencesJump(ctx, tx, epochJump); err != nil {
			return err
		}
		return l.q.AuditInsert(ctx, tx, db.AuditInsertParams{Actor: who, Action: "ledger.restored", Subject: why})
	})
	return parts, err
}
