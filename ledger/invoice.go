package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// Invoice is an invoice for an order, or a credit note for a refund of lines of it. It never changes.
type Invoice struct {
	Series   string // of numbers without a gap: the organiser, or house
	Number   int64
	Kind     string    // invoice, credit_note
	Refund   uuid.UUID // of a credit note
	Currency string
	Net, Tax int64 // minor units of Currency
	Issuer   string
	At       time.Time
	Seats    []int64 // of a credit note: the lines that it is for
}

// InvoicesMake makes the documents that an order lacks and says how many they were. The number of each is taken in the transaction that makes it.
func (l *DB) InvoicesMake(ctx context.Context, order uuid.UUID, now time.Time) (int32, error) {
	n, err := l.q.InvoicesMake(ctx, l.short, db.InvoicesMakeParams{OrderID: order, Now: now})
	return n, explain(err)
}

// InvoicesOfOrder are an order's documents, the invoice first; none before they were made.
func (l *DB) InvoicesOfOrder(ctx context.Context, order uuid.UUID) ([]Invoice, error) {
	rows, err := l.q.InvoicesOfOrder(ctx, l.short, order)
	if err != nil {
		return nil, explain(err)
	}
	lines, err := l.q.LinesOfOrder(ctx, l.short, order)
	if err != nil {
		return nil, explain(err)
	}
	out := make([]Invoice, 0, len(rows))
	for _, r := range rows {
		i := Invoice{Series: r.Series, Number: r.Number, Kind: r.Kind, Refund: r.Refund.UUID, Currency: r.Currency, Net: r.Net, Tax: r.Tax, Issuer: r.Issuer, At: r.At}
		for _, l := range lines {
			if r.Refund.Valid && l.Refund == r.Refund {
				i.Seats = append(i.Seats, l.Seat)
			}
		}
		out = append(out, i)
	}
	return out, nil
}

// invoiceBatch is how many orders get their documents in one commit: meanwhile nobody else gets a number of the same series.
const invoiceBatch = 100

// ErrInvoicing says that another process makes invoices just now.
var ErrInvoicing = errors.New("another process makes invoices just now")

// InvoicesDue makes the documents of all orders that lack one, a hundred orders in a commit, and says how many it made. One process does it at a time: with
// wait the others wait, without they are told ErrInvoicing. Orders that somebody works on are left to the next call.
func (l *DB) InvoicesDue(ctx context.Context, wait bool, now time.Time) (made int, err error) {
	for after := uuid.Nil; ; {
		r, err := l.q.InvoicesDue(ctx, l.pool, db.InvoicesDueParams{After: after, Count: invoiceBatch, Wait: wait, Now: now})
		switch {
		case err != nil:
			return made, explain(err)
		case r.Made < 0:
			return made, ErrInvoicing
		}
		made += int(r.Made)
		if after = r.LastOrder; after == uuid.Nil {
			return made, nil
		}
	}
}

// InvoiceIssuerSet says what stands at the top of the documents of a series from now on: name, address and tax number, in lines.
func (l *DB) InvoiceIssuerSet(ctx context.Context, series, issuer string) error {
	return explain(l.q.InvoiceIssuerSet(ctx, l.short, db.InvoiceIssuerSetParams{Series: series, Issuer: issuer}))
}
