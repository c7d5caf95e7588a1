package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ticketrush/stockd/gate"
	"ticketrush/stockd/order"

	"github.com/google/uuid"
)

const (
	revokedPage = 5000 // tickets in one answer
	// revokedOverlap: a ticket's time is decided before its commit, so the end of the list is read again by that much.
	revokedOverlap = time.Minute
	lateScansMax   = 500
	gateNameMax    = 64
)

// bundle is what a gate takes along, without its tickets.
func (s *server) bundle(r *http.Request, ev *Event) (*gate.Bundle, error) {
	rules, err := s.Orders.TicketRules(r.Context(), ev.Number)
	if err != nil {
		return nil, err
	}
	b := &gate.Bundle{
		Format: gate.Format, Event: ev.ID, Slug: ev.Slug, Name: ev.Name, Venue: ev.Venue, StartsAt: ev.StartsAt.UTC(), ValidFrom: ev.StartsAt.Add(-order.DoorsBefore).UTC(),
		ValidUntil: ev.StartsAt.Add(order.DoorsAfter).UTC(), AsOf: s.Now().UTC().Truncate(time.Millisecond), Names: rules.Names, Types: ev.Types, Keys: map[string][]byte{},
		Seats: map[string]string{}, Holders: map[uuid.UUID][]byte{}, Revoked: map[uuid.UUID]string{},
	}
	for id, key := range s.Orders.TicketKeys() {
		b.Keys[strconv.Itoa(int(id))] = key
	}
	return b, nil
}

// take puts a ticket into a bundle.
func (ev *Event) take(b *gate.Bundle, t *GateTicket) {
	b.Seats[strconv.FormatInt(int64(t.Seat), 10)] = ev.label(t.Seat)
	if t.Holder != "" {
		b.Holders[t.ID] = gate.Seal(t.Code, t.Salt, t.Holder, t.Document)
	}
}

func (s *server) getGateBundle(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.needKey(r, scopeGate); err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	b, err := s.bundle(r, ev)
	if err != nil {
		return err
	}
	place := revokedPlace{}
	for more := true; more; {
		var list []RevokedTicket
		if list, place, more, err = s.revoked(r, ev, place); err != nil {
			return err
		}
		for _, t := range list {
			b.Revoked[t.ID] = t.Reason
		}
	}
	b.Since = place.String()
	// After the list: a ticket that took the place of another in between is in neither, and lets its holder in.
	tickets, err := s.Orders.GateTickets(r.Context(), ev.Number)
	if err != nil {
		return err
	}
	for i := range tickets {
		ev.take(b, &tickets[i])
	}
	return answer(w, http.StatusOK, b)
}

// revokedPlace is a place in the list of revoked tickets.
type revokedPlace struct {
	at time.Time
	id uuid.UUID
}

// String is the place as clients keep it.
func (p revokedPlace) String() string {
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(p.at.UnixMicro())), p.id[:]...))
}

func parseRevokedPlace(text string) (p revokedPlace, err error) {
	if text == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 8+len(p.id) {
		return p, invalid(fault{"since", "Take it from the last answer, or leave it out to begin at the beginning."})
	}
	p.at, p.id = time.UnixMicro(int64(binary.BigEndian.Uint64(b))), uuid.UUID(b[8:])
	return p, nil
}

// revoked reads a page of the list, and the place where the next one begins.
func (s *server) revoked(r *http.Request, ev *Event, from revokedPlace) (list []RevokedTicket, next revokedPlace, more bool, err error) {
	now := s.Now()
	list, err = s.Orders.Revoked(r.Context(), ev.Number, from.at, from.id, revokedPage)
	if err != nil {
		return nil, from, false, err
	}
	if len(list) == revokedPage {
		last := list[len(list)-1]
		return list, revokedPlace{last.VoidedAt, last.ID}, true, nil
	}
	next = from
	if end := now.Add(-revokedOverlap); end.After(from.at) {
		next = revokedPlace{at: end}
	}
	return list, next, false, nil
}

type revocationDoc struct {
	Ticket   string `json:"ticket"`
	Reason   string `json:"reason"`
	VoidedAt string `json:"voided_at"`
}

func (s *server) getRevocations(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.needKey(r, scopeGate); err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	from, err := parseRevokedPlace(r.URL.Query().Get("since"))
	if err != nil {
		return err
	}
	list, next, more, err := s.revoked(r, ev, from)
	if err != nil {
		return err
	}
	docs := make([]revocationDoc, 0, len(list))
	for _, t := range list {
		docs = append(docs, revocationDoc{prefixTicket + t.ID.String(), t.Reason, stamp(t.VoidedAt)})
	}
	return answer(w, http.StatusOK, map[string]any{"revocations": docs, "next": next.String(), "more": more})
}

type scanBody struct {
	Ticket string     `json:"ticket"`
	Gate   string     `json:"gate,omitempty"`
	At     *time.Time `json:"at"`
}

type checkinsBody struct {
	Gate  string     `json:"gate,omitempty"`
	Code  string     `json:"code,omitempty"`
	Scans []scanBody `json:"scans,omitempty"`
}

type scanDoc struct {
	Gate string `json:"gate"`
	At   string `json:"at"`
}

