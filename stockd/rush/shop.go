package rush

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Line is a seat of a hold or an order, or a unit of an area.
type Line struct {
	Seat string `json:"seat"`
	Area string `json:"area"`
	Unit int    `json:"unit"`
}

func (l Line) label() string {
	if l.Seat != "" {
		return l.Seat
	}
	return fmt.Sprintf("%s %d", l.Area, l.Unit)
}

// Hold is an acknowledged hold.
type Hold struct {
	ID         string `json:"id"`
	Token      string `json:"token"`
	State      string `json:"state"`
	ExpiresInS int    `json:"expires_in_s"`
	Items      []Line `json:"items"`
}

// Order is an acknowledged order.
type Order struct {
	ID    string `json:"id"`
	Token string `json:"token"`
	State string `json:"state"`
	Lines []Line `json:"lines"`
}

// Payment is a payment that was started.
type Payment struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	PayURL string `json:"pay_url"`
}

// Ticket is a ticket that was issued.
type Ticket struct {
	ID   string `json:"id"`
	Seat string `json:"seat"`
	Code string `json:"code"`
}

// Availability are the counts of an event.
type Availability struct {
	Capacity, Free, Held, Sold int
	AreaFree                   map[string]int // by area
	Stale                      bool
}

type availabilityJSON struct {
	Stale  bool                                     `json:"stale"`
	Totals struct{ Capacity, Free, Held, Sold int } `json:"totals"`
	Parts  []struct {
		Section string `json:"section"`
		Area    bool   `json:"area"`
		Free    int    `json:"free"`
	} `json:"segments"`
}

// Event is the event as the API shows it.
type Event struct {
	ID       string `json:"id"`
	Slug     string `json:"slug"`
	Name     string `json:"name"`
	State    string `json:"state"`
	Room     string `json:"room"`
	Capacity int    `json:"capacity"`
	Limits   struct {
		Tid int `json:"tid"`
	} `json:"limits"`
	HoldTTL int `json:"hold_ttl_s"`
}

// seatMap is the part of the map that fans look at: the seats of each segment in order.
type seatMap struct {
	Segments []struct {
		No      int    `json:"segment"`
		Section string `json:"section"`
		Seats   []struct {
			ID string `json:"id"`
			C  int    `json:"c"`
		} `json:"seats"`
	} `json:"segments"`
}

func eventPath(event string) string { return "/v1/events/" + url.PathEscape(event) }

func (v *visitor) event(ctx context.Context, event string) (e Event, err error) {
	_, _, err = v.do(ctx, call{method: http.MethodGet, path: eventPath(event), into: &e})
	return e, err
}

func (v *visitor) seatMap(ctx context.Context, event string) (m seatMap, err error) {
	_, _, err = v.do(ctx, call{method: http.MethodGet, path: eventPath(event) + "/map", into: &m})
	return m, err
}

func (v *visitor) availability(ctx context.Context, event string) (a Availability, err error) {
	var j availabilityJSON
	if _, _, err = v.do(ctx, call{method: http.MethodGet, path: eventPath(event) + "/availability", into: &j}); err != nil {
		return a, err
	}
	a = Availability{Capacity: j.Totals.Capacity, Free: j.Totals.Free, Held: j.Totals.Held, Sold: j.Totals.Sold, Stale: j.Stale, AreaFree: map[string]int{}}
	for _, p := range j.Parts {
		if p.Area {
			a.AreaFree[p.Section] += p.Free
		}
	}
	return a, nil
}

// freeSeats gives the seats that are free, by segment and index, as somebody sees them who looks at the map.
func (v *visitor) freeSeats(ctx context.Context, event string) (free map[int][]int, err error) {
	var j struct {
		Seats map[int][]byte `json:"seats"`
	}
	if _, _, err = v.do(ctx, call{method: http.MethodGet, path: eventPath(event) + "/availability?seats=1", into: &j}); err != nil {
		return nil, err
	}
	free = map[int][]int{}
	for segment, states := range j.Seats {
		for i, four := range states {
			for k := range 4 {
				if four>>(2*k)&3 == 0 {
					free[segment] = append(free[segment], 4*i+k)
				}
			}
		}
	}
	return free, nil
}

// wish is the body of a hold.
type wish struct {
	Items      []wishItem `json:"items,omitempty"`
	Best       *wishBest  `json:"best_available,omitempty"`
	OnConflict string     `json:"on_conflict,omitempty"`
	TTL        int        `json:"ttl_s,omitempty"`
}

type wishItem struct {
	Seat     string `json:"seat,omitempty"`
	Area     string `json:"area,omitempty"`
	Quantity int    `json:"quantity,omitempty"`
}

type wishBest struct {
	Quantity   int    `json:"quantity"`
	Together   string `json:"together,omitempty"`
	Accessible int    `json:"accessible,omitempty"`
}

func (v *visitor) hold(ctx context.Context, event string, w wish) (h Hold, err error) {
	c := call{method: http.MethodPost, path: eventPath(event) + "/holds", body: w, into: &h}
	if v.key != "" {
		c.header = map[string]string{"Authorization": "Bearer " + v.key}
	}
	_, _, err = v.do(ctx, c)
	return h, err
}

func (v *visitor) release(ctx context.Context, h Hold) error {
	_, _, err := v.do(ctx, call{method: http.MethodDelete, path: "/v1/holds/" + h.ID, header: holdToken(h)})
	return err
}

func holdToken(h Hold) map[string]string { return map[string]string{"X-Hold-Token": h.Token} }

func orderToken(token string) map[string]string { return map[string]string{"X-Order-Token": token} }

func (v *visitor) order(ctx context.Context, h Hold, name string) (o Order, err error) {
	body := map[string]any{"buyer": map[string]string{"name": name, "email": "fan@example.org"}}
	_, _, err = v.do(ctx, call{method: http.MethodPost, path: "/v1/holds/" + h.ID + "/order", header: holdToken(h), body: body, into: &o})
	return o, err
}

func (v *visitor) getOrder(ctx context.Context, id, token string) (o Order, err error) {
	_, _, err = v.do(ctx, call{method: http.MethodGet, path: "/v1/orders/" + id, header: orderToken(token), into: &o})
	return o, err
}

func (v *visitor) cancel(ctx context.Context, o Order) error {
	_, _, err := v.do(ctx, call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/cancel", header: orderToken(o.Token), body: struct{}{}})
	return err
}

func (v *visitor) startPayment(ctx context.Context, o Order) (p Payment, err error) {
	body := map[string]string{"provider": "sandbox", "return_url": "/tickets"}
	_, _, err = v.do(ctx, call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/payments", header: orderToken(o.Token), body: body, into: &p})
	return p, err
}

// press presses a button of the sandbox's pay page.
func (v *visitor) press(ctx context.Context, p Payment, action string) error {
	_, _, err := v.do(ctx, call{method: http.MethodPost, path: p.PayURL, body: map[string]string{"action": action}})
	return err
}

// tickets gives the tickets of an order; ready is false while they are being issued.
func (v *visitor) tickets(ctx context.Context, id, token string) (list []Ticket, ready bool, err error) {
	var j struct {
		Tickets []Ticket `json:"tickets"`
	}
	status, _, err := v.do(ctx, call{method: http.MethodGet, path: "/v1/orders/" + id + "/tickets", header: orderToken(token), into: &j})
	return j.Tickets, status == http.StatusOK, err
}
