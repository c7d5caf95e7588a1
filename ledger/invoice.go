package ledger

import (
	"context"
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

// OrdersToInvoice are at most count orders that lack a document, after one in order of id.
func (l *DB) OrdersToInvoice(ctx context.Context, after uuid.UUID, count int32) ([]uuid.UUID, error) {
	ids, err := l.q.OrdersToInvoice(ctx, l.short, db.OrdersToInvoiceParams{After: after, Count: count})
	return ids, explain(err)
}

// InvoiceIssuerSet says what stands at the top of the documents of a series from now on: name, address and tax number, in lines.
func (l *DB) InvoiceIssuerSet(ctx context.Context, series, issuer string) error {
	return explain(l.q.InvoiceIssuerSet(ctx, l.short, db.InvoiceIssuerSetParams{Series: series, Issuer: issuer}))
}

// InvoiceGaps are the series whose numbers have a gap: none, unless somebody wrote to the table.
func (l *DB) InvoiceGaps(ctx context.Context) ([]string, error) {
	list, err := l.q.InvoiceGaps(ctx, l.short)
	return list, explain(err)
}
