package finance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ticketrush/ledger/db"
	"ticketrush/ledger/reconcile"
)

// Why a day is not closed.
var (
	// ErrDay: the day that was named cannot be closed, or none was named and the open one has not ended.
	ErrDay = errors.New("this business day cannot be closed")
	// ErrBreaks: the day is closed, so nothing is posted to it any more, and not signed, for there are breaks.
	ErrBreaks = errors.New("there are breaks")
)

// CloseOptions says which day is closed, and how.
type CloseOptions struct {
	Day    time.Time // midnight UTC; zero: those that are closed and not signed, else the open day, once it has ended
	Key    note.Signer
	By     string // who closes
	Accept string // why it is signed although there are breaks; one line
	Now    time.Time
}

// Closed is one signed day.
type Closed struct {
	Day        string
	Transfers  int64
	Size       int64 // of the tree
	Checkpoint string
	Report     *reconcile.Report // nil: it had been signed before
}

// Close closes the open business day, signs what was posted to it, and goes on where an earlier call ended: each step may be repeated. Signing is in order
// of days. With ErrBreaks comes the report that says which.
func (d *Desk) Close(ctx context.Context, o CloseOptions) ([]Closed, *reconcile.Report, error) {
	if strings.ContainsFunc(o.Accept, unicode.IsControl) {
		return nil, nil, fmt.Errorf("%w: the reason has to be one line of text", ErrDay)
	}
	days, err := d.q.BusinessDays(ctx, d.pool)
	if err != nil {
		return nil, nil, err
	}
	until, err := o.target(days)
	if err != nil {
		return nil, nil, err
	}
	var done []Closed
	for _, b := range days {
		switch {
		case b.Day.After(until):
			return done, nil, nil
		case b.Signed && b.Day.Equal(until):
			done = append(done, Closed{Day: b.Day.Format(day), Transfers: b.Transfers, Size: b.TreeSize, Checkpoint: b.Checkpoint})
			continue
		case b.Signed:
			continue
		}
		if !b.ClosedAt.Valid {
			if err := d.closeDay(ctx, b.Day, o.Now); err != nil {
				return done, nil, err
			}
		}
		report, err := reconcile.Run(ctx, d.ledger, reconcile.Options{})
		if err != nil {
			return done, nil, err
		}
		if !report.OK && o.Accept == "" {
			return done, report, fmt.Errorf("%s is closed and not signed: %w", b.Day.Format(day), ErrBreaks)
		}
		c, err := d.sign(ctx, b.Day, report, o)
		if err != nil {
			return done, nil, fmt.Errorf("sign %s: %w", b.Day.Format(day), err)
		}
		done = append(done, *c)
	}
	return done, nil, nil
}

// target is the last day to be closed and signed.
func (o CloseOptions) target(days []db.BusinessDaysRow) (time.Time, error) {
	today := o.Now.UTC().Truncate(24 * time.Hour)
	var unsigned, open time.Time
	known := false
	for _, b := range days {
		if !b.ClosedAt.Valid {
			open = b.Day
		} else if !b.Signed {
			unsigned = b.Day
		}
		known = known || b.Day.Equal(o.Day)
	}
	switch {
	case o.Day.IsZero() && !unsigned.IsZero():
		return unsigned, nil
	case o.Day.IsZero() && open.Before(today):
		return open, nil
	case o.Day.IsZero():
		return open, fmt.Errorf("%w: the open day, %s, has not ended (times are UTC); to close it now, name it: --day %[2]s", ErrDay, open.Format(day))
	case !known:
		return open, fmt.Errorf("%w: the ledger has no business day %s; %s is open", ErrDay, o.Day.Format(day), open.Format(day))
	case o.Day.After(today):
		return open, fmt.Errorf("%w: %s has not begun", ErrDay, o.Day.Format(day))
	}
	return o.Day, nil
}

// closingTries bounds how often the lock of a closing is asked for: it waits for transactions in flight, and nobody may post meanwhile.
const closingTries = 20

func (d *Desk) closeDay(ctx context.Context, of, now time.Time) error {
	for try := 1; ; try++ {
		closed := false
		err := d.inTx(ctx, nil, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '1s'"); err != nil {
				return err
			}
			var err error
			closed, err = d.q.CloseOpenDay(ctx, tx, db.CloseOpenDayParams{Day: of, Today: now.UTC().Truncate(24 * time.Hour), Now: now})
			return err
		})
		switch {
		case pq.As(err, pqerror.LockNotAvailable) != nil && try < closingTries:
			continue
		case err != nil:
			return fmt.Errorf("close %s: %w", of.Format(day), err)
		case !closed:
			return fmt.Errorf("%w: somebody else has closed it just now; run this again", ErrDay)
		}
		return nil
	}
}

// sign writes the balances, the tree and the checkpoint of a closed day, in one transaction. The day is final: no lock is held that a writer waits for.
func (d *Desk) sign(ctx context.Context, of time.Time, report *reconcile.Report, o CloseOptions) (*Closed, error) {
	done := &Closed{Day: of.Format(day), Report: report}
	err := d.inTx(ctx, nil, func(tx *sql.Tx) error {
		if err := d.q.ClosingLock(ctx, tx); err != nil {
			return err
		}
		c := Checkpoint{Origin: o.Key.Name(), Day: done.Day, PrevRoot: emptyRoot, Breaks: report.Breaks()}
		if c.Breaks > 0 {
			c.Accepted = o.Accept
		}
		switch last, err := d.q.LastClosing(ctx, tx); {
		case err == nil:
			c.PrevSize, c.PrevRoot = last.TreeSize, tlog.Hash(last.TreeRoot)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		tree, err := d.loadTree(ctx, tx, c.PrevSize)
		if err != nil {
			return err
		}
		if done.Transfers, err = d.extend(ctx, tx, tree, db.TransferLeavesParams{Day: of}); err != nil {
			return err
		}
		c.Size = tree.size
		if c.Root, err = tree.root(); err != nil {
			return err
		}
		if err := d.q.BalancesInsert(ctx, tx, of); err != nil {
			return err
		}
		stock, err := d.q.ClosingPartsInsert(ctx, tx, of)
		if err != nil {
			return err
		}
		copy(c.Stock[:], stock)
		if done.Checkpoint, err = c.sign(o.Key); err != nil {
			return err
		}
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		done.Size = c.Size
		return d.q.ClosingInsert(ctx, tx, db.ClosingInsertParams{
			Day: of, Transfers: done.Transfers, TreeSize: c.Size, TreeRoot: c.Root[:], Breaks: int32(c.Breaks), Accepted: c.Accepted, Report: text,
			Checkpoint: done.Checkpoint, SignedBy: o.By, SignedAt: o.Now,
		})
	})
	return done, err
}
