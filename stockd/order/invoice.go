package order

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// Invoices are an order's invoice and credit notes, made now where they are missing; none before its tickets were issued.
func (s *Service) Invoices(ctx context.Context, order uuid.UUID) ([]ledger.Invoice, error) {
	if _, err := s.ledger.InvoicesMake(ctx, order, s.config.Now()); err != nil {
		return nil, err
	}
	return s.ledger.InvoicesOfOrder(ctx, order)
}

// invoice makes the documents that nobody has asked for, at a steady pace.
func (s *Service) invoice(ctx context.Context) {
	tick := time.NewTicker(s.config.InvoiceEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := s.MakeInvoices(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("invoices and credit notes could not all be made; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// MakeInvoices makes once the documents that are missing, and says how many it made. Where another node is at it, it leaves it to that one.
func (s *Service) MakeInvoices(ctx context.Context) (int, error) {
	made, err := s.ledger.InvoicesDue(ctx, false, s.config.Now())
	s.metrics.invoiced.Add(float64(made))
	if errors.Is(err, ledger.ErrInvoicing) {
		err = nil
	}
	return made, err
}
