package finance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
	"ticketrush/ledger/money"
)

// Table is one table of the finance page. Cells are text; amounts are in major units, with their currency in the row.
type Table struct {
	ID      string     `json:"id"`
	Title   string     `json:"title"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	Leads   []string   `json:"leads,omitempty"` // of each row what Detail tells more about: "order ID", "payment PROVIDER REF" or "series NAME"
	More    bool       `json:"more,omitempty"`  // there are more rows than are shown
}

// Sale is what was sold, and what went back, in a while that begins at At.
type Sale struct {
	At       time.Time `json:"at"`
	Currency string    `json:"currency"`
	Sold     int64     `json:"sold_minor"`
	Refunded int64     `json:"refunded_minor"`
}

// Overview is what the finance page shows.
type Overview struct {
	At        time.Time      `json:"at"`
	Tables    []Table        `json:"tables"`
	Sales     []Sale         `json:"sales"`
	WidthS    int64          `json:"sales_width_s"` // seconds of one Sale
	Exponents map[string]int `json:"exponents"`     // decimal digits of each currency
}

// ErrNoDetail says that there is nothing to be told.
var ErrNoDetail = errors.New("no order, payment or series of invoices that the ledger knows")

// pageRows is how many rows a table of the page shows.
const pageRows = 100

// Overview reads what the page shows, in one snapshot. On a large ledger it takes seconds.
func (d *Desk) Overview(ctx context.Context, now time.Time) (*Overview, error) {
	o := &Overview{At: now.UTC(), Sales: []Sale{}, Exponents: map[string]int{}}
	err := d.onSnapshot(ctx, func(tx *sql.Tx) error {
		for _, t := range []struct{ id, title, query string }{
			{"days", "Business days", db.FinanceDays},
			{"settlement", "Settlement breaks", db.FinanceSettlementBreaks},
			{"orders", "Orders whose money does not fit", db.FinanceOrderBreaks},
			{"seats", "Seats that do not fit their order", db.FinanceSeatBreaks},
			{"invoices", "Invoices that are missing or do not fit", db.FinanceInvoiceBreaks},
			{"clearing", "Clearing accounts", db.FinanceClearing},
			{"trial", "Trial balance", db.FinanceTrialBalance},
			{"series", "Invoices", db.FinanceInvoiceSeries},
		} {
			table, err := readTable(ctx, tx, t.id, t.title, t.query, pageRows+1)
			if err != nil {
				return err
			}
			o.Tables = append(o.Tables, *table)
		}
		span, err := d.q.FinanceSpan(ctx, tx)
		if err != nil {
			return err
		}
		o.WidthS = saleWidth(span)
		sales, err := d.q.FinanceSales(ctx, tx, o.WidthS)
		for _, s := range sales {
			o.Sales = append(o.Sales, Sale{At: time.Unix(s.At, 0).UTC(), Currency: s.Currency, Sold: s.Sold, Refunded: s.Refunded})
			if e, err := money.Exponent(s.Currency); err == nil {
				o.Exponents[s.Currency] = e
			}
		}
		return err
	})
	return o, err
}

// saleWidth is over which while sales are summed up, so that a chart has some hundred points at most: seconds.
func saleWidth(span int64) int64 {
	for _, w := range []int64{1, 10, 60, 600, 3600, 6 * 3600} {
		if span/w <= 300 {
			return w
		}
	}
	return 24 * 3600
}

// Detail tells all about an order, or about a payment and the order that it is for: history, seats, movements, payments, invoices, what the provider told,
// postings and settlement lines; or which documents a series of invoices has beside its gaps, and at its end. of is what a table leads to. ErrNoDetail when
// there is nothing.
func (d *Desk) Detail(ctx context.Context, of string) ([]Table, error) {
	var tables []Table
	err := d.onSnapshot(ctx, func(tx *sql.Tx) error {
		words := strings.SplitN(of, " ", 3)
		var order uuid.UUID
		var provider, ref string
		var err error
		switch {
		case len(words) == 2 && words[0] == "order":
			if order, err = uuid.Parse(words[1]); err != nil {
				return ErrNoDetail
			}
		case len(words) == 3 && words[0] == "payment":
			provider, ref = words[1], words[2]
			order, err = d.q.PaymentOrder(ctx, tx, db.PaymentOrderParams{Provider: provider, Ref: ref})
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		case len(words) == 2 && words[0] == "series":
			documents, err := readTable(ctx, tx, "documents", "Documents of "+words[1]+" beside what is missing, and the last", db.DetailSeries, words[1], pageRows+1)
			if err == nil {
				tables = append(tables, *documents)
			}
			return err
		default:
			return ErrNoDetail
		}
		if order != uuid.Nil {
			if tables, err = d.orderTables(ctx, tx, order); err != nil {
				return err
			}
		}
		for _, p := range paymentsOf(tables, provider, ref) {
			more, err := d.paymentTables(ctx, tx, p[0], p[1], order == uuid.Nil)
			if err != nil {
				return err
			}
			tables = append(tables, more...)
		}
		return nil
	})
	if err == nil && empty(tables) {
		return nil, ErrNoDetail
	}
	return tables, err
}

func empty(tables []Table) bool {
	for _, t := range tables {
		if len(t.Rows) > 0 {
			return false
		}
	}
	return true
}

// paymentsOf are provider and reference of the payments in an order's tables, or the one that was asked for.
func paymentsOf(tables []Table, provider, ref string) (all [][2]string) {
	for _, t := range tables {
		if t.ID != "payments" {
			continue
		}
		for _, r := range t.Rows {
			all = append(all, [2]string{r[0], r[1]})
		}
	}
	if len(all) == 0 && provider != "" {
		all = append(all, [2]string{provider, ref})
	}
	return all
}

func (d *Desk) orderTables(ctx context.Context, tx *sql.Tx, order uuid.UUID) ([]Table, error) {
	var tables []Table
	for _, t := range []struct{ id, title, query string }{
		{"order", "Order", db.DetailOrder}, {"history", "History", db.DetailHistory}, {"seats", "Seats", db.DetailSeats}, {"movements", "Movements of its seats", db.DetailMovements},
		{"payments", "Payments", db.DetailPayments}, {"transfers", "Postings", db.DetailTransfers}, {"invoices", "Invoices", db.DetailInvoices},
	} {
		table, err := readTable(ctx, tx, t.id, t.title, t.query, order)
		if err != nil {
			return nil, err
		}
		tables = append(tables, *table)
	}
	return tables, nil
}

func (d *Desk) paymentTables(ctx context.Context, tx *sql.Tx, provider, ref string, orphan bool) ([]Table, error) {
	var tables []Table
	for _, t := range []struct{ id, title, query string }{
		{"facts", "What " + provider + " told about " + ref, db.DetailFacts}, {"orphan", "Postings", db.DetailOrphanTransfers},
		{"lines", "What " + provider + " settled for " + ref, db.DetailSettlement},
	} {
		if t.id == "orphan" && !orphan {
			continue
		}
		table, err := readTable(ctx, tx, t.id, t.title, t.query, provider, ref)
		if err != nil {
			return nil, err
		}
		tables = append(tables, *table)
	}
	return tables, nil
}

// onSnapshot runs f on one snapshot, with times in UTC.
func (d *Desk) onSnapshot(ctx context.Context, f func(tx *sql.Tx) error) error {
	return d.inTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'"); err != nil {
			return err
		}
		return f(tx)
	})
}

// readTable reads a query of which every column is text. Where a column ends in _minor it is written in major units of the column currency.
func readTable(ctx context.Context, tx *sql.Tx, id, title, query string, args ...any) (*Table, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", title, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	t := &Table{ID: id, Title: title, Columns: []string{}, Rows: [][]string{}}
	currency := -1
	for i, n := range names {
		if n == "currency" {
			currency = i
		}
		if n != "detail" {
			t.Columns = append(t.Columns, strings.ReplaceAll(strings.TrimSuffix(n, "_minor"), "_", " "))
		}
	}
	cells := make([]string, len(names))
	into := make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("%s: %w", title, err)
		}
		if len(t.Rows) == pageRows && strings.Contains(query, "LIMIT") {
			t.More = true
			break
		}
		row := make([]string, 0, len(t.Columns))
		for i, n := range names {
			if n == "detail" {
				t.Leads = append(t.Leads, cells[i])
				continue
			}
			if minor, err := strconv.ParseInt(cells[i], 10, 64); err == nil && strings.HasSuffix(n, "_minor") {
				row = append(row, money.Format(minor, cells[currency]))
				continue
			}
			row = append(row, cells[i])
		}
		t.Rows = append(t.Rows, row)
	}
	return t, rows.Err()
}
