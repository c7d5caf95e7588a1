package api

import (
	"net/http"
	"net/mail"
	"time"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// orderCookieFor is how long a browser keeps an order's token: until after most events.
const orderCookieFor = 400 * 24 * time.Hour

type paymentDoc struct {
	ID       string `json:"id"`
	Provider string `json:"provider,omitempty"`
	State    string `json:"state"`
	Attempt  int32  `json:"attempt"`
	PayURL   string `json:"pay_url,omitempty"`
}

type orderDoc struct {
	ID            string        `json:"id"`
	Token         string        `json:"token"`
	Event         string        `json:"event"`
	Hold          string        `json:"hold"`
	State         string        `json:"state"`
	Version       int32         `json:"version"`
	Attempt       int32         `json:"attempt"`
	Total         int64         `json:"total"`
	Currency      string        `json:"currency"`
	Lines         []itemDoc     `json:"lines"`
	HoldUntil     string        `json:"hold_until,omitempty"`
	HoldUntilIn   *int64        `json:"hold_until_in_s,omitempty"`
	PayingUntil   string        `json:"paying_until,omitempty"`
	PayingUntilIn *int64        `json:"paying_until_in_s,omitempty"`
	Payments      []paymentDoc  `json:"payments"`
	Refunds       []refundDoc   `json:"refunds,omitempty"`
	Offer         *seatOfferDoc `json:"offer,omitempty"`
}

func paymentOf(p Payment) paymentDoc {
	return paymentDoc{prefixPayment + p.ID.String(), p.Provider, p.State, p.Attempt, p.PayURL}
}

func (s *server) orderDoc(ev *Event, o *Order) orderDoc {
	now := s.Now()
	doc := orderDoc{
		ID: prefixOrder + o.ID.String(), Token: s.Orders.OrderToken(o.ID), Event: prefixEvent + ev.ID.String(), Hold: prefixHold + o.Hold.String(),
		State: o.State, Version: o.Version, Attempt: o.Attempt, Total: o.Total, Currency: o.Currency,
		Lines: make([]itemDoc, 0, len(o.Lines)), Payments: make([]paymentDoc, 0, len(o.Payments)),
	}
	for _, l := range o.Lines {
		item := ev.item(l.Seat, l.Type, priceDoc{l.Face, l.Fee, l.Tax, o.Currency})
		item.State = o.Ended[l.Seat]
		doc.Lines = append(doc.Lines, item)
	}
	for _, p := range o.Payments {
		doc.Payments = append(doc.Payments, paymentOf(p))
	}
	doc.Refunds, doc.Offer = refundsOf(ev, o), s.seatOfferOf(ev, o)
	if o.State == "pending_payment" && !o.HoldUntil.IsZero() {
		in := secondsUntil(o.HoldUntil, now)
		doc.HoldUntil, doc.HoldUntilIn = stamp(o.HoldUntil), &in
	}
	if o.State == "paying" && !o.PayingUntil.IsZero() {
		in := secondsUntil(o.PayingUntil, now)
		doc.PayingUntil, doc.PayingUntilIn = stamp(o.PayingUntil), &in
	}
	return doc
}

type orderBody struct {
	Buyer *struct {
		Name  *string `json:"name,omitempty"`
		Email *string `json:"email,omitempty"`
	} `json:"buyer,omitempty"`
}

func (b *orderBody) check() error {
	if b.Buyer == nil {
		return nil
	}
	var f faults
	if len(value(b.Buyer.Name)) > 200 {
		f.add("/buyer/name", "At most 200 bytes.")
	}
	if email := value(b.Buyer.Email); email != "" {
		if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > 254 {
			f.add("/buyer/email", "This is not an e-mail address.")
		}
	}
	if len(f) > 0 {
		return invalid(f...)
	}
	return nil
}

func (s *server) postOrder(w http.ResponseWriter, r *http.Request) error {
	view, ev, key, err := s.findHold(r)
	if err != nil {
		return err
	}
	var body orderBody
	if err := decodeBody(w, r, &body, true); err != nil {
		return err
	}
	if err := body.check(); err != nil {
		return err
	}
	req, err := request(r, holdScope(view.ID), "order.open", view.ID.String(), body)
	if err != nil {
		return err
	}
	open := OpenOrder{
		ID:      stock.NewCoordinatedID(stock.CoordinatorOf(view.ID), req.Scope, req.Key, "order"),
		Request: req, Hold: view, Lines: ev.lines(view.Seats), Currency: ev.Currency, ClientIP: s.clientIP(r),
	}
	if body.Buyer != nil {
		open.Name, open.Email = value(body.Buyer.Name), value(body.Buyer.Email)
	}
	order, a, err := s.Orders.Open(r.Context(), open)
	if err != nil {
		return orderProblem(err)
	}
	if a.Code != stock.CodeOK && a.Code != stock.CodeReplay {
		if a.Hold == nil {
			a.Hold = &view
		}
		return refusal(ev, a, "order")
	}
	if key != nil {
		s.audit(r, *key, "order.open", prefixOrder+order.ID.String(), "")
	}
	doc := s.orderDoc(ev, &order)
	s.setToken(w, r, doc.ID, doc.Token, s.Now().Add(orderCookieFor))
	w.Header().Set("Location", "/v1/orders/"+doc.ID)
	if a.Code == stock.CodeReplay {
		replayed(w)
		return answer(w, http.StatusOK, doc)
	}
	return answer(w, http.StatusCreated, doc)
}

// lines are the prices of seats, as they are now; the order fixes them.
func (ev *Event) lines(seats []stock.HeldSeat) []stock.OrderLine {
	lines := make([]stock.OrderLine, 0, len(seats))
	for _, seat := range seats {
		tier, _ := ev.tier(ev.category(seat.Seat), seat.Type)
		lines = append(lines, stock.OrderLine{Seat: seat.Seat, Type: seat.Type, Face: tier.Face, Fee: tier.Fee, Tax: tier.Tax})
	}
	return lines
}

// buyer reads the order's id, checks that the bearer opened it, or is ops, and finds it.
func (s *server) order(r *http.Request) (*Order, *Event, *Key, error) {
	text := r.PathValue("id")
	id, ok := parseID(text, prefixOrder)
	if !ok {
		return nil, nil, nil, refuse(kindNotFound, "This is not the id of an order.")
	}
	key, err := s.mayOrder(r, id)
	if err != nil {
		return nil, nil, nil, err
	}
	order, found, err := s.Orders.Get(r.Context(), id)
	if err != nil {
		return nil, nil, nil, err
	}
	if !found {
		return nil, nil, nil, refuse(kindNotFound, "There is no such order.")
	}
	ev, ok := s.Node.EventByNumber(order.Event)
	if !ok {
		return nil, nil, nil, ErrMoving
	}
	return &order, ev, key, nil
}

// mayOrder checks the token of an order.
func (s *server) mayOrder(r *http.Request, id uuid.UUID) (*Key, error) {
	if key, ok, err := s.apiKey(r); ok || err != nil {
		if err != nil || key.may(scopeOps) {
			return &key, err
		}
	}
	token := tokenOf(r, "X-Order-Token", prefixOrder+id.String())
	if token == "" {
		return nil, refuse(kindNotYours, "Send the token that came with the order: X-Order-Token.")
	}
	if err := s.Orders.CheckOrderToken(token, id); err != nil {
		return nil, refuse(kindNotYours, "The token is not of this order.").because(err)
	}
	return nil, nil
}

func orderScope(id uuid.UUID) uuid.UUID { return hashed("scope/order", id[:]) }

func (s *server) getOrder(w http.ResponseWriter, r *http.Request) error {
	order, ev, _, err := s.order(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, s.orderDoc(ev, order))
}

func (s *server) postCancel(w http.ResponseWriter, r *http.Request) error {
	order, ev, key, err := s.order(r)
	if err != nil {
		return err
	}
	if err := decodeBody(w, r, &struct{}{}, true); err != nil {
		return err
	}
	req, err := request(r, orderScope(order.ID), "order.cancel", order.ID.String(), nil)
	if err != nil {
		return err
	}
	if order.State == "paid" || order.State == "issued" {
		return s.refund(w, r, ev, key, RefundWish{ID: refundID(req), Fingerprint: req.Fingerprint, Order: order.ID, Reason: "cancelled"}, http.StatusOK)
	}
	if err := s.misdirected(r, stock.CoordinatorOf(order.ID)); err != nil {
		return err
	}
	after, err := s.Orders.Cancel(r.Context(), order.ID, req)
	if err != nil {
		return orderProblem(err)
	}
	if after.Version == order.Version {
		replayed(w)
	}
	if key != nil {
		s.audit(r, *key, "order.cancel", prefixOrder+order.ID.String(), "")
	}
	return answer(w, http.StatusOK, s.orderDoc(ev, &after))
}
