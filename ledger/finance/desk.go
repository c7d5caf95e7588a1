package finance

import (
	"context"
	"database/sql"
	"fmt"

	"ticketrush/ledger"
	"ticketrush/ledger/db"
)

// Desk works on a ledger. It is safe for concurrent use.
type Desk struct {
	ledger *ledger.DB
	pool   *sql.DB
	q      *db.Queries
}

// New gives the finance desk of an open ledger. It is closed with the ledger.
func New(l *ledger.DB) *Desk { return &Desk{ledger: l, pool: l.SQL(), q: db.New()} }

// inTx runs f in a transaction; read only ones see one snapshot, however long they take.
func (d *Desk) inTx(ctx context.Context, options *sql.TxOptions, f func(tx *sql.Tx) error) error {
	tx, err := d.pool.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// The pool's plans look up single rows; what works on whole days and files may scan tables and join them as it likes.
	const whole = "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL plan_cache_mode = auto"
	if _, err := tx.ExecContext(ctx, whole); err != nil {
		return fmt.Errorf("prepare the transaction: %w", err)
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
