package api

import (
	"net/http"
	"regexp"
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
}

type ticketsDoc struct {
	State   string      `json:"state"`
	Tickets []ticketDoc `json:"tickets"`
}

// waitingStates are those of an order that may still get tickets.
var waitingStates = []string{"pending_payment", "paying", "paid", "stuck"}

func (s *server) getTickets(w http.ResponseWriter, r *http.Request) error {
	order, ev, _, err := s.order(r)
	if err != nil {
		return err
	}
	tickets, err := s.Orders.Tickets(r.Context(), order.ID)
	if err != nil {
		return err
	}
	doc := ticketsDoc{State: order.State, Tickets: []ticketDoc{}}
	for _, t := range tickets {
		seg, id := ev.segment(t.Seat.Segment()), prefixTicket+t.ID.String()
		one := ticketDoc{ID: id, Seat: ev.label(t.Seat), Type: nameAt(ev.Types, t.Type), Code: t.Code, State: t.State,
			SVG: "/v1/tickets/" + id + ".svg", PNG: "/v1/tickets/" + id + ".png"}
		if seg != nil {
			one.Section = seg.Section
		}
		doc.Tickets = append(doc.Tickets, one)
	}
	if len(tickets) == 0 && slices.Contains(waitingStates, order.State) {
		w.Header().Set("Retry-After", "1")
		return answer(w, http.StatusAccepted, doc)
	}
	return answer(w, http.StatusOK, doc)
}

var ticketImage = regexp.MustCompile(`^(tkt_[0-9a-f-]{36})\.(svg|png)$`)

func (s *server) getTicketImage(w http.ResponseWriter, r *http.Request) error {
	m := ticketImage.FindStringSubmatch(r.PathValue("image"))
	if m == nil {
		return refuse(kindNotFound, "A ticket's picture is its id with .svg or .png.")
	}
	id, ok := parseID(m[1], prefixTicket)
	if !ok {
		return refuse(kindNotFound, "This is not the id of a ticket.")
	}
	ticket, found, err := s.Orders.Ticket(r.Context(), id)
	if err != nil {
		return err
	}
	// Who has no token learns nothing about which tickets there are.
	if !found {
		return refuse(kindNotYours, "Send the token of the ticket's order: X-Order-Token.")
	}
	if _, err := s.mayOrder(r, ticket.Order); err != nil {
		return err
	}
	draw, contentType := s.Orders.SVG, "image/svg+xml"
	if m[2] == "png" {
		draw, contentType = s.Orders.PNG, "image/png"
	}
	image, err := draw(ticket.Code)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Write(image)
	return nil
}
