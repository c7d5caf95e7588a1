package api

import (
	"net/http"
	"time"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

type holdDoc struct {
	ID           string    `json:"id"`
	Token        string    `json:"token"`
	Event        string    `json:"event"`
	State        string    `json:"state"`
	Order        string    `json:"order,omitempty"`
	ExpiresAt    string    `json:"expires_at"`
	ExpiresIn    int64     `json:"expires_in_s"`
	MaxExpiresAt string    `json:"max_expires_at"`
	MaxExpiresIn int64     `json:"max_expires_in_s"`
	Together     *bool     `json:"together,omitempty"`
	Substituted  *bool     `json:"substituted,omitempty"`
	Rung         *int8     `json:"rung,omitempty"`
	Sequence     int64     `json:"sequence,omitempty"`
	Items        []itemDoc `json:"items"`
}

func (s *server) holdDoc(ev *Event, h *stock.HoldView) holdDoc {
	now := s.Now()
	ends, last := time.UnixMilli(h.Deadline), time.UnixMilli(h.MaxExpires)
	doc := holdDoc{
		ID: prefixHold + h.ID.String(), Token: s.Orders.HoldToken(h.ID), Event: prefixEvent + ev.ID.String(), State: holdStates[h.State],
		ExpiresAt: stamp(ends), ExpiresIn: secondsUntil(ends, now), MaxExpiresAt: stamp(last), MaxExpiresIn: secondsUntil(last, now),
		Items: make([]itemDoc, 0, len(h.Seats)),
	}
	if h.Order != nilID {
		doc.Order = prefixOrder + h.Order.String()
	}
	for _, seat := range h.Seats {
		tier, _ := ev.tier(ev.category(seat.Seat), seat.Type)
		doc.Items = append(doc.Items, ev.item(seat.Seat, seat.Type, priceDoc{tier.Face, tier.Fee, tier.Tax, ev.Currency}))
	}
	return doc
}

// rungTogether is the last rung of the ladder on which a party sits side by side: 1 leaves no single seat, 2 leaves one.
const rungTogether = 2

// answerHold tells a new hold, or one that is told again.
func (s *server) answerHold(w http.ResponseWriter, r *http.Request, ev *Event, done held) error {
	doc := s.holdDoc(ev, done.answer.Hold)
	together := s.sideBySide(ev, done.answer)
	doc.Together, doc.Substituted, doc.Rung, doc.Sequence = &together, &done.answer.Substituted, &done.answer.Rung, done.answer.Seq
	s.setToken(w, r, doc.ID, doc.Token, time.UnixMilli(done.answer.Hold.MaxExpires))
	w.Header().Set("Location", "/v1/holds/"+doc.ID)
	if done.replay {
		replayed(w)
		return answer(w, http.StatusOK, doc)
	}
	return answer(w, http.StatusCreated, doc)
}

// sideBySide is whether the seats are neighbours: as the ladder says, or, for named seats, when their indexes follow each other.
func (s *server) sideBySide(ev *Event, a stock.Answer) bool {
	if a.Hold.Wide() {
		return false
	}
	if seg := ev.segment(a.Hold.Segment); seg == nil || seg.Area || len(a.Hold.Seats) < 2 {
		return true
	}
	if a.Rung > 0 {
		return a.Rung <= rungTogether
	}
	low, high := a.Hold.Seats[0].Seat, a.Hold.Seats[0].Seat
	for _, seat := range a.Hold.Seats {
		low, high = min(low, seat.Seat), max(high, seat.Seat)
	}
	return int(high-low) == len(a.Hold.Seats)-1
}

// holder reads the hold's id and checks that the bearer made the hold, or is ops.
func (s *server) holder(r *http.Request) (uuid.UUID, *Key, error) {
	text := r.PathValue("id")
	id, ok := parseID(text, prefixHold)
	if !ok {
		return nilID, nil, refuse(kindNotFound, "This is not the id of a hold.")
	}
	if key, ok, err := s.apiKey(r); ok || err != nil {
		if err == nil && !key.may(scopeOps) && r.Header.Get("X-Hold-Token") == "" {
			err = refuse(kindForbidden, "The API key "+key.Name+" lacks the scope "+scopeOps+"; send the hold's token.")
		}
		if err != nil || key.may(scopeOps) {
			return id, &key, err
		}
	}
	token := tokenOf(r, "X-Hold-Token", text)
	if token == "" {
		return nilID, nil, refuse(kindNotYours, "Send the token that came with the hold: X-Hold-Token.")
	}
	if err := s.Orders.CheckHoldToken(token, id); err != nil {
		return nilID, nil, refuse(kindNotYours, "The token is not of this hold.").because(err)
	}
	return id, nil, nil
}

// gone is the answer when there is no such hold: its maker knows that there was one.
func gone(key *Key) *problem {
	if key != nil {
		return refuse(kindNotFound, "There is no such hold, or it is over.")
	}
	return refuse(kindExpired, "The hold is over: its deadline has passed, or it was released.")
}

// holdScope is the scope of the keys of those who have the hold's token: a pass may have expired since.
func holdScope(id uuid.UUID) uuid.UUID { return hashed("scope/hold", id[:]) }

// findHold finds the hold and its event.
func (s *server) findHold(r *http.Request) (stock.HoldView, *Event, *Key, error) {
	id, key, err := s.holder(r)
	if err != nil {
		return stock.HoldView{}, nil, nil, err
	}
	if err := s.misdirected(r, stock.CoordinatorOf(id)); err != nil {
		return stock.HoldView{}, nil, nil, err
	}
	view, found, err := s.Node.Find(r.Context(), id)
	if err != nil {
		return stock.HoldView{}, nil, nil, err
	}
	if !found {
		return stock.HoldView{ID: id}, nil, key, gone(key)
	}
	ev, ok := s.Node.EventByNumber(view.Event)
	if !ok {
		return stock.HoldView{}, nil, nil, ErrMoving // this node has not read the catalog since the event was made
	}
	return view, ev, key, nil
}

func (s *server) getHold(w http.ResponseWriter, r *http.Request) error {
	view, ev, _, err := s.findHold(r)
	if err != nil {
		return err
	}
	if view.State == stock.Held && view.Deadline <= s.Now().UnixMilli() {
		return refuse(kindExpired, "Its deadline has passed; the seats are free for others.")
	}
	return answer(w, http.StatusOK, s.holdDoc(ev, &view))
}

type holdChangeBody struct {
	Extend *bool `json:"extend"`
}

func (s *server) patchHold(w http.ResponseWriter, r *http.Request) error {
	view, ev, key, err := s.findHold(r)
	if err != nil {
		return err
	}
	var body holdChangeBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if body.Extend == nil || !*body.Extend {
		return invalid(fault{"/extend", "true is the only change in this release."})
	}
	req, err := request(r, holdScope(view.ID), "hold.change", view.ID.String(), body)
	if err != nil {
		return err
	}
	a, err := s.extend(r, ev, view, req)
	if err != nil {
		return err
	}
	if a.Code != stock.CodeOK && a.Code != stock.CodeReplay {
		return refusal(ev, a, "extend")
	}
	if a.Hold == nil {
		return gone(key)
	}
	if a.Code == stock.CodeReplay {
		replayed(w)
	}
	if key != nil {
		s.audit(r, *key, "hold.extend", prefixHold+view.ID.String(), "")
	}
	doc := s.holdDoc(ev, a.Hold)
	doc.Sequence = a.Seq
	return answer(w, http.StatusOK, doc)
}

func (s *server) extend(r *http.Request, ev *Event, view stock.HoldView, req stock.Request) (stock.Answer, error) {
	if view.Wide() {
		return s.Node.ExtendWide(r.Context(), view, req, ev.HoldTTL)
	}
	return s.Node.Do(r.Context(), stock.Command{
		Kind: stock.KindExtend, Event: view.Event, Segment: view.Segment, Hold: view.ID, Request: req, TTL: ev.HoldTTL.Milliseconds(),
	})
}

func (s *server) release(r *http.Request, view stock.HoldView, req stock.Request) (stock.Answer, error) {
	if view.Wide() {
		return s.Node.EndWide(r.Context(), view, req)
	}
	return s.Node.Do(r.Context(), stock.Command{Kind: stock.KindRelease, Event: view.Event, Segment: view.Segment, Hold: view.ID, Request: req})
}

func (s *server) deleteHold(w http.ResponseWriter, r *http.Request) error {
	view, ev, key, err := s.findHold(r)
	if err != nil && view.ID == nilID {
		return err
	}
	req, reqErr := request(r, holdScope(view.ID), "hold.release", view.ID.String(), nil)
	if reqErr != nil {
		return reqErr
	}
	if err != nil { // it is over; was it this request that ended it?
		return s.releasedBefore(w, r, req, err)
	}
	a, err := s.release(r, view, req)
	if err != nil {
		return err
	}
	switch a.Code {
	case stock.CodeOK:
	case stock.CodeReplay:
		replayed(w)
	default:
		return refusal(ev, a, "release")
	}
	if key != nil {
		s.audit(r, *key, "hold.release", prefixHold+view.ID.String(), "")
	}
	s.clearToken(w, r, r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) releasedBefore(w http.ResponseWriter, r *http.Request, req stock.Request, otherwise error) error {
	replay, err := s.Node.Replayed(r.Context(), req.Scope, req.Key)
	switch {
	case err != nil:
		return err
	case !replay.Found:
		return otherwise
	case replay.Fingerprint != req.Fingerprint:
		return refusal(nil, stock.Answer{Code: stock.CodeKeyReused}, "release")
	case replay.refused() != stock.CodeOK:
		return refusal(nil, stock.Answer{Code: replay.refused()}, "release")
	}
	replayed(w)
	s.clearToken(w, r, r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
	return nil
}
