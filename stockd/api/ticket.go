package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

type ticketDoc struct {
	ID         string    `json:"id"`
	Seat       string    `json:"seat"`
	Section    string    `json:"section"`
	Type       string    `json:"type"`
	Code       string    `json:"code"`
	State      string    `json:"state"`
	VoidReason string    `json:"void_reason,omitempty"`
	Holder     string    `json:"holder,omitempty"`
	NeedsName  bool      `json:"needs_name"`
	Offer      *offerDoc `json:"offer,omitempty"`
	Token      string    `json:"token,omitempty"`
	Event      string    `json:"event"`
	// What may still be done with it.
	NameChangesLeft int32  `json:"name_changes_left"`
	TransfersLeft   int32  `json:"transfers_left"`
	SVG             string `json:"svg"`
	PNG             string `json:"png"`
	PDF             string `json:"pdf"`
	Page            string `json:"page"`
}

type ticketsDoc struct {
	State   string      `json:"state"`
	Rules   rulesDoc    `json:"rules"`
	Page    string      `json:"page"`
	PDF     string      `json:"pdf"`
	Tickets []ticketDoc `json:"tickets"`
}

// States of a ticket.
const (
	ticketValid = "valid"
	ticketVoid  = "void"
)

// waitingStates are those of an order that may still get tickets.
var waitingStates = []string{"pending_payment", "paying", "paid", "stuck"}

// needsName says whether a ticket lets nobody in before it is bound to somebody.
func (r TicketRules) needsName(t *Ticket) bool {
	return r.Names == namesRequired && !t.Named && t.State == ticketValid
}

func (s *server) ticketDoc(ev *Event, rules TicketRules, t *Ticket, changes LineChanges) ticketDoc {
	id := prefixTicket + t.ID.String()
	at := "/v1/tickets/" + id
	doc := ticketDoc{ID: id, Seat: ev.label(t.Seat), Type: nameAt(ev.Types, t.Type), Code: t.Code, State: t.State, VoidReason: t.VoidReason, Holder: t.Holder,
		NeedsName: rules.needsName(t), Event: prefixEvent + ev.ID.String(), SVG: at + ".svg", PNG: at + ".png", PDF: at + ".pdf", Page: at + ".html"}
	if doc.NeedsName || t.State != ticketValid {
		doc.Code = ""
	}
	if t.State == ticketValid && s.Now().Before(rules.end(ev)) {
		doc.TransfersLeft = max(0, rules.Transfers-changes.Transferred)
		if rules.Names != namesNone {
			doc.NameChangesLeft = max(0, rules.NameChanges-changes.Renamed)
		}
	}
	if seg := ev.segment(t.Seat.Segment()); seg != nil {
		doc.Section = seg.Section
	}
	if t.Offer != uuid.Nil && s.Now().Before(t.OfferEnds) {
		doc.Offer = s.offerDoc(&Offer{ID: t.Offer, Code: t.OfferCode, State: "open", ExpiresAt: t.OfferEnds})
	}
	if t.Transferred {
		doc.Token = s.Orders.TicketToken(t.ID)
	}
	return doc
}

func (s *server) getTickets(w http.ResponseWriter, r *http.Request) error {
	order, ev, _, err := s.order(r)
	if err != nil {
		return err
	}
	tickets, err := s.ticketsOf(r, order.ID)
	if err != nil {
		return err
	}
	rules, err := s.Orders.TicketRules(r.Context(), ev.Number)
	if err != nil {
		return err
	}
	changes, err := s.Orders.TicketChanges(r.Context(), order.ID)
	if err != nil {
		return err
	}
	at := "/v1/orders/" + prefixOrder + order.ID.String() + "/tickets"
	doc := ticketsDoc{State: order.State, Rules: rulesOf(ev, rules), Page: at + ".html", PDF: at + ".pdf", Tickets: []ticketDoc{}}
	for i := range tickets {
		doc.Tickets = append(doc.Tickets, s.ticketDoc(ev, rules, &tickets[i], changes[tickets[i].Seat]))
	}
	if len(tickets) == 0 && slices.Contains(waitingStates, order.State) {
		w.Header().Set("Retry-After", "1")
		return answer(w, http.StatusAccepted, doc)
	}
	return answer(w, http.StatusOK, doc)
}

