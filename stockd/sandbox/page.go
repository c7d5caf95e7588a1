package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/money"
	"ticketrush/stockd/paypage"
)

// Handler serves the pay page: GET shows it, POST says what happens, by the form field or JSON member "action". A form is answered with a
// redirect to the shop, JSON with the payment's state.
func (s *Provider) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sandbox/paypage.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Write(paypage.Stylesheet)
	})
	mux.HandleFunc("GET /sandbox/pay/{ref}", s.show)
	mux.HandleFunc("POST /sandbox/pay/{ref}", s.act)
	return mux
}

func (s *Provider) show(w http.ResponseWriter, r *http.Request) {
	p, err := s.ledger.SandboxGet(r.Context(), r.PathValue("ref"))
	if err != nil {
		fail(w, err, false)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", paypage.CSP)
	_ = paypage.Render(w, paypage.Data{ // the client is gone: nobody is left to tell
		Payment: p.Ref, Order: "ord_" + p.OrderID.String(), Amount: money.Format(p.Amount, p.Currency), Currency: p.Currency, ReturnURL: p.ReturnUrl, State: p.State, Dispute: p.Dispute, Refunds: p.Refunds,
		Refunded: refundedText(p),
	})
}

func (s *Provider) act(w http.ResponseWriter, r *http.Request) {
	asJSON := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	action, err := readAction(r, asJSON)
	if err != nil {
		fail(w, err, asJSON)
		return
	}
	p, err := s.apply(r.Context(), r.PathValue("ref"), action, time.Now())
	if err != nil {
		fail(w, err, asJSON)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if asJSON {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"payment": p.Ref, "state": p.State, "return_url": p.ReturnUrl})
		return
	}
	if paypage.Bank(action) { // the shop has nothing to do with it: the visitor stays at the bank
		http.Redirect(w, r, r.URL.Path, http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, returnTo(p.ReturnUrl), http.StatusSeeOther)
}

// refundedText is what went back of a payment, empty when nothing did.
func refundedText(p ledger.SandboxPayment) string {
	if p.Refunded == 0 {
		return ""
	}
	return money.Format(p.Refunded, p.Currency)
}

// returnTo is a path of our own site; anything else would be an open redirect.
func returnTo(url string) string {
	if !strings.HasPrefix(url, "/") || strings.HasPrefix(url, "//") || strings.ContainsAny(url, "\\\r\n") {
		return "/"
	}
	return url
}

func readAction(r *http.Request, asJSON bool) (string, error) {
	if !asJSON {
		return r.PostFormValue("action"), nil
	}
	var body struct {
		Action string `json:"action"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 4<<10)).Decode(&body); err != nil {
		return "", fmt.Errorf(`%w: the body is not {"action": "…"}: %w`, errAction, err)
	}
	return body.Action, nil
}

// fail tells a person by a page and a program by a line of text what was wrong and what to do.
func fail(w http.ResponseWriter, err error, asJSON bool) {
	status, page := http.StatusServiceUnavailable, paypage.Trouble{
		Heading: "The bank cannot reach its books", Text: "Nothing was decided. Go back in a moment and press the button again.",
	}
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		status, page = http.StatusNotFound, paypage.Trouble{
			Heading: "There is no such payment", Text: "The address is not complete, or belongs to another shop. Start the payment again from your order.",
		}
	case errors.Is(err, errAction):
		status, page = http.StatusBadRequest, paypage.Trouble{Heading: "The bank did not understand", Text: err.Error() + ". Go back and press one of the buttons."}
	default:
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Cache-Control", "no-store")
	if asJSON {
		http.Error(w, page.Heading+": "+page.Text, status)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", paypage.CSP)
	w.WriteHeader(status)
	_ = paypage.RenderTrouble(w, page) // the client is gone: nobody is left to tell
}
