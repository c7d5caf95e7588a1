package api

import (
	"net/http"
	"regexp"
	"time"

	"ticketrush/stockd/stock"
)

type paymentBody struct {
	Provider  *string `json:"provider"`
	ReturnURL *string `json:"return_url,omitempty"`
}

var (
	providerName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	// localPath is a path on the shop's own site: // and /\ would be another host for a browser.
	localPath = regexp.MustCompile(`^/([^/\\].*)?$`)
)

func (b *paymentBody) check() error {
	var f faults
	if !providerName.MatchString(value(b.Provider)) {
		f.add("/provider", "Name a payment provider, for example sandbox.")
	}
	if u := value(b.ReturnURL); b.ReturnURL != nil && (len(u) > 500 || !localPath.MatchString(u)) {
		f.add("/return_url", "A path on the shop's own site, at most 500 bytes.")
	}
	if len(f) > 0 {
		return invalid(f...)
	}
	return nil
}

// lateAfter is how old a request may be that starts a payment: its client has sent it again by then, and has gone on from the answer.
const lateAfter = 2 * time.Second

func (s *server) postPayment(w http.ResponseWriter, r *http.Request) error {
	asked := s.Now()
	order, _, key, err := s.order(r)
	if err != nil {
		return err
	}
	var body paymentBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	req, err := request(r, orderScope(order.ID), "payment.start", order.ID.String(), body)
	if err != nil {
		return err
	}
	if err := s.misdirected(r, stock.CoordinatorOf(order.ID)); err != nil {
		return err
	}
	if s.Now().Sub(asked) > lateAfter {
		return ErrMoving
	}
	pay, again, err := s.Orders.StartPayment(r.Context(), order.ID, req, *body.Provider, value(body.ReturnURL))
	if err != nil {
		return orderProblem(err)
	}
	if key != nil {
		s.audit(r, *key, "payment.start", prefixOrder+order.ID.String(), pay.Provider)
	}
	if again {
		replayed(w)
		return answer(w, http.StatusOK, paymentOf(pay))
	}
	return answer(w, http.StatusCreated, paymentOf(pay))
}

func (s *server) postWebhook(w http.ResponseWriter, r *http.Request) error {
	body, _, err := readBody(w, r, bodyMax, "application/json")
	if err != nil {
		return err
	}
	provider := r.PathValue("provider")
	if !providerName.MatchString(provider) {
		return refuse(kindNotFound, "There is no such provider.")
	}
	if err := s.Orders.Webhook(r.Context(), provider, body, r.Header); err != nil {
		return orderProblem(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
