package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/finance"
	"ticketrush/stockd/api"
	"ticketrush/stockd/stock"
)

// overviewFor is how long the finance page is shown what was read before: it reads the whole ledger, and several people may look.
const overviewFor = 10 * time.Second

// books is what the API reads about money.
type books struct {
	desk   *finance.Desk
	ledger *ledger.DB

	mu   sync.Mutex // guards what follows; held while it is read, so that those who ask meanwhile share the answer
	at   time.Time
	last *finance.Overview
}

func newBooks(l *ledger.DB) *books { return &books{desk: finance.New(l), ledger: l} }

// Overview implements api.Finance.
func (b *books) Overview(ctx context.Context) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.last != nil && now.Sub(b.at) < overviewFor {
		return b.last, nil
	}
	o, err := b.desk.Overview(ctx, now)
	if err != nil {
		return nil, err
	}
	b.at, b.last = now, o
	return o, nil
}

// Detail implements api.Finance.
func (b *books) Detail(ctx context.Context, of string) (any, error) {
	tables, err := b.desk.Detail(ctx, of)
	if errors.Is(err, finance.ErrNoDetail) {
		return nil, api.ErrNoDetail
	}
	return tables, err
}

// Export implements api.Finance.
func (b *books) Export(ctx context.Context, kind, format string, from, to time.Time, w io.Writer) error {
	_, err := b.desk.Export(ctx, finance.ExportOptions{Kind: kind, Format: format, From: from, To: to}, w)
	if errors.Is(err, finance.ErrExport) {
		return fmt.Errorf("%w: %w", api.ErrNoExport, err)
	}
	return err
}

// SegmentSales implements api.Finance.
func (b *books) SegmentSales(ctx context.Context, event stock.EventID) ([]api.SegmentSales, error) {
	rows, err := b.ledger.SegmentSales(ctx, int32(event))
	out := make([]api.SegmentSales, len(rows))
	for i, r := range rows {
		out[i] = api.SegmentSales{
			Segment: stock.SegmentNo(r.Segment), Section: r.Section, Name: r.Name,
			Sales: api.Sales{Seats: r.Capacity, Held: r.Held, Paying: r.Paying, Sold: r.Sold, Amount: r.Amount},
		}
	}
	return out, apiError(err)
}

// TariffSales implements api.Finance.
func (b *books) TariffSales(ctx context.Context, event stock.EventID) ([]api.TariffSales, error) {
	rows, err := b.ledger.TariffSales(ctx, int32(event))
	out := make([]api.TariffSales, len(rows))
	for i, r := range rows {
		out[i] = api.TariffSales{
			Category: r.Category, Type: r.Type,
			Sales: api.Sales{Seats: r.Held + r.Paying + r.Sold, Held: r.Held, Paying: r.Paying, Sold: r.Sold, Amount: r.Amount},
		}
	}
	return out, apiError(err)
}