// ticketsOf are the tickets that an order's bearer is shown: not those that others have now, nor those that were replaced by one that is shown.
func (s *server) ticketsOf(r *http.Request, order uuid.UUID) ([]Ticket, error) {
	tickets, err := s.Orders.Tickets(r.Context(), order)
	return slices.DeleteFunc(tickets, func(t Ticket) bool { return t.Transferred || t.VoidReason == "reissued" }), err
}

// ticket reads a ticket that the bearer of the request may see: by the token of its order, or, once it changed hands, by its own.
func (s *server) ticket(r *http.Request, text string) (*Ticket, *Event, *Key, error) {
	id, ok := parseID(text, prefixTicket)
	if !ok {
		return nil, nil, nil, refuse(kindNotFound, "This is not the id of a ticket.")
	}
	ticket, found, err := s.Orders.Ticket(r.Context(), id)
	if err != nil {
		return nil, nil, nil, err
	}
	// Who has no token learns nothing about which tickets there are.
	if !found {
		return nil, nil, nil, refuse(kindNotYours, "Send the token of the ticket's order: X-Order-Token.")
	}
	key, err := s.mayTicket(r, &ticket)
	if err != nil {
		return nil, nil, nil, err
	}
	ev, ok := s.Node.EventByNumber(ticket.Event)
	if !ok {
		return nil, nil, nil, ErrMoving
	}
	return &ticket, ev, key, nil
}

func (s *server) mayTicket(r *http.Request, t *Ticket) (*Key, error) {
	if !t.Transferred {
		return s.mayOrder(r, t.Order)
	}
	if key, ok, err := s.apiKey(r); ok || err != nil {
		if err != nil || key.may(scopeOps) {
			return &key, err
		}
	}
	token := tokenOf(r, "X-Ticket-Token", prefixTicket+t.ID.String())
	if token == "" {
		return nil, refuse(kindNotYours, "The ticket changed hands. Send the token that came with it: X-Ticket-Token.")
	}
	if err := s.Orders.CheckTicketToken(token, t.ID); err != nil {
		return nil, refuse(kindNotYours, "The token is not of this ticket.").because(err)
	}
	return nil, nil
}

// answerTicket answers with a ticket; a browser gets the token of one that changed hands.
func (s *server) answerTicket(w http.ResponseWriter, r *http.Request, ev *Event, t *Ticket, status int) error {
	rules, err := s.Orders.TicketRules(r.Context(), ev.Number)
	if err != nil {
		return err
	}
	changes, err := s.Orders.TicketChanges(r.Context(), t.Order)
	if err != nil {
		return err
	}
	doc := s.ticketDoc(ev, rules, t, changes[t.Seat])
	if doc.Token != "" {
		s.setToken(w, r, doc.ID, doc.Token, s.Now().Add(orderCookieFor))
	}
	return answer(w, status, doc)
}

// ErrTicketKeyReused says that an idempotency key was used for another wish about the ticket.
var ErrTicketKeyReused = errors.New("the key was used for another wish")

// ticketProblem maps what a change of a ticket was refused with.
func ticketProblem(err error, what string) error {
	var refused *TicketRefused
	switch {
	case errors.As(err, &refused):
		return refuse(kindTicketRefused, ticketReasons[refused.Reason]).with("reason", string(refused.Reason))
	case errors.Is(err, ErrTicketKeyReused):
		return refuse(kindKeyReused, "Use a fresh key for another wish.")
	case errors.Is(err, ErrNotFound):
		return refuse(kindNotFound, "There is no such "+what+".").because(err)
	}
	return err
}

// end is when names and owners cannot be changed any more.
func (r TicketRules) end(ev *Event) time.Time { return ev.StartsAt.Add(-r.ChangesEnd) }
