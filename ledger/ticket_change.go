package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// TicketRules are what holds for the tickets of an event.
type TicketRules struct {
	Names       string        // none, optional, required
	NameChanges int32         // of each line, after the first name
	Transfers   int32         // of each line
	ChangesEnd  time.Duration // so long before the event begins both end
}

// TicketRules reads them; of an event that has none of its own, the defaults. ErrNotFound when there is no such event.
func (l *DB) TicketRules(ctx context.Context, event int32) (TicketRules, error) {
	r, err := l.q.TicketRulesGet(ctx, l.short, event)
	if errors.Is(err, sql.ErrNoRows) {
		return TicketRules{}, ErrNotFound
	}
	return TicketRules{Names: r.Names, NameChanges: r.NameChanges, Transfers: r.Transfers, ChangesEnd: time.Duration(r.ChangesEndS) * time.Second}, explain(err)
}

// TicketRulesSet writes the rules of an event. They hold at once, also for tickets that are issued already.
func (l *DB) TicketRulesSet(ctx context.Context, event int32, r TicketRules, now time.Time) error {
	return explain(l.q.TicketRulesSet(ctx, l.short, db.TicketRulesSetParams{
		Event: event, Names: r.Names, NameChanges: r.NameChanges, Transfers: r.Transfers, ChangesEndS: int32(r.ChangesEnd / time.Second), Now: now,
	}))
}

// TicketChange is what the ledger said to a change of a ticket.
type TicketChange int32

// What it may say. ChangeDone, ChangeAgain and ChangeSame are well; in all other cases nothing was changed.
const (
	ChangeNone          TicketChange = -1 // there is no such ticket, or offer
	ChangeDone          TicketChange = 0
	ChangeAgain         TicketChange = 1 // it was done before by this same request
	ChangeVoid          TicketChange = 2
	ChangeOrder         TicketChange = 3 // its order is under dispute, or has ended
	ChangeNoNames       TicketChange = 4 // the event's tickets have no names
	ChangeTooLate       TicketChange = 5
	ChangeTooOften      TicketChange = 6
	ChangeOtherWish     TicketChange = 7  // the id was used for another wish
	ChangeSame          TicketChange = 8  // it is as wished already
	ChangeDocument      TicketChange = 9  // the document has as many tickets of the event as it may
	ChangeOfferOpen     TicketChange = 10 // another offer is open
	ChangeOfferAccepted TicketChange = 11 // by another request
	ChangeOfferOver     TicketChange = 12 // it was taken back, or its time is over
)

// TicketName binds a ticket to somebody: it becomes void, and New takes its place.
type TicketName struct {
	Ticket, New uuid.UUID
	Code        string // of New
	Name        string
	Document    []byte // a keyed hash of 16 bytes; nil: none
	Salt        []byte // 16 random bytes, which the code's hash begins with
	DocumentMax int32  // tickets of the event for one document; 0: any number
	Force       bool   // without deadline and limit, for ops
	Fingerprint uuid.UUID
}

// TicketName carries it out. ChangeSame leaves the ticket as it is.
func (l *DB) TicketName(ctx context.Context, n TicketName, now time.Time) (TicketChange, error) {
	out, err := l.q.TicketName(ctx, l.short, db.TicketNameParams{Ticket: n.Ticket, NewID: n.New, Code: n.Code, Name: n.Name, Document: n.Document, Salt: n.Salt,
		DocumentMax: n.DocumentMax, Force: n.Force, Fingerprint: n.Fingerprint, Now: now})
	return TicketChange(out), explain(err)
}

// LineChanges is how often the ticket of a line was given another name, and to another owner.
type LineChanges struct{ Renamed, Transferred int32 }

// TicketChanges are those of an order's lines, by seat.
func (l *DB) TicketChanges(ctx context.Context, order uuid.UUID) (map[int64]LineChanges, error) {
	rows, err := l.q.TicketChangesOfOrder(ctx, l.short, order)
	out := make(map[int64]LineChanges, len(rows))
	for _, r := range rows {
		out[r.Seat] = LineChanges{r.Renamed, r.Transferred}
	}
	return out, explain(err)
}

// TicketSuccessor is the ticket that stands in the place of another now; the ticket itself when it was never replaced.
func (l *DB) TicketSuccessor(ctx context.Context, id uuid.UUID) (uuid.UUID, error) {
	last, err := l.q.TicketSuccessor(ctx, l.short, id)
	if errors.Is(err, sql.ErrNoRows) {
		return id, ErrNotFound
	}
	return last, explain(err)
}

// TicketOffer is an offer of a ticket to whoever has its code.
type TicketOffer struct {
	ID, Ticket uuid.UUID
	State      string // open, accepted, cancelled
	ExpiresAt  time.Time
	Order      uuid.UUID // of the ticket, as all that follow
	Event      int32
	Seat       int64
	Type       int16
	Void       bool // the ticket
	Changeable bool // its order lets tickets change: no dispute, and not ended
}

// TicketOfferInsert offers a ticket. Of the code only the SHA-256 is kept. The offer ends at the event's deadline at the latest.
func (l *DB) TicketOfferInsert(ctx context.Context, ticket, offer uuid.UUID, codeHash [32]byte, expires, now time.Time) (TicketChange, error) {
	out, err := l.q.TicketOfferInsert(ctx, l.short, db.TicketOfferInsertParams{Ticket: ticket, Offer: offer, CodeHash: codeHash[:], ExpiresAt: expires, Now: now})
	return TicketChange(out), explain(err)
}

// TicketOfferGet reads an offer; ErrNotFound when there is none.
func (l *DB) TicketOfferGet(ctx context.Context, id uuid.UUID) (TicketOffer, error) {
	r, err := l.q.TicketOfferGet(ctx, l.short, id)
	if errors.Is(err, sql.ErrNoRows) {
		return TicketOffer{}, ErrNotFound
	}
	return TicketOffer{ID: r.ID, Ticket: r.Ticket, State: r.State, ExpiresAt: r.ExpiresAt}, explain(err)
}

// TicketOfferByCode finds the offer of a code; ErrNotFound when there is none.
func (l *DB) TicketOfferByCode(ctx context.Context, codeHash [32]byte) (TicketOffer, error) {
	r, err := l.q.TicketOfferByCode(ctx, l.short, codeHash[:])
	if errors.Is(err, sql.ErrNoRows) {
		return TicketOffer{}, ErrNotFound
	}
	return TicketOffer{ID: r.ID, Ticket: r.Ticket, State: r.State, ExpiresAt: r.ExpiresAt, Order: r.OrderID, Event: r.Event, Seat: r.Seat, Type: r.Type,
		Void: r.Void, Changeable: r.Changeable}, explain(err)
}

// TicketOfferCancel takes an offer back.
func (l *DB) TicketOfferCancel(ctx context.Context, ticket, offer uuid.UUID, now time.Time) (TicketChange, error) {
	out, err := l.q.TicketOfferCancel(ctx, l.short, db.TicketOfferCancelParams{Ticket: ticket, Offer: offer, Now: now})
	return TicketChange(out), explain(err)
}

// TicketAccept accepts an offer: its ticket is void, and the new one, with its code, belongs to the owner, a pseudonym. request names who accepts, and by
// which request.
func (l *DB) TicketAccept(ctx context.Context, offer, newID uuid.UUID, code, owner string, request uuid.UUID, now time.Time) (TicketChange, error) {
	out, err := l.q.TicketAccept(ctx, l.short, db.TicketAcceptParams{Offer: offer, NewID: newID, Code: code, Owner: owner, Request: request, Now: now})
	return TicketChange(out), explain(err)
}
