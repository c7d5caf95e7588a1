package api

import (
	"context"
	"errors"
	"time"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// stubTickets answers for tickets what a test tells it to. What changes mean is tested against Postgres, in stockd/order and at the cluster's end to end.
type stubTickets struct {
	rules   TicketRules
	changes map[stock.SeatID]LineChanges
	wish    NameWish
	account string
	answer  Ticket
	offer   Offer
	refuse  error
	again   bool
	given   *Ticket // one that changed hands
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

func (o *stubTickets) CancelOffer(context.Context, uuid.UUID, uuid.UUID) (bool, error) {
	return o.again, o.refuse
}

func (o *stubTickets) AcceptOffer(_ context.Context, _, account string, _ stock.Request) (Ticket, bool, error) {
	o.account = account
	return o.answer, o.again, o.refuse
}

func (o *stubTickets) TicketToken(id uuid.UUID) string { return "st1." + id.String() }

func (o *stubTickets) CheckTicketToken(text string, id uuid.UUID) error {
	if text != o.TicketToken(id) {
		return errors.New("wrong token")
	}
	return nil
}
