package order

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// OpenRequest asks for an order on a hold. The id carries the hold's partition; prices are fixed by the lines.
type OpenRequest struct {
	ID       uuid.UUID
	Request  stock.Request
	Hold     stock.HoldView
	Lines    []stock.OrderLine
	Currency string
	Buyer    string // a pseudonym; never a name or an address
	ClientIP string
}

// Open opens the order, in the flush of the hold's owner. The answer's code is CodeOK, CodeReplay (the order is the one that was opened
// before), or the refusal.
func (s *Service) Open(ctx context.Context, r OpenRequest) (ledger.Order, stock.Answer, error) {
	if r.Hold.Wide() {
		return s.openWide(ctx, r)
	}
	answer, err := s.stock.Do(ctx, stock.Command{
		Kind: stock.KindOrder, Event: r.Hold.Event, Segment: r.Hold.Segment, Hold: r.Hold.ID, Request: r.Request, Order: r.ID,
		NewOrder: &stock.NewOrder{ID: r.ID, Buyer: r.Buyer, Currency: r.Currency, ClientIP: r.ClientIP, Lines: r.Lines},
	})
	if err != nil {
		return ledger.Order{}, answer, err
	}
	if answer.Code != stock.CodeOK && answer.Code != stock.CodeReplay {
		return ledger.Order{}, answer, nil
	}
	o, err := s.Get(ctx, r.ID)
	if errors.Is(err, ErrNotFound) && answer.Hold != nil && answer.Hold.Order != uuid.Nil {
		o, err = s.Get(ctx, answer.Hold.Order)
	}
	return o, answer, err
}

// Cancel ends an order that nobody has begun to pay, and frees its seats, in one commit. One that has ended, or whose money goes back, stays as it is;
// one that is paid is for Refund.
func (s *Service) Cancel(ctx context.Context, id uuid.UUID, request stock.Request) (ledger.Order, error) {
	o, err := s.Get(ctx, id)
	if err != nil {
		return o, err
	}
	switch State(o.State) {
	case Cancelled, Expired, Refunding, Refunded, Disputed:
		return o, nil
	case PendingPayment:
	default:
		return o, illegal(State(o.State), EventCancel)
	}
	if o.Attempt > 0 {
		// A payment has failed. Whoever should have given its pins back may be gone, and the refusal of a pinned seat would be remembered under the key.
		if err := s.unpinOrder(ctx, id); err != nil {
			return o, err
		}
	}
	if o.Wide() {
		return s.cancelWide(ctx, &o, request)
	}
	answer, err := s.stock.Do(ctx, stock.Command{Kind: stock.KindRelease, Event: stock.EventID(o.Event), Segment: stock.SegmentNo(o.Segment), Hold: o.Hold, Request: request, Order: id})
	if err != nil {
		return o, err
	}
	after, err := s.Get(ctx, id)
	if err != nil || State(after.State) == Cancelled {
		return after, err
	}
	if answer.Code == stock.CodeBusy || answer.Code == stock.CodeKeyInFlight { // such as this same request's first try
		return after, ErrBusy
	}
	return after, illegal(State(after.State), EventCancel)
}
