package api

import (
	"errors"
	"net/http"
	"time"
)

// How long an order's link opens it, in seconds.
const (
	linkTTLDefault = 7 * 24 * 3600
	linkTTLMin     = 60
	linkTTLMax     = 90 * 24 * 3600
)

// ErrLinkOver says that an order's link is too old; ErrLink that it is none.
var (
	ErrLinkOver = errors.New("the link's time is over")
	ErrLink     = errors.New("not a link of an order")
)

type linkDoc struct {
	URL       string `json:"url"`
	ExpiresAt string `json:"expires_at"`
	ExpiresIn int64  `json:"expires_in_s"`
}

// postLink makes the link that opens an order on another device. It is computed, so that the same request gets one as good.
func (s *server) postLink(w http.ResponseWriter, r *http.Request) error {
	order, _, key, err := s.order(r)
	if err != nil {
		return err
	}
	var body offerBody
	if err := decodeBody(w, r, &body, true); err != nil {
		return err
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	ttl := int64(linkTTLDefault)
	if body.TTL != nil {
		if ttl = *body.TTL; ttl < linkTTLMin || ttl > linkTTLMax {
			var f faults
			f.add("/ttl_s", "%d to %d seconds.", linkTTLMin, linkTTLMax)
			return invalid(f...)
		}
	}
	until := s.Now().Add(time.Duration(ttl) * time.Second)
	if key != nil {
		s.audit(r, *key, "order.link", prefixOrder+order.ID.String(), "")
	}
	// Behind the #: browsers do not send that part, so no server and no proxy has it in its log.
	return answer(w, http.StatusCreated, linkDoc{URL: "/o/#" + s.Orders.OrderLink(order.ID, until), ExpiresAt: stamp(until), ExpiresIn: ttl})
}

type openLinkBody struct {
	Link *string `json:"link"`
}

// postOpenLink opens an order by its link: the browser gets the order's cookie.
func (s *server) postOpenLink(w http.ResponseWriter, r *http.Request) error {
	var body openLinkBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	id, err := s.Orders.OpenOrderLink(value(body.Link), s.Now())
	switch {
	case errors.Is(err, ErrLinkOver):
		return refuse(kindExpired, "The link has expired. Make a new one on the device where the order is open, or ask whoever sold the tickets.").because(err)
	case err != nil:
		return refuse(kindNotYours, "This is not a link of an order, or only a part of one. Copy the whole of it.").because(err)
	}
	order, found, err := s.Orders.Get(r.Context(), id)
	if err != nil {
		return err
	}
	if !found {
		return refuse(kindNotFound, "There is no such order.")
	}
	ev, ok := s.Node.EventByNumber(order.Event)
	if !ok {
		return ErrMoving
	}
	doc := s.orderDoc(ev, &order)
	s.setToken(w, r, doc.ID, doc.Token, s.Now().Add(orderCookieFor))
	return answer(w, http.StatusOK, doc)
}
