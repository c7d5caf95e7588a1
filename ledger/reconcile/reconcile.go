// Package reconcile compares all that the ledger has: the journal with the seats, the sales with the orders, the orders with the money, the money with what
// providers settled. It writes nothing, and shares with those who write only the bytes of package journal.
package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/db"
)

// Options says what Run looks at. The zero value looks at everything.
type Options struct {
	// Event limits the checks to one event; 0 means all. Sequence numbers, epochs and chains belong to partitions, which events share: those
	// that the event uses are checked as a whole.
	Event int32
	// MaxBreaks bounds the breaks that each check names; 0 means 100. Of what is beyond, the check says only that there is more.
	MaxBreaks int32
}

// Report is what Run found. It is OK only when no check found a break.
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

// Check is one thing that must hold, how many rows it looked at, and where it does not hold. Where one reading of the ledger serves several checks, the
// time that it took is the first one's.
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

// check is one check of Run.
type check struct {
	name  string
	about string
	run   func(ctx context.Context, r *reconciler) error // nil: shares of several checks find what is wrong, see shares
}

// queries are stateless.
var queries = db.New()

// checks are all checks, in the order in which they are reported.
var checks = slices.Concat(stockChecks, moneyChecks, invoiceChecks, settlementChecks, closingChecks, roomChecks)

// reconciler is what a share of the work has: a read-only transaction on the snapshot that all shares see, and what it found.
type reconciler struct {
	*tally // of the share's first check
	q      *db.Queries
	tx     *sql.Tx
	at     time.Time // the database's clock when the snapshot was taken
	event  int32     // 0: all
	totals func() (db.OrderTotalsRow, error)
	found  []Check
}

// of is what the share found for one of its checks.
func (r *reconciler) of(name string) *tally {
	i := slices.IndexFunc(r.found, func(c Check) bool { return c.Name == name })
	return &tally{Check: &r.found[i], most: r.most}
}

// limit is how many rows a query of breaks should return: one more than are named, to know that there are more.
func (r *reconciler) limit() int32 { return r.most + 1 }

// tally is what was looked at and found for a check.
type tally struct {
	*Check
	most int32 // breaks to name
}

// rows adds to the number of rows that the check looked at.
func (t *tally) rows(n int64) { t.Rows += n }

// broken names a break, as long as there is room.
func (t *tally) broken(row, format string, args ...any) {
	if len(t.Breaks) >= int(t.most) {
		t.More = true
		return
	}
	t.Breaks = append(t.Breaks, Break{Row: row, Text: fmt.Sprintf(format, args...)})
}

// Run checks that everything in the ledger adds up, on one snapshot: it may run while the ledger is written to, and holds no lock that
// a writer waits for. Some connections share the work.
func Run(ctx context.Context, l *ledger.DB, options Options) (*Report, error) {
	start := time.Now()
	if options.MaxBreaks <= 0 {
		options.MaxBreaks = 100
	}
	tx, err := readAll(ctx, l.SQL(), "")
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", err)
	}
	defer tx.Rollback()
	t, err := queries.ReconcileTotals(ctx, tx, options.Event)
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", ledger.Explain(err))
	}
	report := &Report{
		At: t.At, Event: options.Event, OK: true,
		Totals: Totals{Capacity: t.Capacity, Available: t.Capacity - t.Held - t.Paying - t.Sold, Held: t.Held, Paying: t.Paying, Sold: t.Sold},
	}
	if report.Checks, err = runChecks(ctx, l.SQL(), tx, reconciler{q: queries, at: t.At, event: options.Event, tally: &tally{most: options.MaxBreaks}}); err != nil {
		return nil, fmt.Errorf("reconcile %w", err)
	}
	for i := range report.Checks {
		report.OK = report.OK && len(report.Checks[i].Breaks) == 0
	}
	conflicts, err := queries.FlushConflictCount(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", ledger.Explain(err))
	}
	if conflicts > 0 {
		report.Notes = append(report.Notes, fmt.Sprintf("flush_conflicts has %d batches that a constraint refused: nothing of them was acknowledged, but each is a bug to look at", conflicts))
	}
	report.Took = time.Since(start)
	return report, nil
}
