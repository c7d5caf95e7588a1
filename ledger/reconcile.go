package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"ticketrush/ledger/db"
)

// ReconcileOptions says what Reconcile looks at. The zero value looks at everything.
type ReconcileOptions struct {
	// Event limits the checks to one event; 0 means all. Sequence numbers and epochs belong to partitions, which events share: they are
	// always checked as a whole.
	Event int32
	// MaxBreaks bounds the breaks that each check names; 0 means 100. Of what is beyond, the check says only that there is more.
	MaxBreaks int32
}

// Report is what Reconcile found. It is OK only when no check found a break.
type Report struct {
	At     time.Time     `json:"at"` // the database's clock when the snapshot was taken
	Event  int32         `json:"event,omitempty"`
	OK     bool          `json:"ok"`
	Totals Totals        `json:"totals"`
	Checks []Check       `json:"checks"`
	Notes  []string      `json:"notes,omitempty"` // what people should look at although everything adds up
	Took   time.Duration `json:"took_ns"`
}

// Totals are the stock's counters: Capacity = Available + Held + Paying + Sold.
type Totals struct {
	Capacity  int64 `json:"capacity"`
	Available int64 `json:"available"`
	Held      int64 `json:"held"`
	Paying    int64 `json:"paying"`
	Sold      int64 `json:"sold"`
}

// Check is one thing that must hold, how many rows it looked at, and where it does not hold.
type Check struct {
	Name   string        `json:"name"`
	About  string        `json:"about"`
	Rows   int64         `json:"rows"`
	Breaks []Break       `json:"breaks"`
	More   bool          `json:"more,omitempty"` // there are more breaks than were asked for
	Took   time.Duration `json:"took_ns"`
}

// Break is one thing that does not add up: the row, and what is wrong with it.
type Break struct {
	Row  string `json:"row"`
	Text string `json:"text"`
}

// check is one check of Reconcile. run counts the rows it looked at and adds the breaks it found.
type check struct {
	name  string
	about string
	run   func(ctx context.Context, r *reconciler) error
}

// checks are all checks, in the order in which they run and are reported.
var checks = slices.Concat(stockChecks, moneyChecks, settlementChecks, closingChecks, roomChecks)

// reconciler is what a check works with: one snapshot, read only.
type reconciler struct {
	q       *db.Queries
	tx      *sql.Tx
	at      time.Time // the database's clock when the snapshot was taken
	event   int32     // 0: all
	max     int32     // breaks to name
	current *Check
}

// limit is how many rows a query of breaks should return: one more than are named, to know that there are more.
func (r *reconciler) limit() int32 { return r.max + 1 }

// rows adds to the number of rows that the check looked at.
func (r *reconciler) rows(n int64) { r.current.Rows += n }

// broken names a break, as long as there is room.
func (r *reconciler) broken(row, format string, args ...any) {
	if len(r.current.Breaks) >= int(r.max) {
		r.current.More = true
		return
	}
	r.current.Breaks = append(r.current.Breaks, Break{Row: row, Text: fmt.Sprintf(format, args...)})
}

// Reconcile checks that everything in the ledger adds up, on one snapshot: it may run while the ledger is written to, and holds no lock that
// a writer waits for.
func (l *DB) Reconcile(ctx context.Context, options ReconcileOptions) (*Report, error) {
	start := time.Now()
	if options.MaxBreaks <= 0 {
		options.MaxBreaks = 100
	}
	tx, err := l.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", explain(err))
	}
	defer tx.Rollback()
	// What reads whole tables may scan them, and join them as it likes.
	if _, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on"); err != nil {
		return nil, fmt.Errorf("reconcile: %w", explain(err))
	}
	t, err := l.q.ReconcileTotals(ctx, tx, options.Event)
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", explain(err))
	}
	report := &Report{
		At: t.At, Event: options.Event, OK: true,
		Totals: Totals{Capacity: t.Capacity, Available: t.Capacity - t.Held - t.Paying - t.Sold, Held: t.Held, Paying: t.Paying, Sold: t.Sold},
	}
	r := &reconciler{q: l.q, tx: tx, at: t.At, event: options.Event, max: options.MaxBreaks}
	for _, c := range checks {
		done, err := r.check(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("reconcile %s: %w", c.name, explain(err))
		}
		report.OK = report.OK && len(done.Breaks) == 0
		report.Checks = append(report.Checks, done)
	}
	conflicts, err := l.q.FlushConflictCount(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", explain(err))
	}
	if conflicts > 0 {
		report.Notes = append(report.Notes, fmt.Sprintf("flush_conflicts has %d batches that a constraint refused: nothing of them was acknowledged, but each is a bug to look at", conflicts))
	}
	report.Took = time.Since(start)
	return report, nil
}

func (r *reconciler) check(ctx context.Context, c check) (Check, error) {
	done := Check{Name: c.name, About: c.about, Breaks: []Break{}}
	start := time.Now()
	r.current = &done
	err := c.run(ctx, r)
	done.Took = time.Since(start)
	return done, err
}
