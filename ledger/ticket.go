package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// Ticket is what lets somebody into an event.
type Ticket struct {
	ID          uuid.UUID
	OrderID     uuid.UUID
	Event       int32
	Seat        int64
	Type        int16
	Code        string
	IssuedAt    time.Time
	VoidedAt    time.Time // zero while it is valid
	VoidReason  string    // refunded, reissued, transferred, charged_back, cancelled; empty while it is valid
	Transferred bool      // it belongs to who accepted it, and no longer to its order's bearer
	Owner       string    // a pseudonym of their account; empty where there is none
	Label       string
	Category    int16
	Section     string
	SectionName string
	Named       bool   // it was bound to somebody
	Holder      string // to whom; empty when they were erased
	Document    []byte // a keyed hash of their document; nil: none
	Salt        []byte // what the code's hash of them begins with; nil when they were erased
	Offer       uuid.UUID
	OfferEnds   time.Time // of the offer that is open; zero without one
}

// TicketsOfOrder are the tickets of an order, void ones among them, in order of seat and time; none before it is issued.
func (l *DB) TicketsOfOrder(ctx context.Context, order uuid.UUID) ([]Ticket, error) {
	rows, err := l.q.TicketsOfOrder(ctx, l.short, order)
	if err != nil {
		return nil, explain(err)
	}
	tickets := make([]Ticket, 0, len(rows))
	for _, r := range rows {
		tickets = append(tickets, ticket(db.TicketGetRow(r)))
	}
	return tickets, nil
}

// TicketGet reads a ticket; ErrNotFound when there is none.
func (l *DB) TicketGet(ctx context.Context, id uuid.UUID) (Ticket, error) {
	r, err := l.q.TicketGet(ctx, l.short, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Ticket{}, ErrNotFound
	}
	return ticket(r), explain(err)
}

func ticket(r db.TicketGetRow) Ticket {
	return Ticket{ID: r.ID, OrderID: r.OrderID, Event: r.Event, Seat: r.Seat, Type: r.Type, Code: r.Code, IssuedAt: r.IssuedAt, VoidedAt: r.VoidedAt.Time,
		VoidReason: r.VoidReason, Transferred: r.Transferred, Owner: r.OwnerRef, Label: r.Label, Category: r.Category, Section: r.Section,
		SectionName: r.SectionName, Named: r.Named, Holder: r.Holder, Document: r.Document, Salt: r.Salt, Offer: r.Offer.UUID, OfferEnds: r.OfferExpiresAt.Time}
}

// EventForTickets is what a ticket's code says of its event.
func (l *DB) EventForTickets(ctx context.Context, event int32) (uid uuid.UUID, startsAt time.Time, err error) {
	r, err := l.q.EventForTickets(ctx, l.short, event)
	return r.Uid, r.StartsAt, explain(err)
}
