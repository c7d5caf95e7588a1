package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// buyer is one client. It does one thing after the other.
type buyer struct {
	crowd *crowd
	wire  *wire
	dice  *rand.Rand
}

// held is a hold that was acknowledged.
type held struct {
	id, token string
	uuid      uuid.UUID
	segment   int // whose gap it counts for; 0 for one over several: it waits for the slowest
	segments  []int
	labels    []string
}

// Parts in a thousand of what a buyer does with a hold.
const (
	ofExtend = 300
	ofOrder  = 60 // a third of them cancel, a sixth are declined first, the others pay
	ofKept   = 2  // left as it is, to be found at the end
)

// ofWide is one in how many holds that takes seats of two sections, or places of the area with them: all or none.
const ofWide = 8

// visit is one hold and what comes of it.
func (b *buyer) visit(ctx context.Context) {
	h, ok := b.hold(ctx)
	if !ok {
		return
	}
	if b.dice.IntN(1000) < ofExtend && !b.touch(ctx, h, call{method: http.MethodPatch, path: "/v1/holds/" + h.id, body: map[string]bool{"extend": true}}, verbKeep) {
		return
	}
	switch n := b.dice.IntN(1000); {
	case n < ofKept:
	case n < ofKept+ofOrder:
		b.order(ctx, h)
	default:
		b.touch(ctx, h, call{method: http.MethodDelete, path: "/v1/holds/" + h.id}, verbDrop)
	}
}

// choose picks what to ask for: seats, now and then places in the standing area, and now and then some of both or of two sections.
func (b *buyer) choose() (segments []int, items []map[string]any) {
	for {
		segment, labels := b.crowd.pick(b.dice)
		switch {
		case slices.Contains(segments, segment):
			continue
		case b.dice.IntN(sections) == 0 || len(labels) == 0:
			return append(segments, b.crowd.places.standing), append(items, map[string]any{"area": standing, "quantity": 1 + b.dice.IntN(3)})
		}
		segments = append(segments, segment)
		for _, label := range labels {
			items = append(items, map[string]any{"seat": label})
		}
		if len(segments) == 2 || b.dice.IntN(ofWide) > 0 {
			return segments, items
		}
	}
}

// lateRefusal counts requests that were refused and of which there may be a copy on its way.
const lateRefusal = "refused, perhaps with a copy on its way"

// hold asks for seats, or for places in the standing area.
func (b *buyer) hold(ctx context.Context) (h held, ok bool) {
	segments, items := b.choose()
	segment := segments[0]
	if len(segments) > 1 {
		segment = 0
		b.crowd.book.note("holds over several segments")
	}
	var got struct {
		ID    string `json:"id"`
		Token string `json:"token"`
		Items []struct {
			Seat string `json:"seat"`
			Unit int    `json:"unit"`
		} `json:"items"`
	}
	from := time.Now()
	a, err := b.wire.ask(ctx, call{method: http.MethodPost, path: "/v1/events/" + eventSlug + "/holds", body: map[string]any{"items": items}, into: &got, segment: segment})
	if err != nil {
		b.crowd.book.failed("a hold was never answered: %v", err)
		return h, false
	}
	b.crowd.ops.Add(1)
	if !a.ok() {
		if a.tries > 1 || time.Since(from) > time.Second { // the edge sends again what is not answered
			b.crowd.book.note(lateRefusal)
		}
		if b.crowd.book.note("refused: " + a.problem); a.status == http.StatusForbidden {
			b.crowd.book.failed("%s: a hold was refused: %s %s", b.wire.name, a.problem, a.detail)
		}
		return h, false
	}
	h = held{id: got.ID, token: got.Token, segment: segment, segments: segments}
	if h.uuid, err = uuid.Parse(got.ID[min(len("hold_"), len(got.ID)):]); err != nil {
		b.crowd.book.failed("a hold has the id %q: %v", got.ID, err)
		return h, false
	}
	for _, i := range got.Items {
		if i.Seat == "" {
			i.Seat = unitLabel(i.Unit)
		}
		h.labels = append(h.labels, i.Seat)
	}
	b.crowd.history.add(h.labels, op{verb: verbHold, hold: h.uuid}, from, time.Now())
	return h, true
}

