package ledger

import (
	"context"
	"encoding/json"
	"time"

	"ticketrush/ledger/db"
)

// Sales is what was sold of some seats: how many are held, being paid and sold, and what the sold ones cost, in minor units.
type Sales struct {
	Held, Paying, Sold, Amount int64
}

// SegmentSales is what was sold of a segment.
type SegmentSales struct {
	Segment       int32
	Section, Name string
	Capacity      int64
	Sales
}

// SegmentSales reads what was sold of each segment of an event, in their order.
func (l *DB) SegmentSales(ctx context.Context, event int32) ([]SegmentSales, error) {
	rows, err := l.q.SegmentSales(ctx, l.short, event)
	out := make([]SegmentSales, len(rows))
	for i, r := range rows {
		out[i] = SegmentSales{
			Segment: r.Segment, Section: r.Section, Name: r.Name, Capacity: int64(r.Capacity),
			Sales: Sales{Held: int64(r.Held), Paying: int64(r.Paying), Sold: int64(r.Sold), Amount: r.Amount},
		}
	}
	return out, explain(err)
}

// TariffSales is what was sold of a category at a type of ticket, both by number.
type TariffSales struct {
	Category, Type int16
	Sales
}

// TariffSales reads what was sold of an event at each of its prices.
func (l *DB) TariffSales(ctx context.Context, event int32) ([]TariffSales, error) {
	rows, err := l.q.TariffSales(ctx, l.short, event)
	out := make([]TariffSales, len(rows))
	for i, r := range rows {
		out[i] = TariffSales{Category: r.Category, Type: r.Type, Sales: Sales{Held: r.Held, Paying: r.Paying, Sold: r.Sold, Amount: r.Amount}}
	}
	return out, explain(err)
}

// AuditEntry is what somebody did, as Audit wrote it down.
type AuditEntry struct {
	ID                     int64
	At                     time.Time
	Actor, Action, Subject string
	Detail                 json.RawMessage // nil: none
	From                   string          // an address; empty: not known
}

// AuditOf reads entries of the log about an event, its holds, orders and tickets, after one of them, oldest first. subject is what the log calls the event.
func (l *DB) AuditOf(ctx context.Context, event int32, subject string, after int64, most int) ([]AuditEntry, error) {
	rows, err := l.q.AuditOfEvent(ctx, l.short, db.AuditOfEventParams{After: after, Event: event, Subject: subject, MaxRows: int32(most)})
	out := make([]AuditEntry, len(rows))
	for i, r := range rows {
		out[i] = AuditEntry{ID: r.ID, At: r.At, Actor: r.Actor, Action: r.Action, Subject: r.Subject}
		if r.Detail.Valid {
			out[i].Detail = r.Detail.RawMessage
		}
		if r.FromAddr.Valid {
			out[i].From = r.FromAddr.IPNet.IP.String()
		}
	}
	return out, explain(err)
}
