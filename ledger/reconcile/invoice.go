package reconcile

import (
	"context"
	"fmt"

	"ticketrush/ledger/db"
)

// invoiceChecks compare invoices with each other and with what was sold. An order that has none yet is no break: it gets one when somebody asks for it.
var invoiceChecks = []check{
	{"invoices", "their numbers have no gap, and each says what its order's lines say", checkInvoices},
}

func checkInvoices(ctx context.Context, r *reconciler) error {
	n, err := r.q.InvoiceCount(ctx, r.tx)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.BreaksOfInvoices(ctx, r.tx, db.BreaksOfInvoicesParams{Event: r.event, Count: r.limit()})
	for _, b := range rows {
		switch {
		case b.Problem == "missing" && b.Number == b.Until:
			r.broken("series "+b.Series, "number %d is missing", b.Number)
		case b.Problem == "missing":
			r.broken("series "+b.Series, "numbers %d to %d are missing", b.Number, b.Until)
		case b.Problem == "counter":
			r.broken("series "+b.Series, "its counter is at %d, and a document has the number %d: numbers would be given out again", b.Number, b.Until)
		default:
			r.broken(fmt.Sprintf("invoice %s %d", b.Series, b.Number), "it says %d and %d tax in %s, what it is for is %d and %d tax (order %s)", b.Net, b.Tax, b.Currency, b.LinesNet, b.LinesTax, b.OrderID.UUID)
		}
	}
	return err
}
