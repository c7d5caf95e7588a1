package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"ticketrush/stockd/paper"
	"ticketrush/stockd/stock"
)

// kinds of codes that a client may ask for.
var symbologies = []paper.Symbology{paper.QR, paper.Aztec}

// ticketFile is the last part of the path of a ticket, its picture or its document.
var ticketFile = regexp.MustCompile(`^(tkt_[0-9a-f-]{36})(?:\.(svg|png|pdf|html))?$`)

// printing is how a document is wanted.
type printing struct {
	code paper.Symbology
	zone *time.Location
	as   string // the query, to be carried on
}

func printingOf(r *http.Request) (printing, error) {
	p, query := printing{code: paper.QR, zone: time.UTC}, r.URL.Query()
	var f faults
	if text := query.Get("code"); text != "" {
		p.code = paper.Symbology(text)
	}
	if !slices.Contains(symbologies, p.code) {
		f.add("code", "A code is drawn as qr or aztec.")
	}
	if name := query.Get("tz"); name != "" {
		zone, err := time.LoadLocation(name)
		if err != nil || name == "Local" || len(name) > 64 {
			f.add("tz", "This time zone is not known. Give a name of the IANA database, such as Europe/Berlin.")
		} else {
			p.zone = zone
		}
	}
	if r.URL.RawQuery != "" {
		p.as = "?" + query.Encode()
	}
	if len(f) > 0 {
		return p, invalid(f...)
	}
	return p, nil
}

func (s *server) getTicketFile(w http.ResponseWriter, r *http.Request) error {
	m := ticketFile.FindStringSubmatch(r.PathValue("file"))
	if m == nil {
		return refuse(kindNotFound, "A ticket's picture is its id with .svg or .png, the ticket to print with .html or .pdf.")
	}
	p, err := printingOf(r)
	if err != nil {
		return err
	}
	ticket, ev, _, err := s.ticket(r, m[1])
	if err != nil {
		return err
	}
	if m[2] == "" {
		return s.answerTicket(w, r, ev, ticket, http.StatusOK)
	}
	rules, err := s.Orders.TicketRules(r.Context(), ev.Number)
	if err != nil {
		return err
	}
	if m[2] == "pdf" || m[2] == "html" {
		return s.printTickets(w, m[2], "/v1/tickets/"+m[1], p, ev, rules, []Ticket{*ticket})
	}
	if ticket.State != ticketValid {
		return refuse(kindTicketRefused, ticketReasons[TicketVoid]).with("reason", string(TicketVoid))
	}
	if rules.needsName(ticket) {
		return refuse(kindNameMissing, "Tickets of this event are bound to a person. Give the name first: PUT /v1/tickets/"+m[1]+"/holder.")
	}
	var body []byte
	contentType := "image/" + m[2]
	switch m[2] {
	case "svg":
		contentType = "image/svg+xml"
		body, err = paper.SVG(p.code, ticket.Code)
	default:
		body, err = paper.PNG(p.code, ticket.Code)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", paper.PageCSP)
	w.Write(body)
	return nil
}

func (s *server) getTicketsPage(w http.ResponseWriter, r *http.Request) error {
	return s.printOrder(w, r, "html")
}

func (s *server) getTicketsPDF(w http.ResponseWriter, r *http.Request) error {
	return s.printOrder(w, r, "pdf")
}

func (s *server) printOrder(w http.ResponseWriter, r *http.Request, form string) error {
	order, ev, _, err := s.order(r)
	if err != nil {
		return err
	}
	p, err := printingOf(r)
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
	tickets = slices.DeleteFunc(tickets, func(t Ticket) bool { return t.State != ticketValid })
	return s.printTickets(w, form, "/v1/orders/"+prefixOrder+order.ID.String()+"/tickets", p, ev, rules, tickets)
}

func (s *server) printTickets(w http.ResponseWriter, form, at string, p printing, ev *Event, rules TicketRules, tickets []Ticket) error {
	doc := paper.Tickets{Title: ev.Name, Kind: p.code, PDFAt: at + ".pdf" + p.as}
	for i := range tickets {
		doc.Tickets = append(doc.Tickets, printed(ev, rules, &tickets[i], p.zone))
	}
	if form == "pdf" {
		body, err := doc.PDF(s.Now())
		return document(w, "application/pdf", "tickets.pdf", body, err)
	}
	body, err := doc.HTML()
	return document(w, "text/html; charset=utf-8", "", body, err)
}

// document answers with something to print. It has codes and names in it: no cache may keep it.
func document(w http.ResponseWriter, contentType, name string, body []byte, err error) error {
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", paper.PageCSP)
	h.Set("Referrer-Policy", "no-referrer")
	if name != "" {
		h.Set("Content-Disposition", `inline; filename="`+name+`"`)
	}
	w.Write(body)
	return nil
}

const printedTime = "Monday, 2 January 2006, 15:04 MST"

// printed is what stands on a ticket.
func printed(ev *Event, rules TicketRules, t *Ticket, zone *time.Location) paper.Ticket {
	out := paper.Ticket{
		ID: prefixTicket + t.ID.String(), Event: ev.Name, Venue: ev.Venue, When: ev.StartsAt.In(zone).Format(printedTime),
		Seat: seatWords(ev.label(t.Seat)), Type: nameAt(ev.Types, t.Type), Holder: t.Holder, Code: t.Code,
	}
	if seg := ev.segment(t.Seat.Segment()); seg != nil && !seg.Area {
		out.Section = "Section " + seg.Section
	}
	switch {
	case t.State != ticketValid:
		out.Code, out.Note = "", "This ticket is void. It lets nobody in."
	case rules.needsName(t):
		out.Code, out.Note = "", "Give the name of whoever comes with this ticket. It has no code before that."
	}
	return out
}

// place says a seat in one line: its section, too, for a row and a number are not enough in a large house.
func (ev *Event) place(id stock.SeatID) string {
	label := ev.label(id)
	words := seatWords(label)
	if seg := ev.segment(id.Segment()); seg != nil && words != label {
		return "Section " + seg.Section + ", r" + strings.TrimPrefix(words, "R")
	}
	return words
}

// seatWords says a seat as people do: N-12-7 is seat 7 in row 12. Other labels stay as they are.
func seatWords(label string) string {
	words := strings.Split(label, "-")
	if len(words) < 3 {
		return label
	}
	last := len(words) - 1
	return "Row " + strings.Join(words[1:last], "-") + ", seat " + words[last]
}
