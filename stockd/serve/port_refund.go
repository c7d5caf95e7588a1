package serve

import (
	"context"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/api"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// Refund decides a refund.
func (p *orderPort) Refund(ctx context.Context, w api.RefundWish) (api.Order, bool, error) {
	wish := &ledger.RefundWish{ID: w.ID, Fingerprint: w.Fingerprint, Order: w.Order, Reason: w.Reason, Void: order.VoidRefunded, Actor: w.Actor}
	for _, seat := range w.Seats {
		wish.Seats = append(wish.Seats, int64(seat))
	}
	again, err := p.Service.Refund(ctx, wish)
	if err != nil {
		return api.Order{}, false, orderError(err)
	}
	o, err := p.Service.Get(ctx, w.Order)
	if err != nil {
		return api.Order{}, false, orderError(err)
	}
	out, err := p.withRefunds(ctx, &o)
	return out, again, err
}

// AnswerOffer is the buyer's yes or no to other seats.
func (p *orderPort) AnswerOffer(ctx context.Context, id uuid.UUID, yes bool) (api.Order, bool, error) {
	again, err := p.Service.AnswerOffer(ctx, id, yes)
	if err != nil {
		return api.Order{}, false, orderError(err)
	}
	o, err := p.Service.Get(ctx, id)
	if err != nil {
		return api.Order{}, false, orderError(err)
	}
	out, err := p.withRefunds(ctx, &o)
	return out, again, err
}

// withRefunds is an order with its refunds and its offer. Most orders have none: those that cannot have any are not looked up.
func (p *orderPort) withRefunds(ctx context.Context, o *ledger.Order) (api.Order, error) {
	out := orderOf(o)
	seats := map[uuid.UUID][]stock.SeatID{}
	for _, l := range o.Lines {
		if l.Refund != uuid.Nil {
			seats[l.Refund] = append(seats[l.Refund], stock.SeatID(l.Seat))
		}
	}
	if offer, err := p.Offer(ctx, o); err != nil {
		return out, orderError(err)
	} else if offer != nil {
		out.Offer = &api.SeatOffer{Until: offer.Until}
		for _, seat := range offer.Seats {
			out.Offer.Seats = append(out.Offer.Seats, stock.SeatID(seat))
		}
	}
	if state := order.State(o.State); len(seats) == 0 && state != order.Expired && state != order.Cancelled {
		return out, nil
	}
	refunds, err := p.Refunds(ctx, o.ID)
	if err != nil {
		return out, orderError(err)
	}
	out.Ended = map[stock.SeatID]string{}
	for _, list := range seats {
		for _, seat := range list {
			out.Ended[seat] = "charged_back"
		}
	}
	for _, r := range refunds {
		out.Refunds = append(out.Refunds, api.Refund{ID: r.ID, State: r.State, Currency: r.Currency, Amount: r.Amount, Reason: r.Reason, Seats: seats[r.ID], At: r.CreatedAt})
		for _, seat := range seats[r.ID] {
			out.Ended[seat] = "refunded"
		}
	}
	return out, nil
}
