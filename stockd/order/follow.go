package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// ticketLife is how long after an event's start its tickets are valid.
const ticketLife = 24 * time.Hour

// followSoon hands an order to a follower. When all are busy, the worker that looks every second finds it.
func (s *Service) followSoon(id uuid.UUID) {
	select {
	case s.follow <- id:
	default:
	}
}

func (s *Service) followAll(ctx context.Context) {
	for {
		select {
		case id := <-s.follow:
			s.followOnce(ctx, id)
		case <-ctx.Done():
			return
		}
	}
}

// followOnce follows an order unless another goroutine does.
func (s *Service) followOnce(ctx context.Context, id uuid.UUID) {
	s.mu.Lock()
	busy := s.following[id]
	s.following[id] = true
	s.mu.Unlock()
	if busy {
		return
	}
	defer func() {
		s.mu.Lock()
		delete(s.following, id)
		s.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.Follow(ctx, id); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("a paid order is not finished yet; it is tried again", "order", id, "error", err)
	}
}

// Follow finishes a paid order: its pins become sales, its payment is captured, its tickets are issued. It may be called again at any time,
// by any node, and does nothing more once the order is issued.
func (s *Service) Follow(ctx context.Context, id uuid.UUID) error {
	o, err := s.Get(ctx, id)
	if err != nil || State(o.State) != Paid {
		return err
	}
	p, ok := placed(o)
	if !ok {
		return fmt.Errorf("order %s is paid without a payment: an alarm", id)
	}
	from, known := s.providers[p.Provider]
	if !known {
		return fmt.Errorf("order %s was paid at %q, which is not configured any more", id, p.Provider)
	}
	answer, err := s.stock.Do(ctx, stock.Command{Kind: stock.KindSell, Event: stock.EventID(o.Event), Segment: stock.SegmentNo(o.Segment), Hold: o.Hold, Order: id, Attempt: o.Attempt})
	if err != nil {
		return fmt.Errorf("sell the seats of order %s: %w", id, err)
	}
	// A refusal may mean that the seats were sold before: issuing finds out, under the order's lock. Captured is only what is sold.
	if sold, err := s.allSold(ctx, o); err != nil || !sold {
		return errors.Join(err, fmt.Errorf("the seats of order %s are not sold yet (code %d)", id, answer.Code))
	}
	if err := from.Capture(ctx, p.ProviderRef, p.Amount); err != nil {
		return fmt.Errorf("capture payment %s at %s: %w", p.ID, p.Provider, err)
	}
	return s.issue(ctx, o, p)
}

func placed(o ledger.Order) (ledger.Payment, bool) {
	for _, p := range o.Payments {
		if p.Placed {
			return p, true
		}
	}
	return ledger.Payment{}, false
}

// allSold asks the ledger whether each seat of the order's hold is sold.
func (s *Service) allSold(ctx context.Context, o ledger.Order) (bool, error) {
	_, seats, err := s.ledger.HoldByID(ctx, o.Hold)
	if err != nil || len(seats) != len(o.Lines) {
		return false, err
	}
	for _, seat := range seats {
		if seat.State != int16(stock.Sold) {
			return false, nil
		}
	}
	return true, nil
}

func (s *Service) issue(ctx context.Context, o ledger.Order, p ledger.Payment) error {
	now := s.config.Now()
	event, starts, err := s.ledger.EventForTickets(ctx, o.Event)
	if err != nil {
		return err
	}
	captured := "capture:" + p.ProviderRef
	if _, err := s.ledger.PaymentEventInsert(ctx, ledger.PaymentEvent{
		Provider: p.Provider, EventID: captured, ProviderRef: p.ProviderRef, Kind: PaymentCaptured, Amount: p.Amount, Currency: p.Currency, At: now,
	}); err != nil {
		return err
	}
	tickets := make([]ledger.NewTicket, 0, len(o.Lines))
	for _, l := range o.Lines {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		code := TicketCode{KeyID: s.config.TicketKeyID, Event: event, Ticket: id, Seat: l.Seat, Type: l.Type, ValidFrom: now, ValidUntil: starts.Add(ticketLife)}
		tickets = append(tickets, ledger.NewTicket{ID: id, Seat: l.Seat, Code: code.Sign(s.config.TicketKey)})
	}
	done, err := s.ledger.Issue(ctx, o.ID, p.ID, "payment_event:"+p.Provider+":"+captured, tickets, now)
	switch {
	case err != nil:
		return err
	case done == ledger.IssuedNow:
		s.metrics.issued.Inc()
		return s.ledger.PaymentEventResult(ctx, p.Provider, captured, outcomeApplied, "")
	case done == ledger.IssuedAlready:
		return nil
	default:
		return fmt.Errorf("order %s cannot be issued (%d)", o.ID, done)
	}
}

// Tickets are the tickets of an order; none before it is issued.
func (s *Service) Tickets(ctx context.Context, order uuid.UUID) ([]ledger.Ticket, error) {
	return s.ledger.TicketsOfOrder(ctx, order)
}

// Ticket reads one ticket; ErrNotFound when there is none.
func (s *Service) Ticket(ctx context.Context, id uuid.UUID) (ledger.Ticket, error) {
	t, err := s.ledger.TicketGet(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return t, ErrNotFound
	}
	return t, err
}
