package api

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

type refundDoc struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Amount   int64    `json:"amount"`
	Currency string   `json:"currency"`
	Reason   string   `json:"reason"`
	At       string   `json:"at"`
	Items    []string `json:"items"`
}

func refundsOf(ev *Event, o *Order) (docs []refundDoc) {
	for _, r := range o.Refunds {
		docs = append(docs, refundDoc{prefixRefund + r.ID.String(), r.State, r.Amount, r.Currency, r.Reason, stamp(r.At), ev.labels(r.Seats)})
	}
	return docs
}

type refundItem struct {
	Seat string `json:"seat,omitempty"`
	Area string `json:"area,omitempty"`
	Unit int32  `json:"unit,omitempty"`
}

type refundBody struct {
	Items  []refundItem `json:"items,omitempty"`
	Reason string       `json:"reason,omitempty"`
}

// Limits of a refund's wish.
const (
	refundItemsMax  = 1000
	refundReasonMax = 200
)

// seats finds the lines that are meant.
func (b *refundBody) seats(ev *Event, o *Order) ([]stock.SeatID, error) {
	var f faults
	if len(b.Items) > refundItemsMax {
		f.add("/items", "At most %d.", refundItemsMax)
	}
	if len(b.Reason) > refundReasonMax {
		f.add("/reason", "At most %d bytes.", refundReasonMax)
	}
	byName := map[refundItem]stock.SeatID{}
	for _, l := range o.Lines {
		item := ev.item(l.Seat, l.Type, priceDoc{})
		byName[refundItem{item.Seat, item.Area, item.Unit}] = l.Seat
	}
	var seats []stock.SeatID
	for i, item := range b.Items {
		seat, ok := byName[item]
		if !ok {
			f.add("/items/"+strconv.Itoa(i), "The order has no such line. Name a line by its seat, or by its area and unit.")
		}
		delete(byName, item) // named twice it is a fault as well
		seats = append(seats, seat)
	}
	if len(f) > 0 {
		return nil, invalid(f...)
	}
	return seats, nil
}

// refundID makes the same wish, sent twice, the same refund.
func refundID(req stock.Request) uuid.UUID {
	return versioned(hashed("refund", req.Scope[:], req.Key[:]))
}

func (s *server) postRefund(w http.ResponseWriter, r *http.Request) error {
	order, ev, key, err := s.order(r)
	if err != nil {
		return err
	}
	var body refundBody
	if err := decodeBody(w, r, &body, true); err != nil {
		return err
	}
	seats, err := body.seats(ev, order)
	if err != nil {
		return err
	}
	req, err := request(r, orderScope(order.ID), "order.refund", order.ID.String(), body)
	if err != nil {
		return err
	}
	wish := RefundWish{ID: refundID(req), Fingerprint: req.Fingerprint, Order: order.ID, Seats: seats, Reason: body.Reason}
	return s.refund(w, r, ev, key, wish, http.StatusCreated)
}

// refund decides a refund for ops, or for the buyer as long as the event lets them.
func (s *server) refund(w http.ResponseWriter, r *http.Request, ev *Event, key *Key, wish RefundWish, status int) error {
	wish.Actor = "buyer"
	switch {
	case key != nil:
		wish.Actor = key.Name
	case ev.RefundsUntil.IsZero():
		return refuse(kindForbidden, "Tickets of this event are not taken back. Ask its organiser.")
	case !s.Now().Before(ev.RefundsUntil):
		return refuse(kindForbidden, fmt.Sprintf("Tickets of this event were taken back until %s. Ask its organiser.", stamp(ev.RefundsUntil)))
	}
	order, again, err := s.Orders.Refund(r.Context(), wish)
	if err != nil {
		return orderProblem(err)
	}
	if key != nil {
		s.audit(r, *key, "order.refund", prefixOrder+order.ID.String(), prefixRefund+wish.ID.String())
	}
	if again {
		replayed(w)
		status = http.StatusOK
	}
	return answer(w, status, s.orderDoc(ev, &order))
}
