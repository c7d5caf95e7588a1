package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"ticketrush/ledger"
	"ticketrush/ledger/db"
	"ticketrush/room/merkle"
)

// closingChecks compare closed days with what was signed about them. Who changes the ledger with the rights of its owner can make all of this fit again;
// only the published checkpoints tell then (finance.Desk.CheckPublished).
var closingChecks = []check{
	{"closed days", "the postings of signed days are those that were signed", checkClosedDays},
	{"balances", "the balances of signed days are the sums of their postings", checkClosedBalances},
	{"signed stock", "the chains of stock contain what was signed at the last closing", checkClosedParts},
}

// leavesAtOnce is how many leaves are read in one go.
const leavesAtOnce = 50_000

// ClosedRoot is the tree over the transfers of all days until one, as the ledger has them now.
type ClosedRoot struct {
	Size int64
	Root tlog.Hash
}

// closedRoots computes the tree anew, from the transfers, at the end of each signed day.
func closedRoots(ctx context.Context, q *db.Queries, tx db.DBTX, days []db.ClosingsRow) ([]ClosedRoot, error) {
	var edge merkle.Edge
	roots := make([]ClosedRoot, 0, len(days))
	for _, d := range days {
		for after := int64(0); ; {
			leaves, err := q.TransferLeaves(ctx, tx, db.TransferLeavesParams{Day: d.Day, After: after, Count: leavesAtOnce})
			if err != nil {
				return nil, err
			}
			for _, l := range leaves {
				edge.Append(tlog.Hash(l.Hash))
			}
			if len(leaves) < leavesAtOnce {
				break
			}
			after = leaves[len(leaves)-1].ID
		}
		roots = append(roots, ClosedRoot{Size: edge.Size, Root: edge.Root()})
	}
	return roots, nil
}

// ClosedRoots computes, from the transfers that the ledger has now, the tree at the end of each signed day; by day, as 2006-01-02.
func ClosedRoots(ctx context.Context, l *ledger.DB) (map[string]ClosedRoot, error) {
	tx, err := l.SQL().BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, ledger.Explain(err)
	}
	defer tx.Rollback()
	days, err := queries.Closings(ctx, tx)
	if err != nil {
		return nil, ledger.Explain(err)
	}
	roots, err := closedRoots(ctx, queries, tx, days)
	if err != nil {
		return nil, ledger.Explain(err)
	}
	by := map[string]ClosedRoot{}
	for i, d := range days {
		by[d.Day.Format(time.DateOnly)] = roots[i]
	}
	return by, nil
}

func checkClosedDays(ctx context.Context, r *reconciler) error {
	days, err := r.q.Closings(ctx, r.tx)
	if err != nil {
		return err
	}
	roots, err := closedRoots(ctx, r.q, r.tx, days)
	if err != nil {
		return err
	}
	for i, d := range days {
		if i == len(days)-1 {
			r.rows(roots[i].Size)
		}
		switch {
		case roots[i].Size != d.TreeSize:
			r.broken("day "+d.Day.Format(time.DateOnly), "until its end %d postings were signed, the ledger has %d", d.TreeSize, roots[i].Size)
		case roots[i].Root != tlog.Hash(d.TreeRoot):
			r.broken("day "+d.Day.Format(time.DateOnly), "a posting of it or of a day before is not what was signed")
		default:
			continue
		}
		changed, err := r.q.ClosedTransferBreaks(ctx, r.tx, 3)
		if err != nil {
			return err
		}
		for _, c := range changed {
			row := fmt.Sprintf("transfers %d", c.ID)
			if c.ID == 0 {
				row = "transfers"
			}
			r.broken(row, "leaf %d of the tree was another row, or none, when it was signed", c.Leaf)
		}
		break // what follows differs because this does
	}
	return nil
}

func checkClosedBalances(ctx context.Context, r *reconciler) error {
	rows, err := r.q.ClosedBalanceBreaks(ctx, r.tx, r.limit())
	for _, b := range rows {
		r.broken(fmt.Sprintf("day %s account %s", b.Day.Format(time.DateOnly), b.Account), "%s: debits %d and credits %d were signed, its postings are %d and %d",
			b.Currency, b.Debits, b.Credits, b.SumDebits, b.SumCredits)
	}
	return err
}

func checkClosedParts(ctx context.Context, r *reconciler) error {
	rows, err := r.q.ClosedPartBreaks(ctx, r.tx, r.limit())
	for _, p := range rows {
		r.broken(fmt.Sprintf("part %d", p.Part), "its batch %d is not the one that was signed on %s", p.Seq, p.Day.Format(time.DateOnly))
	}
	return err
}
