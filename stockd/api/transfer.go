package api

import (
	"net/http"
	"time"
)

// How long an offer may be open, in seconds.
const (
	offerTTLDefault = 3 * 24 * 3600
	offerTTLMin     = 60
	offerTTLMax     = 60 * 24 * 3600
)

type offerDoc struct {
	ID        string `json:"id"`
	Code      string `json:"code,omitempty"`
	State     string `json:"state"`
	ExpiresAt string `json:"expires_at"`
	ExpiresIn int64  `json:"expires_in_s"`
}

func (s *server) offerDoc(o *Offer) *offerDoc {
	return &offerDoc{ID: prefixOffer + o.ID.String(), Code: o.Code, State: o.State, ExpiresAt: stamp(o.ExpiresAt), ExpiresIn: secondsUntil(o.ExpiresAt, s.Now())}
}

type offerBody struct {
	TTL *int64 `json:"ttl_s,omitempty"`
}

// postOffer offers a ticket to whoever is given the code.
func (s *server) postOffer(w http.ResponseWriter, r *http.Request) error {
	t, _, key, err := s.ticket(r, r.PathValue("ticket"))
	if err != nil {
		return err
	}
	var body offerBody
	if err := decodeBody(w, r, &body, true); err != nil {
		return err
	}
	ttl := int64(offerTTLDefault)
	if body.TTL != nil {
		if ttl = *body.TTL; ttl < offerTTLMin || ttl > offerTTLMax {
			var f faults
			f.add("/ttl_s", "%d to %d seconds.", offerTTLMin, offerTTLMax)
			return invalid(f...)
		}
	}
	req, err := request(r, orderScope(t.Order), "ticket.offer", t.ID.String(), body)
	if err != nil {
		return err
	}
	offer, again, err := s.Orders.OfferTicket(r.Context(), t.ID, req, s.Now().Add(time.Duration(ttl)*time.Second))
	if err != nil {
		return ticketProblem(err, "ticket")
	}
	if key != nil {
		s.audit(r, *key, "ticket.offer", prefixTicket+t.ID.String(), "")
	}
	if again {
		replayed(w)
		return answer(w, http.StatusOK, s.offerDoc(&offer))
	}
	return answer(w, http.StatusCreated, s.offerDoc(&offer))
}

func (s *server) deleteOffer(w http.ResponseWriter, r *http.Request) error {
	t, _, key, err := s.ticket(r, r.PathValue("ticket"))
	if err != nil {
		return err
	}
	id, ok := parseID(r.PathValue("offer"), prefixOffer)
	if !ok {
		return refuse(kindNotFound, "This is not the id of an offer.")
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	again, err := s.Orders.CancelOffer(r.Context(), t.ID, id)
	if err != nil {
		return ticketProblem(err, "offer")
	}
	if again {
		replayed(w)
	}
	if key != nil {
		s.audit(r, *key, "ticket.offer.cancel", prefixTicket+t.ID.String(), "")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type transferBody struct {
	Code *string `json:"code"`
}

// offerCodeMax bounds a code as people type it, with spaces and dashes.
const offerCodeMax = 64

func readOfferCode(w http.ResponseWriter, r *http.Request) (string, error) {
	var body transferBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return "", err
	}
	code := value(body.Code)
	if code == "" || len(code) > offerCodeMax {
		var f faults
		f.add("/code", "The code that the ticket's owner was given, at most %d letters.", offerCodeMax)
		return "", invalid(f...)
	}
	return code, nil
}

type offeredDoc struct {
	Offer        *offerDoc `json:"offer"`
	Event        string    `json:"event"`
	Seat         string    `json:"seat"`
	Section      string    `json:"section"`
	Type         string    `json:"type"`
	Names        string    `json:"names"`
	NeedsAccount bool      `json:"needs_account"`
}

// postOfferCode shows whoever was given a code what it is for. It is a POST because a code stands in no address, where servers would log it.
func (s *server) postOfferCode(w http.ResponseWriter, r *http.Request) error {
	code, err := readOfferCode(w, r)
	if err != nil {
		return err
	}
	offer, err := s.Orders.ShowOffer(r.Context(), code)
	if err != nil {
		return ticketProblem(err, "offer; check the code")
	}
	ev, ok := s.Node.EventByNumber(offer.Event)
	if !ok {
		return ErrMoving
	}
	rules, err := s.Orders.TicketRules(r.Context(), ev.Number)
	if err != nil {
		return err
	}
	doc := offeredDoc{Offer: s.offerDoc(&offer), Event: prefixEvent + ev.ID.String(), Seat: ev.label(offer.Seat), Type: nameAt(ev.Types, offer.Type), Names: rules.Names,
		NeedsAccount: s.Accounts != nil}
	if seg := ev.segment(offer.Seat.Segment()); seg != nil {
		doc.Section = seg.Section
	}
	return answer(w, http.StatusOK, doc)
}

// postTransfer accepts an offer. Where the organiser's site has accounts, the recipient has to be one.
func (s *server) postTransfer(w http.ResponseWriter, r *http.Request) error {
	code, err := readOfferCode(w, r)
	if err != nil {
		return err
	}
	account, err := s.account(r)
	if err != nil {
		return err
	}
	if account == "" && s.Accounts != nil {
		return accountProblem("missing", "A ticket goes from one account to another: send the account of the site as "+accountHeader+".")
	}
	// Another account is another requester, under whatever key.
	scope := hashed("scope/transfer", []byte(code), []byte(account))
	req, err := request(r, scope, "ticket.accept", "", nil)
	if err != nil {
		return err
	}
	t, again, err := s.Orders.AcceptOffer(r.Context(), code, account, req)
	if err != nil {
		return ticketProblem(err, "offer; check the code")
	}
	ev, ok := s.Node.EventByNumber(t.Event)
	if !ok {
		return ErrMoving
	}
	w.Header().Set("Location", "/v1/tickets/"+prefixTicket+t.ID.String())
	if again {
		replayed(w)
		return s.answerTicket(w, r, ev, &t, http.StatusOK)
	}
	return s.answerTicket(w, r, ev, &t, http.StatusCreated)
}
