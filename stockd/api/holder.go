package api

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// holderMax is the length of a name, in letters.
const holderMax = 200

type holderBody struct {
	Name     *string `json:"name"`
	Document *string `json:"document,omitempty"`
}

// check gives the name as it is kept: composed (NFC), without spaces around it or in a row.
func (b *holderBody) check(ev *Event) (name string, document string, err error) {
	var f faults
	name = strings.Join(strings.Fields(norm.NFC.String(value(b.Name))), " ")
	switch n := utf8.RuneCountInString(name); {
	case n == 0 || n > holderMax:
		f.add("/name", "1 to %d letters.", holderMax)
	case strings.ContainsFunc(name, unicode.IsControl) || !strings.ContainsFunc(name, unicode.IsLetter):
		f.add("/name", "A name has letters, and no control characters.")
	}
	switch {
	case b.Document != nil:
		documents, wrong := normalizedDocuments([]string{*b.Document})
		for _, one := range wrong {
			f.add("/document", "%s", one.Detail)
		}
		if len(wrong) == 0 {
			document = documents[0]
		}
	case ev.LimitDocument > 0:
		f.add("/document", "Tickets of this event are limited per document: give the number of one.")
	}
	if len(f) > 0 {
		return "", "", invalid(f...)
	}
	return name, document, nil
}

// putHolder binds a ticket to somebody. The ticket is void from then on, and the answer is the one in its place.
func (s *server) putHolder(w http.ResponseWriter, r *http.Request) error {
	t, ev, key, err := s.ticket(r, r.PathValue("ticket"))
	if err != nil {
		return err
	}
	if of := r.PathValue("id"); of != "" && of != prefixOrder+t.Order.String() {
		return refuse(kindNotFound, "The ticket is not of this order.")
	}
	var body holderBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	name, document, err := body.check(ev)
	if err != nil {
		return err
	}
	wish := NameWish{Ticket: t.ID, Name: name, DocumentMax: ev.LimitDocument, Force: key != nil}
	kept := holderBody{Name: &name}
	if document != "" {
		wish.Document = s.pseudonym("document", ev, document)
		text := wish.Document.String()
		kept.Document = &text // its fingerprint goes to the ledger
	}
	if wish.Request, err = request(r, orderScope(t.Order), "ticket.name", t.ID.String(), kept); err != nil {
		return err
	}
	after, again, err := s.Orders.NameTicket(r.Context(), wish)
	if err != nil {
		return ticketProblem(err, "ticket")
	}
	if again {
		replayed(w)
	}
	if key != nil {
		s.audit(r, *key, "ticket.name", prefixTicket+t.ID.String(), "")
	}
	return s.answerTicket(w, r, ev, &after, http.StatusOK)
}
