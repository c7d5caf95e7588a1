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
	p, ok := placed(&o)
	if !ok {
		return fmt.Errorf("order %s is paid without a payment: an alarm", id)
	}
	from, err := s.provider(p.Provider)
	if err != nil {
		return err
	}
	answer, err := s.doAll(ctx, stock.KindSell, &o, o.Attempt, false)
	if err != nil {
		return fmt.Errorf("sell the seats of order %s: %w", id, err)
	}
	// A refusal may mean that the seats were sold before. Captured is only what is sold.
	if answer.Code != stock.CodeOK {
		if sold, err := s.soldSeats(ctx, &o); err != nil || sold < len(o.Lines) {
			return errors.Join(err, fmt.Errorf("%d of the %d seats of order %s are sold (code %d)", sold, len(o.Lines), id, answer.Code))
		}
	}
	err = from.Capture(ctx, p.ProviderRef, p.Amount)
	if errors.Is(err, ErrDeclined) {
		s.log.Error("a provider refuses to capture what it had authorised; the order ends and its seats come back", "order", id, "payment", p.ID, "error", err)
		_, ended := s.ledger.CaptureFail(ctx, id, p.ID, err.Error(), s.config.Now())
		s.callSoon()
		return ended
	}
	if err != nil {
		return fmt.Errorf("capture payment %s at %s: %w", p.ID, p.Provider, err)
	}
	return s.issue(ctx, &o, &p)
}

func placed(o *ledger.Order) (ledger.Payment, bool) {
	for _, p := range o.Payments {
		if p.Placed {
			return p, true
		}
	}
	return ledger.Payment{}, false
}

// soldSeats asks the ledger how many seats of the order's hold are sold: those of a hold are sold to its order only.
func (s *Service) soldSeats(ctx context.Context, o *ledger.Order) (sold int, err error) {
	_, seats, err := s.ledger.HoldByID(ctx, o.Hold)
	for _, seat := range seats {
		if seat.State == int16(stock.Sold) {
			sold++
		}
	}
	return sold, err
}

func (s *Service) issue(ctx context.Context, o *ledger.Order, p *ledger.Payment) error {
	now := s.config.Now()
	event, starts, err := s.ledger.EventForTickets(ctx, o.Event)
	if err != nil {
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
	done, err := s.ledger.Issue(ctx, o.ID, p.ID, tickets, now)
	switch {
	case err != nil:
		return err
	case done == ledger.IssuedNow:
		s.metrics.issued.Inc()
		return nil
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
