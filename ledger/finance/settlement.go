package finance

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"ticketrush/ledger/db"
)

// ErrSettlementConflict says that a file has a line that an earlier file had, with another content.
var ErrSettlementConflict = errors.New("the file contradicts what was imported before")

// Imported is what an import did.
type Imported struct {
	Provider string
	File     int64 // its number in settlement_files; 0: it was imported before
	Lines    int   // in the file
	New      int   // of them, taken now; the others are in files imported before, with the same content
	Sums     []SettlementSum
	// Of the earlier import, when File is 0.
	Name string
	By   string
	At   time.Time
}

// SettlementSum adds up the new lines of one category and currency, in minor units.
type SettlementSum struct {
	Category, Currency string
	N                  int64
	Gross, Fee, Net    int64
}

// takeAtOnce is how many lines go to the ledger in one call.
const takeAtOnce = 5000

// ImportSettlement reads a settlement file and takes its lines, with what is posted for them, in one transaction: all of it, or nothing. The same file again does
// nothing; lines that another file had are counted once. An empty provider is stripe for a report of Stripe's, else sandbox. Errors: those of
// ReadSettlement, and ErrSettlementConflict, which names both lines.
func (d *Desk) ImportSettlement(ctx context.Context, provider, name string, text []byte, by string) (*Imported, error) {
	lines, shape, err := ReadSettlement(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; nothing was imported", name, err)
	}
	if provider == "" {
		provider = "sandbox"
		if shape == stripe.name {
			provider = "stripe"
		}
	}
	sum := sha256.Sum256(text)
	done := &Imported{Provider: provider, Lines: len(lines)}
	err = d.inTx(ctx, nil, func(tx *sql.Tx) error {
		done.File, err = d.q.SettlementFile(ctx, tx, db.SettlementFileParams{Provider: provider, Name: name, Sha256: sum[:], Lines: int32(len(lines)), By: by})
		if err != nil {
			return err
		}
		if done.File == 0 {
			f, err := d.q.SettlementFileBySum(ctx, tx, db.SettlementFileBySumParams{Provider: provider, Sha256: sum[:]})
			done.Name, done.By, done.At = f.Name, f.ImportedBy, f.ImportedAt
			return err
		}
		for chunk := range slices.Chunk(lines, takeAtOnce) {
			if err := d.takeLines(ctx, tx, done.File, chunk); err != nil {
				return err
			}
		}
		sums, err := d.q.SettlementFileLines(ctx, tx, done.File)
		for _, s := range sums {
			done.Sums = append(done.Sums, SettlementSum(s))
			done.New += int(s.N)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w; nothing was imported", name, err)
	}
	return done, nil
}

func (d *Desk) takeLines(ctx context.Context, tx *sql.Tx, file int64, lines []SettlementLine) error {
	p := db.SettlementTakeParams{File: file}
	for _, l := range lines {
		p.Numbers = append(p.Numbers, int32(l.No))
		p.Txns = append(p.Txns, l.Txn)
		p.Categories = append(p.Categories, l.Category)
		p.Refs = append(p.Refs, l.Ref)
		p.Payouts = append(p.Payouts, l.Payout)
		p.Gross = append(p.Gross, l.Gross)
		p.Fees = append(p.Fees, l.Fee)
		p.Currencies = append(p.Currencies, l.Currency)
		p.Moments = append(p.Moments, l.At)
	}
	conflicts, err := d.q.SettlementTake(ctx, tx, p)
	if err != nil {
		return err
	}
	if len(conflicts) > 0 {
		c := conflicts[0]
		return fmt.Errorf("%w: line %d has %q, which line %d of %s has too, and says something else about it (%d such lines)",
			ErrSettlementConflict, c.LineNo, c.BalanceTxn, c.OtherLine, c.OtherFile, len(conflicts))
	}
	return nil
}
