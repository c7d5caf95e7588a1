package finance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ticketrush/ledger/db"
	"ticketrush/ledger/money"
)

// Proof shows, without any database, that a transfer is in a signed checkpoint; or that one checkpoint continues another, so that nothing before it was changed.
type Proof struct {
	Transfer   *Transfer   `json:"transfer,omitempty"`
	Leaf       int64       `json:"leaf,omitempty"`  // where the transfer stands in the tree, from 0
	Older      string      `json:"older,omitempty"` // the signed note that is continued
	Checkpoint string      `json:"checkpoint"`      // the signed note
	Proof      []tlog.Hash `json:"proof"`           // of RFC 6962
}

// ErrProof says that a proof does not prove what it says.
var ErrProof = errors.New("the proof does not hold")

// ErrNoTransfer says that the ledger has no such transfer.
var ErrNoTransfer = errors.New("the ledger has no such transfer")

// Transfer reads one; ErrNoTransfer when there is none.
func (d *Desk) Transfer(ctx context.Context, id int64) (*Transfer, error) {
	return d.transfer(ctx, d.pool, id)
}

func (d *Desk) transfer(ctx context.Context, tx db.DBTX, id int64) (*Transfer, error) {
	t, err := d.q.TransferGet(ctx, tx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %d", ErrNoTransfer, id)
	}
	if err != nil {
		return nil, err
	}
	return &Transfer{
		ID: t.ID, Source: t.Source, Leg: t.Leg, Debit: t.Debit, Credit: t.Credit, Currency: t.Currency, Minor: t.Amount, Amount: money.Format(t.Amount, t.Currency),
		Order: t.OrderID.UUID, Day: t.Day.Format(day), EffectiveAt: t.EffectiveAt.UTC(), RecordedAt: t.RecordedAt.UTC(), Reverses: t.Reverses,
	}, nil
}

// Prove proves that a transfer is among those that were signed, by the newest checkpoint.
func (d *Desk) Prove(ctx context.Context, id int64) (*Proof, error) {
	var p *Proof
	err := d.inTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, func(tx *sql.Tx) error {
		t, err := d.transfer(ctx, tx, id)
		if err != nil {
			return err
		}
		p = &Proof{Transfer: t}
		of, err := time.Parse(day, t.Day)
		if err != nil {
			return err
		}
		closing, err := d.q.ClosingGet(ctx, tx, of)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("transfer %d: %w", id, errNotSigned)
		}
		if err != nil {
			return err
		}
		last, err := d.q.LastClosing(ctx, tx)
		if err != nil {
			return err
		}
		if p.Leaf, err = d.q.TransferPlace(ctx, tx, db.TransferPlaceParams{Day: of, ID: id}); err != nil {
			return err
		}
		p.Leaf += closing.TreeSize - closing.Transfers
		p.Checkpoint = last.Checkpoint
		p.Proof, err = tlog.ProveRecord(last.TreeSize, p.Leaf, d.hashes(ctx, tx))
		return err
	})
	return p, err
}

// ProveConsistency proves that the checkpoint of a day continues that of an earlier one. Days are midnight UTC.
func (d *Desk) ProveConsistency(ctx context.Context, older, newer time.Time) (*Proof, error) {
	var p *Proof
	err := d.inTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, func(tx *sql.Tx) error {
		a, errA := d.q.ClosingGet(ctx, tx, older)
		b, errB := d.q.ClosingGet(ctx, tx, newer)
		for _, x := range []struct {
			err error
			day time.Time
		}{{errA, older}, {errB, newer}} {
			if errors.Is(x.err, sql.ErrNoRows) {
				return fmt.Errorf("%s: %w", x.day.Format(day), errNotSigned)
			}
		}
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		if a.TreeSize > b.TreeSize || older.After(newer) {
			return fmt.Errorf("%w: %s is after %s", ErrDay, older.Format(day), newer.Format(day))
		}
		p = &Proof{Older: a.Checkpoint, Checkpoint: b.Checkpoint, Proof: []tlog.Hash{}}
		if a.TreeSize == 0 {
			return nil // everything continues nothing
		}
		var err error
		p.Proof, err = tlog.ProveTree(b.TreeSize, a.TreeSize, d.hashes(ctx, tx))
		return err
	})
	return p, err
}

// ReadProof reads a proof as it was printed.
func ReadProof(text []byte) (*Proof, error) {
	p := &Proof{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("it is not a proof as stockd prove prints it: %w", err)
	}
	if (p.Transfer == nil) == (p.Older == "") {
		return nil, errors.New("it is not a proof as stockd prove prints it: it has a transfer or an older checkpoint, one of them")
	}
	return p, nil
}

// Verify checks a proof with nothing but the closer's public key. It returns the checkpoint that the proof is of. Errors: ErrCheckpoint, ErrProof.
func (p *Proof) Verify(key note.Verifier) (*Checkpoint, error) {
	c, err := OpenCheckpoint(p.Checkpoint, key)
	if err != nil {
		return nil, err
	}
	if p.Transfer == nil {
		older, err := OpenCheckpoint(p.Older, key)
		if err != nil {
			return nil, fmt.Errorf("the older one: %w", err)
		}
		if older.Size == 0 && older.Root == emptyRoot {
			return c, nil
		}
		if err := tlog.CheckTree(p.Proof, c.Size, c.Root, older.Size, older.Root); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProof, err)
		}
		return c, nil
	}
	leaf, err := p.Transfer.Leaf()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := tlog.CheckRecord(p.Proof, c.Size, c.Root, p.Leaf, tlog.RecordHash(leaf)); err != nil {
		return nil, fmt.Errorf("%w: %w; the transfer, or the proof, is not what was signed", ErrProof, err)
	}
	return c, nil
}
