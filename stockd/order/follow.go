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

// followSoon has an order followed by a goroutine of its own, unless one does. When too many are followed already, the worker that looks every second
// finds it.
func (s *Service) followSoon(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil || s.following[id] || len(s.following) >= followMax {
		return
	}
	s.following[id] = true
	ctx := s.running
	s.done.Go(func() { s.followOnce(ctx, id) })
}

func (s *Service) followOnce(ctx context.Context, id uuid.UUID) {
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
// by any node, and does nothing more once the order is issued. What many ask of the ledger at the same time is asked in one call: sales by the lanes of
// their owners, reads and issues here.
func (s *Service) Follow(ctx context.Context, id uuid.UUID) error {
	o, err := s.paid.Do(ctx, id)
	if err != nil || o == nil {
		return err
	}
	if o.Payment == uuid.Nil {
		return fmt.Errorf("order %s is paid without a payment: an alarm", id)
	}
	from, err := s.provider(o.Provider)
	if err != nil {
		return err
	}
	if err := s.sell(ctx, o); err != nil {
		return err
	}
	err = s.capture(ctx, from, o)
	if errors.Is(err, ErrDeclined) {
		s.log.Error("a provider refuses to capture what it had authorised; the order ends and its seats come back", "order", id, "payment", o.Payment, "error", err)
		_, ended := s.ledger.CaptureFail(ctx, id, o.Payment, err.Error(), s.config.Now())
		s.callSoon()
		return ended
	}
	if err != nil {
		return fmt.Errorf("capture payment %s at %s: %w", o.Payment, o.Provider, err)
	}
	return s.issue(ctx, o)
}

// readPaid reads what is to be known of paid orders; nil for one that is not paid, or issued.
func (s *Service) readPaid(ctx context.Context, ids []uuid.UUID) ([]*ledger.PaidOrder, error) {
	found, err := s.ledger.OrdersPaid(ctx, ids)
	out := make([]*ledger.PaidOrder, len(ids))
	for i, id := range ids {
		if o, ok := found[id]; ok {
			out[i] = &o
		}
	}
	return out, err
}

// sell turns the pins of a paid order into sales. A refusal may mean that the seats were sold before: captured is only what is sold.
func (s *Service) sell(ctx context.Context, o *ledger.PaidOrder) error {
	answer, err := s.doEach(ctx, stock.Command{Kind: stock.KindSell, Event: stock.EventID(o.Event), Hold: o.Hold, Order: o.ID, Attempt: o.Attempt}, o.Segments(), false)
	if err != nil {
		return fmt.Errorf("sell the seats of order %s: %w", o.ID, err)
	}
	if answer.Code == stock.CodeOK {
		return nil
	}
	if sold, err := s.soldSeats(ctx, o.Hold); err != nil || sold < len(o.Lines) {
		return errors.Join(err, fmt.Errorf("%d of the %d seats of order %s are sold (code %d)", sold, len(o.Lines), o.ID, answer.Code))
	}
	return nil
}

// capture takes the authorised money; a bounded number of calls at once.
func (s *Service) capture(ctx context.Context, from Provider, o *ledger.PaidOrder) error {
	select {
	case s.captures <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.captures }()
	return from.Capture(ctx, o.PaymentRef, o.Amount)
}

// soldSeats asks the ledger how many seats of a hold are sold: those of a hold are sold to its order only.
func (s *Service) soldSeats(ctx context.Context, hold uuid.UUID) (sold int, err error) {
	_, seats, err := s.ledger.HoldByID(ctx, hold)
	for _, seat := range seats {
		if seat.State == int16(stock.Sold) {
			sold++
		}
	}
	return sold, err
}

// issue signs the tickets of an order and has them committed.
func (s *Service) issue(ctx context.Context, o *ledger.PaidOrder) error {
	now := s.config.Now()
	n := ledger.NewIssue{Order: o.ID, Payment: o.Payment}
	for _, l := range o.Lines {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		code := TicketCode{KeyID: s.config.TicketKeyID, Event: o.EventUID, Ticket: id, Seat: l.Seat, Type: l.Type, ValidFrom: now, ValidUntil: o.StartsAt.Add(ticketLife)}
		n.Tickets = append(n.Tickets, ledger.NewTicket{ID: id, Seat: l.Seat, Code: code.Sign(s.config.TicketKey)})
	}
	done, err := s.issues.Do(ctx, n)
	if err == nil && done != ledger.IssuedNow && done != ledger.IssuedAlready {
		err = fmt.Errorf("order %s cannot be issued (%d)", o.ID, done)
	}
	return err
}

// issueAll commits the tickets of orders, a group in one transaction.
func (s *Service) issueAll(ctx context.Context, orders []ledger.NewIssue) ([]int32, error) {
	found, err := s.ledger.Issue(ctx, orders, s.config.Now())
	for i, f := range found {
		if f == ledger.IssuedNow {
			s.metrics.issued.Inc()
			s.config.Issued(orders[i].Order)
		}
	}
	return found, err
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
