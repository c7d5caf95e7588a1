package sim

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// client is a buyer, who holds, extends, releases, orders and pays; who sends the same again when no answer comes, and sometimes when it came.
type client struct {
	w        *World
	no       int
	keys     uint64
	stubborn bool // goes on when others have left
}

func newClient(w *World, no int) *client {
	c := &client{w: w, no: no}
	w.after(w.between(100*time.Millisecond, 700*time.Millisecond), c.wish)
	return c
}

// number makes an id of a kind.
func number(kind byte, n uint64) uuid.UUID {
	var id uuid.UUID
	id[0] = kind
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// request is a new request of the client's.
func (c *client) request() stock.Request {
	c.keys++
	n := uint64(c.no)<<32 | c.keys
	return stock.Request{Scope: number(1, uint64(c.no)), Key: number(2, n), Fingerprint: number(3, n)}
}

// documentMax is how many tickets one document may stand for.
const documentMax = 3

// wish is one visit: a hold, and what follows from it. Then comes the next.
func (c *client) wish() {
	if c.w.calm {
		return
	}
	c.w.after(c.w.between(150*time.Millisecond, 900*time.Millisecond), c.wish)
	if c.w.plan.wide && c.w.chance(4) {
		c.wishWide()
		return
	}
	ref := c.w.catalog[c.w.rng.IntN(len(c.w.catalog))]
	cmd := stock.Command{Kind: stock.KindHold, Event: ref.Event, Segment: ref.Segment, Request: c.request(), Ask: c.ask(ref.Segment), TTL: holdTTL, MaxTTL: holdMaxTTL}
	cmd.Hold = stock.NewCoordinatedID(ref.Part, cmd.Request.Scope, cmd.Request.Key, "hold")
	cmd.Quotas = c.quotas()
	cmd.Quotas = append(cmd.Quotas, c.documents(0, int(cmd.Ask.Quantity)+len(cmd.Ask.Seats))...)
	c.send(cmd, func(t told, sent time.Duration) {
		if t.Hold != nil && (t.Code == stock.CodeOK || t.Code == stock.CodeReplay) {
			c.w.some[SawGranted]++
			c.holding(cmd, t.Hold)
		}
	})
}

// documents are those of a client's tickets from one on, if it is a real-name sale: friends buy for each other, and sometimes two tickets for one.
func (c *client) documents(from, tickets int) (documents []stock.Quota) {
	if c.no%2 > 0 {
		return nil
	}
	for i := range tickets {
		documents = append(documents, stock.Quota{Dimension: stock.DimensionDocument, Key: number(6, uint64(c.no/4*2+(from+i)/2)), Limit: documentMax})
	}
	return documents
}

func (c *client) quotas() []stock.Quota {
	quotas := []stock.Quota{{Dimension: stock.DimensionTid, Key: number(4, uint64(c.no)), Limit: c.w.plan.limitTid}}
	if c.no%3 != 0 {
		quotas = append(quotas, stock.Quota{Dimension: stock.DimensionAccount, Key: number(5, uint64(c.no/2)), Limit: c.w.plan.limitAccount})
	}
	return quotas
}

// ask draws what to ask for.
func (c *client) ask(no stock.SegmentNo) stock.Ask {
	ask := stock.Ask{Quantity: 1 + c.w.rng.Int32N(c.w.plan.partyMax), Together: stock.Together(c.w.rng.IntN(3)), Orphans: stock.Orphans(c.w.rng.IntN(3))}
	if c.w.plan.area && int(no) >= c.w.plan.segments {
		if c.w.plan.shares > 1 {
			return stock.Ask{Quantity: ask.Quantity}
		}
		return stock.Ask{Quantity: min(ask.Quantity, 2)}
	}
	if c.w.chance(3) { // a named seat, and perhaps its neighbour
		i := c.w.rng.Int32N(hallOf(no).Capacity())
		ask = stock.Ask{Seats: []stock.SeatAsk{{Seat: stock.NewSeatID(no, i)}}, Nearest: c.w.chance(2)}
		if i > 0 && c.w.chance(2) {
			ask.Seats = append(ask.Seats, stock.SeatAsk{Seat: stock.NewSeatID(no, i-1)})
		}
	}
	return ask
}

// tries is how often a client sends one request before it gives up.
const tries = 6

// send sends a command until there is an answer, each time under the same key, to any node.
func (c *client) send(cmd stock.Command, then func(t told, sent time.Duration)) {
	if c.w.plan.duplicates && c.w.chance(5) {
		c.w.after(c.w.between(0, 1200*time.Millisecond), func() {
			c.w.some[SawDuplicate]++
			c.once(cmd, func(told, time.Duration) {})
		})
	}
	c.again(cmd, 0, then)
}

func (c *client) again(cmd stock.Command, try int, then func(t told, sent time.Duration)) {
	c.once(cmd, func(t told, sent time.Duration) {
		retry := t.problem != owner.ProblemNone || t.Code == stock.CodeBusy || t.Code == stock.CodeKeyInFlight
		if !retry || try == tries-1 || c.w.calm && try > 1 && !c.stubborn {
			then(t, sent)
			return
		}
		c.w.some[SawRetry]++
		c.w.after(c.w.between(10*time.Millisecond, 80*time.Millisecond), func() { c.again(cmd, try+1, then) })
	})
}

// once sends a command once and waits as long as the client has patience.
func (c *client) once(cmd stock.Command, then func(t told, sent time.Duration)) {
	w := c.w
	sent := w.now
	answered := false
	answer := func(t told) {
		if !answered {
			answered = true
			then(t, sent)
		}
	}
	w.check.asked(&cmd)
	if p := w.anybody(); p != nil {
		w.after(w.hop(), func() {
			p.deliver(func() {
				p.serve(cmd, func(t told) {
					p.leave(func() {
						w.check.heard(c, &cmd, t, sent)
						answer(t)
					})
				})
			})
		})
	}
	w.after(w.plan.patience, func() { answer(told{problem: owner.ProblemLedgerAway}) })
}

// serve runs a client's command: a hold in an area with several segments wherever there is enough.
func (p *process) serve(cmd stock.Command, then func(told)) {
	if wish, wide := p.w.wides[cmd.Hold]; wide {
		p.serveWide(wish, cmd, then)
		return
	}
	if cmd.Kind == stock.KindHold {
		if refs := p.w.refs(cmd.Event, cmd.Segment); refs != nil {
			p.doInArea(cmd, refs, then)
			return
		}
	}
	p.do(cmd, then)
}

// holding is what a client does with a hold.
func (c *client) holding(cmd stock.Command, view *stock.HoldView) {
	hold := *view
	c.w.after(c.w.between(5*time.Millisecond, 900*time.Millisecond), func() {
		change := stock.Command{Event: hold.Event, Segment: hold.Segment, Hold: hold.ID, Request: c.request(), TTL: holdTTL}
		if c.w.chance(4) {
			change.Segment, change.Event = 0, 0 // the hold's id says where it is
		}
		switch c.w.rng.IntN(10) {
		case 0:
			change.Kind = stock.KindRelease
			c.send(change, func(told, time.Duration) {})
		case 1, 2:
			change.Kind = stock.KindExtend
			c.send(change, func(t told, _ time.Duration) {
				if t.Code == stock.CodeOK && t.problem == owner.ProblemNone && !c.w.calm {
					c.w.some[SawExtended]++
					c.holding(cmd, &hold)
				}
			})
		case 3:
			c.once(cmd, func(told, time.Duration) {}) // the same request again: what is left of the hold?
		case 4:
		default:
			c.order(change, &hold)
		}
	})
}

// order opens an order on a hold and pays it.
func (c *client) order(change stock.Command, hold *stock.HoldView) {
	id := stock.NewCoordinatedID(stock.CoordinatorOf(hold.ID), change.Request.Scope, change.Request.Key, "order")
	open := &stock.NewOrder{ID: id, Buyer: "b", Currency: "EUR"}
	for _, seat := range hold.Seats {
		open.Lines = append(open.Lines, stock.OrderLine{Seat: seat.Seat, Type: seat.Type, Face: 1000 + int64(seat.Category)*500, Fee: 90, Tax: 7})
	}
	change.Kind, change.NewOrder, change.Order = stock.KindOrder, open, id
	c.send(change, func(t told, _ time.Duration) {
		if t.problem != owner.ProblemNone || t.Code != stock.CodeOK && t.Code != stock.CodeReplay {
			return
		}
		if c.w.chance(8) { // changes their mind
			cancel := stock.Command{Kind: stock.KindRelease, Event: hold.Event, Segment: hold.Segment, Hold: hold.ID, Order: id, Request: c.request()}
			c.send(cancel, func(told, time.Duration) {})
			return
		}
		c.pay(id, 0)
	})
}

// pay asks any node to begin a payment, looks how it ends, and tries once more when it fails.
func (c *client) pay(id uuid.UUID, try int) {
	w := c.w
	if p := w.anybody(); p != nil {
		p.deliver(func() { p.startPayment(id, func(bool) {}) })
		if w.chance(6) {
			if q := w.anybody(); q != nil { // twice, at two nodes
				q.deliver(func() { q.startPayment(id, func(bool) {}) })
			}
		}
	}
	c.look(id, try, 8)
}

// look asks what became of an order.
func (c *client) look(id uuid.UUID, try, looks int) {
	w := c.w
	w.after(w.between(60*time.Millisecond, 300*time.Millisecond), func() {
		p := w.anybody()
		if p == nil || looks == 0 {
			return
		}
		heard := false
		p.deliver(func() {
			p.getOrder(id, func(o Order, _ []Payment, ok bool) {
				if !ok {
					return
				}
				heard = true
				switch {
				case o.State == order.Paid || o.State == order.Issued:
					w.check.paid(id)
					if o.State == order.Paid && w.chance(2) {
						c.look(id, try, looks-1)
					} else if w.chance(3) {
						c.giveBack(&o)
					}
				case o.State == order.PendingPayment && o.Attempt > 0 && try < 3 && !w.calm:
					w.some[SawSecondAttempt]++
					c.pay(id, try+1)
				case o.State == order.PendingPayment, o.State == order.Paying:
					if o.State == order.PendingPayment && try < 3 && !w.calm {
						c.pay(id, try+1)
						return
					}
					c.look(id, try, looks-1)
				}
			})
		})
		w.after(500*time.Millisecond, func() {
			if !heard {
				c.look(id, try, looks-1)
			}
		})
	})
}