type verdictDoc struct {
	Result gate.Result `json:"result"`
	Colour string      `json:"colour"`
	Text   string      `json:"text"`
	Ticket string      `json:"ticket,omitempty"`
	Seat   string      `json:"seat,omitempty"`
	Type   string      `json:"type,omitempty"`
	Holder string      `json:"holder,omitempty"`
	First  *scanDoc    `json:"first,omitempty"`
}

func verdictOf(v gate.Verdict) verdictDoc {
	doc := verdictDoc{Result: v.Result, Colour: v.Colour, Text: v.Text, Seat: v.Seat, Type: v.Type, Holder: v.Holder}
	if v.Ticket != nilID {
		doc.Ticket = prefixTicket + v.Ticket.String()
	}
	if v.First != nil {
		doc.First = &scanDoc{v.First.Gate, v.First.At.UTC().Format(time.RFC3339Nano)}
	}
	return doc
}

// postCheckins takes one code that is scanned now, or scans that a gate made without a network.
func (s *server) postCheckins(w http.ResponseWriter, r *http.Request) error {
	key, err := s.needKey(r, scopeGate)
	if err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	var body checkinsBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	scans, err := body.check()
	if err != nil {
		return err
	}
	req, err := request(r, hashed("scope/key", key.ID[:]), "checkin", ev.ID.String(), body)
	if err != nil {
		return err
	}
	if body.Code == "" {
		verdicts, err := s.Orders.CheckInLate(r.Context(), ev.Number, scans, key.ID)
		if err != nil {
			return err
		}
		docs := make([]verdictDoc, 0, len(verdicts))
		for i, v := range verdicts {
			docs = append(docs, verdictOf(told(gate.Verdict{Result: gate.OK, Colour: gate.OK.Colour(), Text: "Written down.", Ticket: scans[i].Ticket}, v)))
		}
		return answer(w, http.StatusOK, map[string]any{"results": docs})
	}
	v, err := s.judge(r, ev, body.Code)
	if err != nil {
		return err
	}
	if v.Result == gate.OK {
		found, err := s.Orders.CheckIn(r.Context(), ev.Number, v.Ticket, body.Gate, key.ID, req)
		if err != nil {
			return err
		}
		v = told(v, found)
	}
	return answer(w, http.StatusOK, map[string]any{"results": []verdictDoc{verdictOf(v)}})
}

// told puts what the ledger knows over what the code says.
func told(v gate.Verdict, found CheckinVerdict) gate.Verdict {
	switch {
	case !found.Known:
		v.Result, v.Text = gate.Revoked, "The ledger does not know this ticket for this event."
	case found.VoidReason != "":
		v.Result, v.Text = gate.Revoked, gate.RevokedText(found.VoidReason)
	case found.Again:
		v.Result, v.Text, v.First = gate.Again, gate.AgainText(found.First), &found.First
	}
	v.Colour = v.Result.Colour()
	return v
}

// judge is what a gate would say of a code that had fetched its bundle just now.
func (s *server) judge(r *http.Request, ev *Event, code string) (gate.Verdict, error) {
	b, err := s.bundle(r, ev)
	if err != nil {
		return gate.Verdict{}, err
	}
	parsed, err := s.Orders.TicketKeys().Parse(strings.TrimSpace(code))
	if err == nil && parsed.Event == ev.ID {
		t, void, err := s.Orders.GateTicket(r.Context(), parsed.Ticket)
		switch {
		case errors.Is(err, ErrNotFound): // the check-in says so
		case err != nil:
			return gate.Verdict{}, err
		case void != "":
			b.Revoked[t.ID] = void
		default:
			ev.take(b, &t)
		}
	}
	return b.Judge(code, s.Now(), false), nil
}

func (b *checkinsBody) check() (scans []gate.Scan, err error) {
	var f faults
	name := func(pointer, text string) {
		if text == "" || len(text) > gateNameMax || strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			f.add(pointer, "The gate's name: 1 to %d visible letters.", gateNameMax)
		}
	}
	switch {
	case (b.Code == "") == (len(b.Scans) == 0):
		f.add("", "Either a code that is scanned now, or scans that were made without a network.")
	case b.Code != "":
		name("/gate", b.Gate)
		if len(b.Code) > 1000 {
			f.add("/code", "At most 1000 letters.")
		}
	case len(b.Scans) > lateScansMax:
		f.add("/scans", "At most %d at once.", lateScansMax)
	}
	for i, one := range b.Scans[:min(len(b.Scans), lateScansMax)] {
		at := fmt.Sprintf("/scans/%d", i)
		id, ok := parseID(one.Ticket, prefixTicket)
		if !ok {
			f.add(at+"/ticket", "This is not the id of a ticket.")
		}
		if one.Gate == "" {
			one.Gate = b.Gate
		}
		name(at+"/gate", one.Gate)
		if one.At == nil || one.At.Year() < 2000 || one.At.Year() > 2100 {
			f.add(at+"/at", "When it was scanned, in this century.")
			continue
		}
		scans = append(scans, gate.Scan{Ticket: id, Gate: one.Gate, At: one.At.UTC().Truncate(time.Microsecond)})
	}
	if len(f) > 0 {
		return nil, invalid(f...)
	}
	return scans, nil
}
