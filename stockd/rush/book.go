package rush

import (
	"fmt"
	"time"
)

// promise is one order that the API acknowledged, and how far it got as its fan saw it.
type promise struct {
	id, token string
	seats     int
	paid      bool // "paid" or "issued" was answered
	lines     []string
}

// book keeps every promise that fans were given, to be checked at the end.
type book struct {
	orders  map[string]*promise
	tickets map[string]string // seat or unit → ticket that was issued for it
	doubled []string          // seats with two tickets
	lost    []string          // holds that ended before their time
}

func newBook() book {
	return book{orders: map[string]*promise{}, tickets: map[string]string{}}
}

// opened keeps an order that was acknowledged.
func (t *tally) opened(now time.Time, o Order) {
	t.note(now, func(c *counts, _ *Row) {
		c.Orders++
		p := &promise{id: o.ID, token: o.Token, seats: len(o.Lines)}
		for _, line := range o.Lines {
			p.lines = append(p.lines, line.label())
		}
		t.ledger.orders[o.ID] = p
	})
}

// paid keeps that an order was seen paid; took is the time since its payment was started.
func (t *tally) paid(now time.Time, order string, took time.Duration) {
	t.note(now, func(c *counts, r *Row) {
		p := t.ledger.orders[order]
		if p == nil || p.paid {
			return
		}
		p.paid = true
		c.Paid++
		c.PaidSeats += p.seats
		r.Sold += p.seats
		t.pay.add(took)
	})
}

// issued keeps the tickets of an order. Two tickets for one seat are what must never be.
func (t *tally) issued(now time.Time, took time.Duration, tickets []Ticket) {
	t.note(now, func(c *counts, _ *Row) {
		c.Issued++
		t.issue.add(took)
		for _, ticket := range tickets {
			if other, ok := t.ledger.tickets[ticket.Seat]; ok && other != ticket.ID {
				t.ledger.doubled = append(t.ledger.doubled, fmt.Sprintf("%s: tickets %s and %s", ticket.Seat, other, ticket.ID))
				continue
			} else if ok {
				continue
			}
			t.ledger.tickets[ticket.Seat] = ticket.ID
			c.IssuedSeats++
		}
	})
}

// lostHold keeps a hold that was gone although its time had not come.
func (t *tally) lostHold(now time.Time, hold, why string) {
	t.note(now, func(*counts, *Row) { t.ledger.lost = append(t.ledger.lost, hold+": "+why) })
}
