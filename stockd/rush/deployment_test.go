package rush

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// shop is a small deployment in memory, to test the crowd against: it keeps its promises, apart from the faults that a test asks for.
type shop struct {
	seats  int
	faults map[string]bool

	mu     sync.Mutex // guards what follows
	taken  map[int]string
	holds  map[string]*shopHold
	orders map[string]*shopOrder
	keys   map[string]string // idempotency key → what it made
	inside int
	most   int
	busy   int
}

type shopHold struct {
	seats []int
	until time.Time
	order string
}

type shopOrder struct {
	hold, state string
	lines       []Line
}

const shopSlots = 20

func newShop(t *testing.T, seats int, faults ...string) (*shop, string) {
	t.Helper()
	s := &shop{seats: seats, faults: map[string]bool{}, taken: map[int]string{}, holds: map[string]*shopHold{}, orders: map[string]*shopOrder{}, keys: map[string]string{}}
	for _, f := range faults {
		s.faults[f] = true
	}
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(*http.Request) (int, any){
		"POST /.wr/v1/demo/join": func(*http.Request) (int, any) { return 200, standing{State: "eligible", NextPollMs: 5} },
		"GET /.wr/v1/demo/place": func(*http.Request) (int, any) { return 200, standing{State: "eligible", NextPollMs: 5} },
		"GET /.wr/v1/demo/frontier": func(*http.Request) (int, any) {
			return 200, frontier{Rate: 500, Inside: s.inside, MaxActive: shopSlots}
		},
		"POST /.wr/v1/demo/claim": s.claim,
		"POST /.wr/v1/demo/leave": func(*http.Request) (int, any) { s.inside--; return 204, nil },
		"GET /v1/events/demo": func(*http.Request) (int, any) {
			return 200, Event{ID: "evt_1", Slug: "demo", Name: "Test", Room: "demo", Capacity: s.seats}
		},
		"GET /v1/events/demo/map":          s.seatMap,
		"GET /v1/events/demo/availability": s.availability,
		"POST /v1/events/demo/holds":       s.hold,
		"DELETE /v1/holds/{id}":            s.release,
		"POST /v1/holds/{id}/order":        s.order,
		"GET /v1/orders/{id}":              s.getOrder,
		"POST /v1/orders/{id}/cancel":      s.cancel,
		"POST /v1/orders/{id}/payments":    s.payment,
		"POST /sandbox/pay/{id}":           s.press,
		"GET /v1/orders/{id}/tickets":      s.tickets,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			status, body := h(r)
			s.mu.Unlock()
			if status >= 400 {
				w.Header().Set("Content-Type", "application/problem+json")
			}
			if status == 503 {
				w.Header().Set("X-Stockd-Retry-After-Ms", "1")
			}
			w.WriteHeader(status)
			if body != nil {
				_ = json.NewEncoder(w).Encode(body)
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return s, server.URL
}

func problemOf(status int, kind string) (int, any) {
	return status, map[string]any{"type": "/problems/" + kind, "title": kind, "status": status}
}

func (s *shop) claim(*http.Request) (int, any) {
	if s.inside >= shopSlots {
		return 202, standing{State: "eligible", NextPollMs: 5}
	}
	s.inside++
	s.most = max(s.most, s.inside)
	return 201, standing{State: "admitted"}
}

func (s *shop) seatMap(*http.Request) (int, any) {
	type seat struct {
		ID string `json:"id"`
		C  int    `json:"c"`
	}
	var list []seat
	for i := range s.seats {
		list = append(list, seat{ID: fmt.Sprintf("N-1-%d", i)})
	}
	return 200, map[string]any{"segments": []map[string]any{{"segment": 1, "section": "N", "seats": list}}}
}

func (s *shop) expire() {
	for id, h := range s.holds {
		if h.order == "" && time.Now().After(h.until) {
			s.free(id)
		}
	}
}

func (s *shop) free(id string) {
	for _, i := range s.holds[id].seats {
		delete(s.taken, i)
	}
	delete(s.holds, id)
}

func (s *shop) availability(*http.Request) (int, any) {
	s.expire()
	held, sold := 0, 0
	states := make([]byte, (s.seats+3)/4)
	for i := range 4 * len(states) {
		if _, taken := s.taken[i]; taken || i >= s.seats {
			states[i/4] |= 1 << (2 * (i % 4))
		}
	}
	for _, id := range s.taken {
		if h := s.holds[id]; h != nil && h.order != "" && s.orders[h.order].state == "issued" {
			sold++
		} else {
			held++
		}
	}
	return 200, map[string]any{"seats": map[string][]byte{"1": states}, "totals": map[string]int{"Capacity": s.seats, "Free": s.seats - held - sold, "Held": held, "Sold": sold}}
}

func (s *shop) hold(r *http.Request) (int, any) {
	s.expire()
	var w wish
	_ = json.NewDecoder(r.Body).Decode(&w)
	if s.busy++; s.busy%7 == 0 {
		return problemOf(503, "segment-moving")
	}
	var seats []int
	for _, item := range w.Items {
		var i int
		_, _ = fmt.Sscanf(item.Seat, "N-1-%d", &i)
		if _, taken := s.taken[i]; taken {
			return problemOf(409, "seat-taken")
		}
		seats = append(seats, i)
	}
	for i := 0; w.Best != nil && i < s.seats && len(seats) < w.Best.Quantity; i++ {
		// Every tenth seat is for those who need it, or find it on the map.
		if _, taken := s.taken[i]; !taken && (i%10 != 9 || w.Best.Accessible > 0) {
			seats = append(seats, i)
		}
	}
	if w.Best != nil && len(seats) < w.Best.Quantity {
		return problemOf(409, "all-held")
	}
	id := "hold_" + uuid.NewString()
	ttl := time.Minute
	if w.TTL > 0 {
		ttl = 30 * time.Millisecond // the test has no time for seconds
	}
	s.holds[id] = &shopHold{seats: seats, until: time.Now().Add(ttl)}
	out := Hold{ID: id, Token: "t", State: "held"}
	for _, i := range seats {
		s.taken[i] = id
		out.Items = append(out.Items, Line{Seat: fmt.Sprintf("N-1-%d", i)})
	}
	if s.faults["lose holds"] && s.busy%5 == 0 {
		s.free(id)
	}
	return 201, out
}

func (s *shop) release(r *http.Request) (int, any) {
	if s.holds[r.PathValue("id")] != nil {
		s.free(r.PathValue("id"))
	}
	return 204, nil
}

func (s *shop) order(r *http.Request) (int, any) {
	s.expire()
	id := r.PathValue("id")
	h := s.holds[id]
	if h == nil {
		return problemOf(410, "hold-expired")
	}
	o := &shopOrder{hold: id, state: "pending_payment"}
	for _, i := range h.seats {
		o.lines = append(o.lines, Line{Seat: fmt.Sprintf("N-1-%d", i)})
	}
	h.order = "ord_" + uuid.NewString()
	s.orders[h.order] = o
	return 201, Order{ID: h.order, Token: "t", State: o.state, Lines: o.lines}
}

func (s *shop) getOrder(r *http.Request) (int, any) {
	id := r.PathValue("id")
	o := s.orders[id]
	if o == nil {
		return problemOf(404, "not-found")
	}
	return 200, Order{ID: id, Token: "t", State: o.state, Lines: o.lines}
}

func (s *shop) cancel(r *http.Request) (int, any) {
	o := s.orders[r.PathValue("id")]
	o.state = "cancelled"
	s.free(o.hold)
	return 200, Order{State: o.state}
}

func (s *shop) payment(r *http.Request) (int, any) {
	id := r.PathValue("id")
	s.orders[id].state = "paying"
	return 201, Payment{ID: "pay_1", PayURL: "/sandbox/pay/" + id}
}

func (s *shop) press(r *http.Request) (int, any) {
	var b struct{ Action string }
	_ = json.NewDecoder(r.Body).Decode(&b)
	id := r.PathValue("id")
	o := s.orders[id]
	switch b.Action {
	case "decline":
		o.state = "pending_payment"
	default:
		o.state = "issued"
	}
	return 200, nil
}

func (s *shop) tickets(r *http.Request) (int, any) {
	var list []Ticket
	for _, l := range s.orders[r.PathValue("id")].lines {
		if s.faults["sell twice"] {
			l.Seat = "N-1-0"
		}
		list = append(list, Ticket{ID: "tkt_" + r.PathValue("id") + l.Seat, Seat: l.Seat})
	}
	if id := r.PathValue("id"); s.faults["forget sales"] && len(list)%2 == 0 {
		s.free(s.orders[id].hold)
		delete(s.orders, id)
	}
	return 200, map[string]any{"tickets": list}
}
