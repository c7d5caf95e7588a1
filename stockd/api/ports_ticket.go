package api

import (
	"context"
	"time"

	"ticketrush/stockd/gate"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// Tickets is what the API needs of tickets after they were issued.
type Tickets interface {
	Tickets(ctx context.Context, order uuid.UUID) ([]Ticket, error)
	Ticket(ctx context.Context, id uuid.UUID) (Ticket, bool, error)
	TicketRules(ctx context.Context, event stock.EventID) (TicketRules, error)
	SetTicketRules(ctx context.Context, event stock.EventID, rules TicketRules) error
	// TicketChanges are how often the tickets of an order's lines were renamed and given away.
	TicketChanges(ctx context.Context, order uuid.UUID) (map[stock.SeatID]LineChanges, error)
	// NameTicket, OfferTicket, ShowOffer, CancelOffer and AcceptOffer may refuse with a TicketRefused; again says that it was done before.
	NameTicket(ctx context.Context, wish NameWish) (t Ticket, again bool, err error)
	OfferTicket(ctx context.Context, ticket uuid.UUID, req stock.Request, expires time.Time) (o Offer, again bool, err error)
	// ShowOffer finds the offer of a code, with what it is of; what could not be accepted now is refused.
	ShowOffer(ctx context.Context, code string) (Offer, error)
	CancelOffer(ctx context.Context, ticket, offer uuid.UUID) (again bool, err error)
	AcceptOffer(ctx context.Context, code, account string, req stock.Request) (t Ticket, again bool, err error)
	// TicketToken is the bearer token of a ticket that changed hands.
	TicketToken(ticket uuid.UUID) string
	CheckTicketToken(text string, ticket uuid.UUID) error

	// Invoices are an order's invoice and credit notes, made now where they are missing.
	Invoices(ctx context.Context, order uuid.UUID) ([]Invoice, error)
	// OrderLink opens an order on another device until a time; OpenOrderLink reads it: ErrLink, ErrLinkOver.
	OrderLink(order uuid.UUID, until time.Time) string
	OpenOrderLink(text string, now time.Time) (uuid.UUID, error)

	// TicketKeys are the public keys that tickets are checked with.
	TicketKeys() order.TicketKeys
	GateTickets(ctx context.Context, event stock.EventID) ([]GateTicket, error)
	// GateTicket is one of them, and why it is void when it is; ErrNotFound when there is none.
	GateTicket(ctx context.Context, id uuid.UUID) (t GateTicket, void string, err error)
	// Revoked are at most count void tickets after a place in the list.
	Revoked(ctx context.Context, event stock.EventID, after time.Time, afterID uuid.UUID, count int) ([]RevokedTicket, error)
	CheckIn(ctx context.Context, event stock.EventID, ticket uuid.UUID, gate string, apiKey uuid.UUID, req stock.Request) (CheckinVerdict, error)
	CheckInLate(ctx context.Context, event stock.EventID, scans []gate.Scan, apiKey uuid.UUID) ([]CheckinVerdict, error)
}

// Invoice is an invoice, or a credit note for a refund of lines.
type Invoice struct {
	Series   string
	Number   int64
	Kind     string // invoice, credit_note
	Refund   uuid.UUID
	Currency string
	Net, Tax int64
	Issuer   string
	At       time.Time
	Seats    []stock.SeatID // of a credit note
}

// GateTicket is a ticket as gates take it along.
type GateTicket struct {
	ID             uuid.UUID
	Seat           stock.SeatID
	Code           string
	Holder         string // empty: none, or erased
	Document, Salt []byte
}

// RevokedTicket is a void ticket.
type RevokedTicket struct {
	ID       uuid.UUID
	VoidedAt time.Time
	Reason   string
}

// CheckinVerdict is what the ledger knows of a scan.
type CheckinVerdict struct {
	Known      bool   // the event has such a ticket
	VoidReason string // empty: it is valid
	Again      bool   // it was scanned before
	First      gate.Scan
}

// Ticket is a ticket with its code.
type Ticket struct {
	ID, Order   uuid.UUID
	Event       stock.EventID
	Seat        stock.SeatID
	Type        int16
	Code, State string
	VoidReason  string // of a void one: refunded, reissued, transferred, charged_back, cancelled
	Transferred bool   // it is opened by its own token, not by its order's
	Named       bool
	Holder      string    // whom it is bound to; empty when they were erased
	Offer       uuid.UUID // that is open
	OfferEnds   time.Time
	OfferCode   string
}

// TicketRules are what holds for the tickets of an event.
type TicketRules struct {
	Names       string // none, optional, required
	NameChanges int32
	Transfers   int32
	ChangesEnd  time.Duration // so long before the event begins both end
}

// LineChanges is how often the ticket of a line was given another name, and to another owner.
type LineChanges struct{ Renamed, Transferred int32 }

// NameWish binds a ticket to somebody.
type NameWish struct {
	Ticket      uuid.UUID
	Request     stock.Request
	Name        string
	Document    uuid.UUID // a keyed hash; zero: none
	DocumentMax int32     // tickets of the event for one document; 0: any number
	Force       bool      // without deadline and limit
}

// Offer is an offer of a ticket to whoever has its code.
type Offer struct {
	ID, Ticket uuid.UUID
	Code       string
	State      string // open, accepted, cancelled
	ExpiresAt  time.Time
	Event      stock.EventID // of the ticket, as all that follow; of an offer that was found by its code
	Seat       stock.SeatID
	Type       int16
}

// TicketRefused says why a ticket stays as it is.
type TicketRefused struct{ Reason TicketReason }

func (e *TicketRefused) Error() string { return "the ticket stays as it is: " + string(e.Reason) }

// TicketReason is the member reason of the problem ticket-refused.
type TicketReason string

// The reasons.
const (
	TicketVoid          TicketReason = "void"
	TicketOrder         TicketReason = "order"
	TicketNoNames       TicketReason = "no-names"
	TicketTooLate       TicketReason = "too-late"
	TicketTooOften      TicketReason = "too-often"
	TicketDocument      TicketReason = "document-limit"
	TicketOfferOpen     TicketReason = "offer-open"
	TicketOfferAccepted TicketReason = "offer-accepted"
	TicketOfferOver     TicketReason = "offer-over"
)

// ticketReasons are what people are told.
var ticketReasons = map[TicketReason]string{
	TicketVoid:          "The ticket is void: it was given away, replaced or refunded. Look at the order's tickets for the one in its place.",
	TicketOrder:         "The order is under dispute, or has ended; its tickets stay as they are.",
	TicketNoNames:       "The tickets of this event carry no names.",
	TicketTooLate:       "It is too late: the event's deadline for changes of tickets is over. Ask the organiser.",
	TicketTooOften:      "The ticket was changed as often as the event allows. Ask the organiser.",
	TicketDocument:      "There are as many tickets of this event for this document as it may have.",
	TicketOfferOpen:     "The ticket is offered already. Take that offer back first.",
	TicketOfferAccepted: "The offer was accepted; its code works once.",
	TicketOfferOver:     "The offer has ended: its time is over, or it was taken back. Ask for a new one.",
}
