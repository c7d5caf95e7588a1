package api

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"ticketrush/stockd/gate"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// stubTickets answers for tickets what a test tells it to. What changes mean is tested against Postgres, in stockd/order and at the cluster's end to end.
type stubTickets struct {
	rules    TicketRules
	changes  map[stock.SeatID]LineChanges
	wish     NameWish
	account  string
	accepted stock.Request
	code     string // of the offer that was looked at
	answer   Ticket
	offer    Offer
	refuse   error
	again    bool
	given    *Ticket // one that changed hands
	keys     order.TicketKeys
	gate     []GateTicket
	revoked  []RevokedTicket
	verdict  CheckinVerdict
	late     []gate.Scan
	invoices []Invoice
}

func (o *stubTickets) TicketRules(context.Context, stock.EventID) (TicketRules, error) {
	return o.rules, nil
}

func (o *stubTickets) SetTicketRules(_ context.Context, _ stock.EventID, r TicketRules) error {
	o.rules = r
	return nil
}

func (o *stubTickets) TicketChanges(context.Context, uuid.UUID) (map[stock.SeatID]LineChanges, error) {
	return o.changes, nil
}

func (o *stubTickets) NameTicket(_ context.Context, w NameWish) (Ticket, bool, error) {
	o.wish = w
	return o.answer, o.again, o.refuse
}

func (o *stubTickets) OfferTicket(_ context.Context, _ uuid.UUID, _ stock.Request, expires time.Time) (Offer, bool, error) {
	o.offer.ExpiresAt = expires
	return o.offer, o.again, o.refuse
}

func (o *stubTickets) ShowOffer(_ context.Context, code string) (Offer, error) {
	o.code = code
	return o.offer, o.refuse
}

func (o *stubTickets) CancelOffer(context.Context, uuid.UUID, uuid.UUID) (bool, error) {
	return o.again, o.refuse
}

func (o *stubTickets) AcceptOffer(_ context.Context, _, account string, req stock.Request) (Ticket, bool, error) {
	o.account, o.accepted = account, req
	return o.answer, o.again, o.refuse
}

func (o *stubTickets) TicketToken(id uuid.UUID) string { return "st1." + id.String() }

func (o *stubTickets) CheckTicketToken(text string, id uuid.UUID) error {
	if text != o.TicketToken(id) {
		return errors.New("wrong token")
	}
	return nil
}

func (o *stubTickets) TicketKeys() order.TicketKeys { return o.keys }

func (o *stubTickets) GateTickets(context.Context, stock.EventID) ([]GateTicket, error) {
	return o.gate, nil
}

func (o *stubTickets) GateTicket(_ context.Context, id uuid.UUID) (GateTicket, string, error) {
	for _, t := range o.gate {
		if t.ID == id {
			return t, "", nil
		}
	}
	return GateTicket{}, "", ErrNotFound
}

func (o *stubTickets) Revoked(_ context.Context, _ stock.EventID, after time.Time, afterID uuid.UUID, count int) (out []RevokedTicket, _ error) {
	for _, t := range o.revoked {
		if c := t.VoidedAt.Compare(after); len(out) < count && (c > 0 || c == 0 && bytes.Compare(t.ID[:], afterID[:]) > 0) {
			out = append(out, t)
		}
	}
	return out, nil
}

func (o *stubTickets) CheckIn(context.Context, stock.EventID, uuid.UUID, string, uuid.UUID, stock.Request) (CheckinVerdict, error) {
	return o.verdict, o.refuse
}

func (o *stubTickets) CheckInLate(_ context.Context, _ stock.EventID, scans []gate.Scan, _ uuid.UUID) ([]CheckinVerdict, error) {
	o.late = scans
	return make([]CheckinVerdict, len(scans)), o.refuse
}

func (o *stubTickets) Invoices(context.Context, uuid.UUID) ([]Invoice, error) { return o.invoices, nil }

func (o *stubTickets) OrderLink(id uuid.UUID, until time.Time) string {
	return "sl1." + id.String() + "." + until.Format(time.RFC3339)
}

func (o *stubTickets) OpenOrderLink(text string, now time.Time) (uuid.UUID, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return uuid.Nil, ErrLink
	}
	until, err := time.Parse(time.RFC3339, parts[2])
	if err != nil || now.After(until) {
		return uuid.Nil, ErrLinkOver
	}
	return uuid.Parse(parts[1])
}
