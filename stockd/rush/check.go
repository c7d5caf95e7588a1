package rush

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// checkers is how many orders are looked at at a time.
	checkers = 32
	// settleMax bounds how long is waited for what is still under way when the last fan has gone.
	settleMax = 45 * time.Second
)

// check asks for every order that was acknowledged and for its tickets, then for the event's counts.
func (s *Summary) check(ctx context.Context, w *world, ops *visitor, show func(Progress)) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	t := w.tally
	t.mu.Lock()
	promises := make([]*promise, 0, len(t.ledger.orders))
	for _, p := range t.ledger.orders {
		promises = append(promises, p)
	}
	t.mu.Unlock()

	audit := newAudit()
	next := make(chan *promise)
	var workers sync.WaitGroup
	until := time.Now().Add(settleMax)
	for i := range checkers {
		v := newVisitor(w.config, w.transport, t, rand.New(rand.NewPCG(w.config.Seed, 1<<62+uint64(i))))
		workers.Go(func() {
			for p := range next {
				audit.keep(p, v.found(ctx, p, until))
			}
		})
	}
	for i, p := range promises {
		if show != nil && i%50 == 0 {
			progress := t.snapshot(time.Now()).progress(s)
			progress.Phase, progress.Checked, progress.ToCheck = "check", i, len(promises)
			show(progress)
		}
		next <- p
	}
	close(next)
	workers.Wait()
	s.After = s.settled(ctx, w, ops)
	s.SeatsSold = s.After.Sold - s.Before.Sold
	s.SeatsPaid, s.TicketsIssued, s.Unsettled = audit.paid, len(audit.tickets), audit.unsettled
	s.Oversold, s.Lost = audit.doubled, audit.lost
}

// settled reads the counts until they say what the orders say, or time is up: caches on the way are some seconds old.
func (s *Summary) settled(ctx context.Context, w *world, v *visitor) (a Availability) {
	until := time.Now().Add(w.config.settle)
	for {
		got, err := v.availability(ctx, w.config.Event)
		if err == nil {
			a = got
			if !a.Stale && a.Held == 0 {
				return a
			}
		}
		if time.Now().After(until) || sleep(ctx, time.Second) != nil {
			return a
		}
	}
}

// finding is an order as it is at the end.
type finding struct {
	order   Order
	tickets []Ticket
	ready   bool
	err     error
}

// found asks for an order and its tickets, again while they are under way.
func (v *visitor) found(ctx context.Context, p *promise, until time.Time) (f finding) {
	for {
		f = finding{}
		f.order, f.err = v.getOrder(ctx, p.id, p.token)
		if f.err == nil && f.order.State == "issued" {
			f.tickets, f.ready, f.err = v.tickets(ctx, p.id, p.token)
		}
		moving := f.err == nil && (f.order.State == "paying" || f.order.State == "paid" || f.order.State == "issued" && !f.ready)
		if !moving || time.Now().After(until) || sleep(ctx, 500*time.Millisecond) != nil {
			return f
		}
	}
}

// audit adds findings up.
type audit struct {
	mu        sync.Mutex // guards what follows
	paid      int
	tickets   map[string]string // place → ticket
	ids       map[string]bool
	doubled   []string
	lost      []string
	unsettled []string
}

func newAudit() *audit { return &audit{tickets: map[string]string{}, ids: map[string]bool{}} }

// keep compares one promise with what was found of it.
func (a *audit) keep(p *promise, f finding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.err != nil {
		a.lost = append(a.lost, fmt.Sprintf("order %s was acknowledged and cannot be read: %v", p.id, f.err))
		return
	}
	var lines []string
	for _, line := range f.order.Lines {
		lines = append(lines, line.label())
	}
	slices.Sort(lines)
	promised := slices.Sorted(slices.Values(p.lines))
	if !slices.Equal(lines, promised) {
		a.lost = append(a.lost, fmt.Sprintf("order %s was for %v and is for %v", p.id, promised, lines))
	}
	switch f.order.State {
	case "issued":
		a.paid += len(lines)
		a.keepTickets(p, f.tickets)
	case "paid":
		a.paid += len(lines)
		a.unsettled = append(a.unsettled, fmt.Sprintf("order %s is paid and has no tickets", p.id))
	case "expired", "cancelled", "refunded":
		if p.paid {
			a.lost = append(a.lost, fmt.Sprintf("order %s was answered as paid and is %s", p.id, f.order.State))
		}
	case "pending_payment":
		if p.paid {
			a.lost = append(a.lost, fmt.Sprintf("order %s was answered as paid and waits for a payment", p.id))
		}
	default:
		a.unsettled = append(a.unsettled, fmt.Sprintf("order %s is %s", p.id, f.order.State))
	}
}

func (a *audit) keepTickets(p *promise, tickets []Ticket) {
	if len(tickets) != p.seats {
		a.lost = append(a.lost, fmt.Sprintf("order %s is for %d places and has %d tickets", p.id, p.seats, len(tickets)))
	}
	for _, ticket := range tickets {
		if other, taken := a.tickets[ticket.Seat]; taken {
			a.doubled = append(a.doubled, fmt.Sprintf("%s: tickets %s and %s", ticket.Seat, other, ticket.ID))
			continue
		}
		if a.ids[ticket.ID] {
			a.doubled = append(a.doubled, fmt.Sprintf("ticket %s is there twice", ticket.ID))
			continue
		}
		a.tickets[ticket.Seat], a.ids[ticket.ID] = ticket.ID, true
	}
}
