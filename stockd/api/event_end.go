package api

import (
	"errors"
	"net/http"
	"time"
)

type cancellationBody struct {
	Reason string `json:"reason"`
}

type postponementBody struct {
	StartsAt     *time.Time `json:"starts_at"`
	RefundsUntil *time.Time `json:"refunds_until,omitempty"`
}

// cancellationDoc is a cancelled event and how far its mass refund is.
type cancellationDoc struct {
	Event      string `json:"event"`
	Reason     string `json:"reason"`
	Actor      string `json:"actor"`
	BegunAt    string `json:"begun_at"`
	FinishedAt string `json:"finished_at,omitempty"`
	Open       int64  `json:"open"`
	Refunds    int64  `json:"refunds"`
	Sent       int64  `json:"sent"`
	Failed     int64  `json:"failed"`
	Amount     int64  `json:"amount"`
	AmountSent int64  `json:"amount_sent"`
	Currency   string `json:"currency"`
}

// endProblem says why an event cannot end as it is asked to.
func endProblem(err error, event string) error {
	var from string
	switch {
	case errors.Is(err, ErrEventCancelled):
		from = "cancelled"
	case errors.Is(err, ErrEventHeld):
		from = "recognised"
	default:
		return err
	}
	return refuse(kindIllegal, "The event is "+from+".").with("from", from).with("event", event).with("allowed", []string{}).because(err)
}

func (s *server) postCancellation(w http.ResponseWriter, r *http.Request) error {
	key, err := s.needKey(r, scopeOps)
	if err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	var body cancellationBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if body.Reason == "" || len(body.Reason) > refundReasonMax {
		return invalid(fault{"/reason", "Say why, in 1 to 200 bytes: buyers and finance read it."})
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	cancelled, again, err := s.Node.CancelEvent(r.Context(), ev.Number, body.Reason, key.Name)
	if err != nil {
		return endProblem(err, "cancel")
	}
	doc, err := s.cancellation(r, cancelled)
	if err != nil {
		return err
	}
	if again {
		replayed(w)
		return answer(w, http.StatusOK, doc)
	}
	s.audit(r, key, "event.cancel", prefixEvent+ev.ID.String(), body.Reason)
	return answer(w, http.StatusAccepted, doc)
}

func (s *server) getCancellation(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.needKey(r, scopeOps); err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	doc, err := s.cancellation(r, ev)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, doc)
}

func (s *server) cancellation(r *http.Request, ev *Event) (cancellationDoc, error) {
	m, err := s.Node.MassRefund(r.Context(), ev.Number)
	if errors.Is(err, ErrNotFound) {
		return cancellationDoc{}, refuse(kindNotFound, "The event is not cancelled.").because(err)
	}
	doc := cancellationDoc{
		Event: prefixEvent + ev.ID.String(), Reason: m.Reason, Actor: m.Actor, BegunAt: stamp(m.BegunAt), Open: m.Open, Refunds: m.Refunds, Sent: m.Sent,
		Failed: m.Failed, Amount: m.Amount, AmountSent: m.AmountSent, Currency: m.Currency,
	}
	if !m.FinishedAt.IsZero() {
		doc.FinishedAt = stamp(m.FinishedAt)
	}
	return doc, err
}

func (s *server) postPostponement(w http.ResponseWriter, r *http.Request) error {
	key, err := s.needKey(r, scopeOps)
	if err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	var body postponementBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if body.StartsAt == nil || !body.StartsAt.After(s.Now()) {
		return invalid(fault{"/starts_at", "Say when it takes place instead: a time to come."})
	}
	var until time.Time
	if body.RefundsUntil != nil {
		until = *body.RefundsUntil
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	moved, again, err := s.Node.PostponeEvent(r.Context(), ev.Number, *body.StartsAt, until)
	if err != nil {
		return endProblem(err, "postpone")
	}
	if again {
		replayed(w)
	} else {
		s.audit(r, key, "event.postpone", prefixEvent+ev.ID.String(), stamp(*body.StartsAt))
	}
	w.Header().Set("ETag", moved.version())
	return answer(w, http.StatusOK, s.eventDoc(moved))
}
