package api

import "net/http"

// seatOfferDoc are other seats for a buyer who paid when the order had ended.
type seatOfferDoc struct {
	Items   []itemDoc `json:"items"`
	Until   string    `json:"until"`
	UntilIn int64     `json:"until_in_s"`
}

func (s *server) seatOfferOf(ev *Event, o *Order) *seatOfferDoc {
	if o.Offer == nil {
		return nil
	}
	doc := &seatOfferDoc{Until: stamp(o.Offer.Until), UntilIn: secondsUntil(o.Offer.Until, s.Now())}
	for i, seat := range o.Offer.Seats {
		if i < len(o.Lines) {
			l := o.Lines[i]
			doc.Items = append(doc.Items, ev.item(seat, l.Type, priceDoc{l.Face, l.Fee, l.Tax, o.Currency}))
		}
	}
	return doc
}

type seatAnswer struct {
	Accept *bool `json:"accept"`
}

// postSeatOffer is the buyer's yes or no. A yes after a yes is a replay, whatever its key.
func (s *server) postSeatOffer(w http.ResponseWriter, r *http.Request) error {
	order, ev, key, err := s.order(r)
	if err != nil {
		return err
	}
	var body seatAnswer
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if body.Accept == nil {
		return invalid(fault{"/accept", "Say true or false."})
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	after, again, err := s.Orders.AnswerOffer(r.Context(), order.ID, *body.Accept)
	if err != nil {
		return orderProblem(err)
	}
	if key != nil {
		s.audit(r, *key, "order.offer", prefixOrder+order.ID.String(), map[bool]string{true: "accepted", false: "declined"}[*body.Accept])
	}
	if again {
		replayed(w)
	}
	return answer(w, http.StatusOK, s.orderDoc(ev, &after))
}
