package api

import (
	"net/http"
	"slices"
)

type ticketDoc struct {
	ID      string `json:"id"`
	Seat    string `json:"seat"`
	Section string `json:"section"`
	Type    string `json:"type"`
	Code    string `json:"code"`
	State   string `json:"state"`
	SVG     string `json:"svg"`
	PNG     string `json:"png"`
	PDF     string `json:"pdf"`
	Page    string `json:"page"`
}

type ticketsDoc struct {
	State   string      `json:"state"`
	Page    string      `json:"page"`
	PDF     string      `json:"pdf"`
	Tickets []ticketDoc `json:"tickets"`
}

// waitingStates are those of an order that may still get tickets.
var waitingStates = []string{"pending_payment", "paying", "paid", "stuck"}

func ticketOf(ev *Event, t *Ticket) ticketDoc {
	id := prefixTicket + t.ID.String()
	at := "/v1/tickets/" + id
	doc := ticketDoc{ID: id, Seat: ev.label(t.Seat), Type: nameAt(ev.Types, t.Type), Code: t.Code, State: t.State,
		SVG: at + ".svg", PNG: at + ".png", PDF: at + ".pdf", Page: at + ".html"}
	if seg := ev.segment(t.Seat.Segment()); seg != nil {
		doc.Section = seg.Section
	}
	return doc
}

func (s *server) getTickets(w http.ResponseWriter, r *http.Request) error {
	order, ev, _, err := s.order(r)
	if err != nil {
		return err
	}
	tickets, err := s.Orders.Tickets(r.Context(), order.ID)
	if err != nil {
		return err
	}
	at := "/v1/orders/" + prefixOrder + order.ID.String() + "/tickets"
	doc := ticketsDoc{State: order.State, Page: at + ".html", PDF: at + ".pdf", Tickets: []ticketDoc{}}
	for i := range tickets {
		doc.Tickets = append(doc.Tickets, ticketOf(ev, &tickets[i]))
	}
	if len(tickets) == 0 && slices.Contains(waitingStates, order.State) {
		w.Header().Set("Retry-After", "1")
		return answer(w, http.StatusAccepted, doc)
	}
	return answer(w, http.StatusOK, doc)
}

// ticket reads a ticket that the bearer of the request may see.
func (s *server) ticket(r *http.Request, text string) (*Ticket, *Event, error) {
	id, ok := parseID(text, prefixTicket)
	if !ok {
		return nil, nil, refuse(kindNotFound, "This is not the id of a ticket.")
	}
	ticket, found, err := s.Orders.Ticket(r.Context(), id)
	if err != nil {
		return nil, nil, err
	}
	// Who has no token learns nothing about which tickets there are.
	if !found {
		return nil, nil, refuse(kindNotYours, "Send the token of the ticket's order: X-Order-Token.")
	}
	if _, err := s.mayOrder(r, ticket.Order); err != nil {
		return nil, nil, err
	}
	ev, ok := s.Node.EventByNumber(ticket.Event)
	if !ok {
		return nil, nil, ErrMoving
	}
	return &ticket, ev, nil
}