// touch does something with a hold, or with its order, that is one operation on its seats. It says whether that was done.
func (b *buyer) touch(ctx context.Context, h held, c call, v verb) bool {
	if c.header == nil {
		c.header, c.segment = map[string]string{"X-Hold-Token": h.token}, h.segment
	}
	from := time.Now()
	a, err := b.wire.ask(ctx, c)
	o := op{verb: v, hold: h.uuid, open: err != nil}
	switch {
	case err != nil:
		b.crowd.book.failed("%s %s was never answered: %v", c.method, c.path, err)
	case a.gone():
		o.verb = verbGone
		b.crowd.book.failed("%s: %s %s: a hold that was promised is told to be gone: %d %s %s", b.wire.name, c.method, c.path, a.status, a.problem, a.detail)
	case !a.ok():
		b.crowd.book.failed("%s: %s %s: %d %s %s", b.wire.name, c.method, c.path, a.status, a.problem, a.detail)
		return false
	}
	b.crowd.ops.Add(1)
	if o.verb != verbKeep || !o.open { // what nobody knows and changes nothing says nothing
		b.crowd.history.add(h.labels, o, from, time.Now())
	}
	return err == nil && o.verb == v
}

// orderDoc is an order as the API tells it.
type orderDoc struct {
	ID    string `json:"id"`
	Token string `json:"token"`
	State string `json:"state"`
}

// order opens the order and then cancels it or pays.
func (b *buyer) order(ctx context.Context, h held) {
	var o orderDoc
	if !b.touch(ctx, h, call{method: http.MethodPost, path: "/v1/holds/" + h.id + "/order", body: struct{}{}, into: &o}, verbKeep) {
		return
	}
	mine := map[string]string{"X-Order-Token": o.Token}
	cancel := call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/cancel", header: mine, body: struct{}{}}
	switch b.dice.IntN(6) {
	case 0, 1:
		b.touch(ctx, h, cancel, verbDrop)
	case 2:
		if b.pay(ctx, h, o, "decline", "pending_payment") {
			b.touch(ctx, h, cancel, verbDrop)
		}
	default:
		b.pay(ctx, h, o, "success", "issued")
	}
}

// pay starts a payment, presses a button at the bank, and waits until the order is in the state that follows.
func (b *buyer) pay(ctx context.Context, h held, o orderDoc, button, until string) bool {
	var p struct {
		PayURL string `json:"pay_url"`
	}
	mine := map[string]string{"X-Order-Token": o.Token}
	if !b.touch(ctx, h, call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/payments", header: mine, body: map[string]string{"provider": "sandbox"}, into: &p}, verbKeep) {
		return false
	}
	from := time.Now()
	if !b.press(ctx, p.PayURL, button) {
		return false
	}
	state := b.follow(ctx, o, until)
	switch {
	case state == "expired": // the payment came too late: the order ended, and its hold with it
		b.crowd.book.note("paid too late")
		b.crowd.history.add(h.labels, op{verb: verbDrop, hold: h.uuid}, from, time.Now())
	case until == "issued":
		b.crowd.history.add(h.labels, op{verb: verbSell, hold: h.uuid, open: state != until}, from, time.Now())
		for _, segment := range h.segments {
			b.crowd.soldOut(segment, h.labels)
		}
		b.crowd.sales.Add(int64(len(h.labels)))
	}
	return state == until
}

// press presses a button of the bank's page.
func (b *buyer) press(ctx context.Context, url, button string) bool {
	a, err := b.wire.ask(ctx, call{method: http.MethodPost, path: url, body: map[string]string{"action": button}})
	if err != nil || !a.ok() {
		b.crowd.book.failed("the bank's button %s: %d %s %v", button, a.status, a.problem, err)
		return false
	}
	b.crowd.ops.Add(1)
	return true
}

// follow reads the order until it has come to a state, or to its end, and gives the last state.
func (b *buyer) follow(ctx context.Context, o orderDoc, until string) string {
	begin := time.Now()
	state := o.State
	for wait := 20 * time.Millisecond; time.Since(begin) < payMax; wait = min(2*wait, 500*time.Millisecond) {
		var now orderDoc
		a, err := b.wire.ask(ctx, call{method: http.MethodGet, path: "/v1/orders/" + o.ID, header: map[string]string{"X-Order-Token": o.Token}, into: &now})
		if err != nil || !a.ok() {
			b.crowd.book.failed("order %s: %d %s %s %v", o.ID, a.status, a.problem, a.detail, err)
			return ""
		}
		b.crowd.ops.Add(1)
		if state = now.State; state == until || state == "expired" {
			return state
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ""
		}
	}
	b.crowd.book.failed("order %s is still %s after %v, and not %s", o.ID, state, payMax, until)
	return ""
}
