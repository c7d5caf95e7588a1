package chaos

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
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
func (b *buyer) hold(ctx context.Context) (held, bool) {
	segments, items := b.choose()
	return b.take(ctx, segments, items)
}

// take holds what is named.
func (b *buyer) take(ctx context.Context, segments []int, items []map[string]any) (h held, ok bool) {
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
	Hold  string `json:"hold"`
	State string `json:"state"`
	Total int64  `json:"total"`
	Lines []struct {
		Seat string `json:"seat"`
		Unit int    `json:"unit"`
	} `json:"lines"`
	Refunds []struct {
		State  string `json:"state"`
		Amount int64  `json:"amount"`
	} `json:"refunds"`
	Offer *struct{} `json:"offer"`
}

// mine is the header that shows whose order it is.
func (o *orderDoc) mine() map[string]string { return map[string]string{"X-Order-Token": o.Token} }

// labels are the order's seats.
func (o *orderDoc) labels() (all []string) {
	for _, l := range o.Lines {
		if l.Seat == "" {
			l.Seat = unitLabel(l.Unit)
		}
		all = append(all, l.Seat)
	}
	return all
}

// ofLate is one in how many payments that succeed only when their order has expired.
const ofLate = 16

// order opens the order and then cancels it or pays.
func (b *buyer) order(ctx context.Context, h held) {
	var o orderDoc
	if !b.touch(ctx, h, call{method: http.MethodPost, path: "/v1/holds/" + h.id + "/order", body: struct{}{}, into: &o}, verbKeep) {
		return
	}
	cancel := call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/cancel", header: o.mine(), body: struct{}{}}
	switch b.dice.IntN(6) {
	case 0, 1:
		b.touch(ctx, h, cancel, verbDrop)
	case 2:
		if b.decline(ctx, h, o) {
			b.touch(ctx, h, cancel, verbDrop)
		}
	default:
		button := "success"
		if b.dice.IntN(ofLate) == 0 {
			button = "late"
		}
		if h, ok := b.pay(ctx, h, o, button); ok {
			b.after(ctx, h)
		}
	}
}

// begin starts a payment and gives the address of the bank's page.
func (b *buyer) begin(ctx context.Context, h held, o orderDoc) (page string, ok bool) {
	var p struct {
		PayURL string `json:"pay_url"`
	}
	ok = b.touch(ctx, h, call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/payments", header: o.mine(), body: map[string]string{"provider": "sandbox"}, into: &p}, verbKeep)
	return p.PayURL, ok
}

// decline has a payment declined: the order waits for another.
func (b *buyer) decline(ctx context.Context, h held, o orderDoc) bool {
	page, ok := b.begin(ctx, h, o)
	if _, pressed := b.press(ctx, page, "decline"); !ok || !pressed {
		return false
	}
	_, ok = b.follow(ctx, o, "pending_payment", "expired")
	return ok
}

// pay starts a payment, presses a button at the bank, and waits until it is decided what the buyer has: the seats, others that they took when they
// paid late, or their money.
func (b *buyer) pay(ctx context.Context, h held, o orderDoc, button string) (bought, bool) {
	page, ok := b.begin(ctx, h, o)
	if !ok {
		return bought{}, false
	}
	from := time.Now()
	if _, ok := b.press(ctx, page, button); !ok {
		return bought{}, false
	}
	o, ok = b.decided(ctx, h, o, page)
	now := time.Now()
	note := func(labels []string, v verb, hold uuid.UUID, open bool) {
		b.crowd.history.add(labels, op{verb: v, hold: hold, open: open}, from, now)
	}
	if !ok { // nobody knows
		note(h.labels, verbSell, h.uuid, true)
		return bought{}, false
	}
	if o.State != "issued" {
		b.crowd.book.note("paid too late")
		note(h.labels, verbDrop, h.uuid, false)
		return bought{}, false
	}
	if o.Hold != h.id { // its seats had been given up, and it has taken them, or others, anew
		note(h.labels, verbDrop, h.uuid, false)
		h.id, h.labels = o.Hold, o.labels()
		h.uuid, _ = uuid.Parse(strings.TrimPrefix(o.Hold, "hold_")) // one that is none is found nowhere
		note(h.labels, verbHold, h.uuid, false)
	}
	note(h.labels, verbSell, h.uuid, false)
	b.crowd.sells(h.labels)
	return bought{held: h, order: o, page: page}, true
}

// press presses a button of the bank's page, and gives what the payment is now.
func (b *buyer) press(ctx context.Context, url, button string) (state string, ok bool) {
	var p struct {
		State string `json:"state"`
	}
	a, err := b.wire.ask(ctx, call{method: http.MethodPost, path: url, body: map[string]string{"action": button}, into: &p})
	if err != nil || !a.ok() {
		b.crowd.book.failed("the bank's button %s: %d %s %v", button, a.status, a.problem, err)
		return "", false
	}
	b.crowd.ops.Add(1)
	return p.State, true
}

// look reads the order.
func (b *buyer) look(ctx context.Context, o orderDoc) (orderDoc, bool) {
	var now orderDoc
	a, err := b.wire.ask(ctx, call{method: http.MethodGet, path: "/v1/orders/" + o.ID, header: o.mine(), into: &now})
	if err != nil || !a.ok() {
		b.crowd.book.failed("order %s: %d %s %s %v", o.ID, a.status, a.problem, a.detail, err)
		return o, false
	}
	b.crowd.ops.Add(1)
	now.Token = o.Token
	return now, true
}

// follow reads the order until it has come to one of some states.
func (b *buyer) follow(ctx context.Context, o orderDoc, until ...string) (orderDoc, bool) {
	return b.watch(ctx, o, func(o orderDoc) bool { return slices.Contains(until, o.State) })
}

// watch reads the order until something is so.
func (b *buyer) watch(ctx context.Context, o orderDoc, until func(orderDoc) bool) (orderDoc, bool) {
	begin := time.Now()
	for wait := 20 * time.Millisecond; time.Since(begin) < payMax; wait = min(2*wait, 500*time.Millisecond) {
		now, ok := b.look(ctx, o)
		if !ok || until(now) {
			return now, ok
		}
		o = now
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return o, false
		}
	}
	b.crowd.book.failed("order %s is still %s after %v", o.ID, o.State, payMax)
	return o, false
}
