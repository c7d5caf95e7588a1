package order

import (
	"context"

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
