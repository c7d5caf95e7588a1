package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/api"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// Tickets are the tickets of an order.
func (p *orderPort) Tickets(ctx context.Context, id uuid.UUID) (out []api.Ticket, err error) {
	list, err := p.Service.Tickets(ctx, id)
	for i := range list {
		out = append(out, p.ticketOf(&list[i]))
	}
	return out, orderError(err)
}

// Ticket reads one ticket.
func (p *orderPort) Ticket(ctx context.Context, id uuid.UUID) (api.Ticket, bool, error) {
	t, err := p.Service.Ticket(ctx, id)
	if errors.Is(err, order.ErrNotFound) {
		return api.Ticket{}, false, nil
	}
	if err != nil {
		return api.Ticket{}, false, orderError(err)
	}
	return p.ticketOf(&t), true, nil
}

// TicketRules are what holds for the tickets of an event.
func (p *orderPort) TicketRules(ctx context.Context, event stock.EventID) (api.TicketRules, error) {
	r, err := p.Service.TicketRules(ctx, int32(event))
	return api.TicketRules(r), orderError(err)
}

// SetTicketRules writes them.
func (p *orderPort) SetTicketRules(ctx context.Context, event stock.EventID, r api.TicketRules) error {
	return orderError(p.Service.SetTicketRules(ctx, int32(event), ledger.TicketRules(r)))
}

// TicketChanges are how often tickets of an order were changed, by seat.
func (p *orderPort) TicketChanges(ctx context.Context, id uuid.UUID) (map[stock.SeatID]api.LineChanges, error) {
	found, err := p.Service.TicketChanges(ctx, id)
	out := make(map[stock.SeatID]api.LineChanges, len(found))
	for seat, c := range found {
		out[stock.SeatID(seat)] = api.LineChanges(c)
	}
	return out, orderError(err)
}

// NameTicket binds a ticket to somebody.
func (p *orderPort) NameTicket(ctx context.Context, w api.NameWish) (api.Ticket, bool, error) {
	wish := order.NameWish{Ticket: w.Ticket, Request: requestID(w.Request), Fingerprint: w.Request.Fingerprint, Name: w.Name, DocumentMax: w.DocumentMax, Force: w.Force}
	if w.Document != uuid.Nil {
		wish.Document = w.Document[:]
	}
	t, again, err := p.Service.NameTicket(ctx, wish)
	if err != nil {
		return api.Ticket{}, false, orderError(err)
	}
	return p.ticketOf(&t), again, nil
}

// OfferTicket offers a ticket to whoever has the code.
func (p *orderPort) OfferTicket(ctx context.Context, ticket uuid.UUID, req stock.Request, expires time.Time) (api.Offer, bool, error) {
	o, again, err := p.Service.OfferTicket(ctx, ticket, requestID(req), expires)
	return api.Offer{ID: o.ID, Ticket: o.Ticket, Code: o.Code, State: o.State, ExpiresAt: o.ExpiresAt}, again, orderError(err)
}

// ShowOffer is the offer of a code.
func (p *orderPort) ShowOffer(ctx context.Context, code string) (api.Offer, error) {
	o, err := p.Service.ShowOffer(ctx, code)
	if err != nil {
		return api.Offer{}, orderError(err)
	}
	return api.Offer{ID: o.ID, Ticket: o.Ticket, State: o.State, ExpiresAt: o.ExpiresAt, Event: stock.EventID(o.Event), Seat: stock.SeatID(o.Seat), Type: o.Type}, nil
}

// CancelOffer takes an offer back.
func (p *orderPort) CancelOffer(ctx context.Context, ticket, offer uuid.UUID) (bool, error) {
	again, err := p.Service.CancelOffer(ctx, ticket, offer)
	return again, orderError(err)
}

// AcceptOffer gives the ticket of an offer to an account, of which the ledger keeps a pseudonym.
func (p *orderPort) AcceptOffer(ctx context.Context, code, account string, req stock.Request) (api.Ticket, bool, error) {
	t, again, err := p.Service.AcceptOffer(ctx, code, OwnerPseudonym(p.buyers, account), requestID(req))
	if err != nil {
		return api.Ticket{}, false, orderError(err)
	}
	return p.ticketOf(&t), again, nil
}

// TicketToken is the bearer token of a ticket that changed hands.
func (p *orderPort) TicketToken(id uuid.UUID) string { return p.tokens.New(order.PurposeTicket, id) }

// CheckTicketToken checks it.
func (p *orderPort) CheckTicketToken(text string, id uuid.UUID) error {
	return p.tokens.Check(order.PurposeTicket, text, id)
}

// requestID names a request in one id: who sends it, and under which key.
func requestID(r stock.Request) uuid.UUID {
	h := sha256.New()
	h.Write(r.Scope[:])
	h.Write(r.Key[:])
	return uuid.UUID(h.Sum(nil)[:16])
}

func (p *orderPort) ticketOf(t *ledger.Ticket) api.Ticket {
	state, code := "valid", ""
	if !t.VoidedAt.IsZero() {
		state = "void"
	}
	if t.Offer != uuid.Nil {
		code = p.OfferCode(t.Offer)
	}
	return api.Ticket{
		ID: t.ID, Order: t.OrderID, Event: stock.EventID(t.Event), Seat: stock.SeatID(t.Seat), Type: t.Type, Code: t.Code, State: state, VoidReason: t.VoidReason,
		Transferred: t.Transferred, Named: t.Named, Holder: t.Holder, Offer: t.Offer, OfferEnds: t.OfferEnds, OfferCode: code,
	}
}

// ticketRefused is the reason as the API calls it.
func ticketRefused(r *order.TicketRefused) error {
	reasons := map[ledger.TicketChange]api.TicketReason{
		ledger.ChangeVoid: api.TicketVoid, ledger.ChangeOrder: api.TicketOrder, ledger.ChangeNoNames: api.TicketNoNames, ledger.ChangeTooLate: api.TicketTooLate,
		ledger.ChangeTooOften: api.TicketTooOften, ledger.ChangeDocument: api.TicketDocument, ledger.ChangeOfferOpen: api.TicketOfferOpen,
		ledger.ChangeOfferAccepted: api.TicketOfferAccepted, ledger.ChangeOfferOver: api.TicketOfferOver,
	}
	if r.Why == ledger.ChangeOtherWish {
		return api.ErrTicketKeyReused
	}
	if reason, ok := reasons[r.Why]; ok {
		return &api.TicketRefused{Reason: reason}
	}
	return r
}
