package serve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/api"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// Invoices are an order's invoice and credit notes.
func (p *orderPort) Invoices(ctx context.Context, id uuid.UUID) ([]api.Invoice, error) {
	list, err := p.Service.Invoices(ctx, id)
	out := make([]api.Invoice, 0, len(list))
	for _, i := range list {
		one := api.Invoice{Series: i.Series, Number: i.Number, Kind: i.Kind, Refund: i.Refund, Currency: i.Currency, Net: i.Net, Tax: i.Tax, Issuer: i.Issuer, At: i.At}
		for _, seat := range i.Seats {
			one.Seats = append(one.Seats, stock.SeatID(seat))
		}
		out = append(out, one)
	}
	return out, orderError(err)
}

// OrderLink is the signed text that opens an order on another device.
func (p *orderPort) OrderLink(id uuid.UUID, until time.Time) string { return p.tokens.Link(id, until) }

// OpenOrderLink reads it.
func (p *orderPort) OpenOrderLink(text string, now time.Time) (uuid.UUID, error) {
	id, err := p.tokens.OpenLink(text, now)
	if errors.Is(err, order.ErrLinkOver) {
		return id, fmt.Errorf("%w: %w", api.ErrLinkOver, err)
	}
	if err != nil {
		return id, fmt.Errorf("%w: %w", api.ErrLink, err)
	}
	return id, nil
}
