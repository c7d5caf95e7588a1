package order

import (
	"context"
	"errors"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// An order's seats may be in several segments, and so with several owners. The hold's row in the ledger, and the order's, decide; each segment is
// asked for itself, and whatever a crash leaves out is done later.

// doAll runs a command of a kind in each segment of the order's seats.
func (s *Service) doAll(ctx context.Context, kind stock.Kind, o *ledger.Order, attempt int32, until bool) (stock.Answer, error) {
	return s.doEach(ctx, stock.Command{Kind: kind, Event: stock.EventID(o.Event), Hold: o.Hold, Order: o.ID, Attempt: attempt}, o.Segments(), until)
}

// doEach runs a command in each segment, one after the other. With until it ends at the first that refuses. It tells the first refusal, or the first
// error, else the last answer.
func (s *Service) doEach(ctx context.Context, cmd stock.Command, segments []int32, until bool) (result stock.Answer, failed error) {
	refused := false
	for _, no := range segments {
		cmd.Segment = stock.SegmentNo(no)
		answer, err := s.do(ctx, cmd)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if !refused {
			result = answer
			refused = answer.Code != stock.CodeOK && answer.Code != stock.CodeReplay
		}
		if until && (refused || failed != nil) {
			break
		}
	}
	return result, failed
}

// wideAnswer is what an answer about the row of a hold over several segments means to the client.
func wideAnswer(code int32) stock.Answer {
	switch code {
	case ledger.WideDone:
		return stock.Answer{Code: stock.CodeOK}
	case ledger.WideReplay:
		return stock.Answer{Code: stock.CodeReplay}
	case ledger.WideKeyReused:
		return stock.Answer{Code: stock.CodeKeyReused}
	case ledger.WideOver:
		return stock.Answer{Code: stock.CodeHoldExpired}
	case ledger.WideOrderNo, ledger.WideOrdered:
		return stock.Answer{Code: stock.CodeIllegal}
	}
	return stock.Answer{Code: stock.CodeBusy}
}

// openWide opens the order of a hold over several segments, in the call that locks the hold's row.
func (s *Service) openWide(ctx context.Context, r OpenRequest) (ledger.Order, stock.Answer, error) {
	open := &ledger.NewOrder{ID: r.ID, Buyer: r.Buyer, Currency: r.Currency, ClientIP: r.ClientIP}
	for _, l := range r.Lines {
		open.Lines = append(open.Lines, ledger.OrderLine{Seat: int64(l.Seat), Type: l.Type, Face: l.Face, Fee: l.Fee, Tax: l.Tax})
	}
	code, err := s.ledger.WideOrder(ctx, r.Hold.ID, open, ledger.Request(r.Request), s.config.Now())
	answer := wideAnswer(code)
	if err != nil || answer.Code != stock.CodeOK && answer.Code != stock.CodeReplay {
		return ledger.Order{}, answer, err
	}
	o, err := s.Get(ctx, r.ID)
	return o, answer, err
}

// cancelWide ends a pending order with its hold, and has the seats freed.
func (s *Service) cancelWide(ctx context.Context, o *ledger.Order, request stock.Request) (ledger.Order, error) {
	code, err := s.ledger.WideEnd(ctx, o.Hold, o.ID, false, ledger.Request(request), s.config.Now())
	if err != nil {
		return *o, err
	}
	if code == ledger.WideDone {
		s.free(ctx, o)
	}
	after, err := s.Get(ctx, o.ID)
	switch {
	case err != nil || State(after.State) == Cancelled:
		return after, err
	case wideAnswer(code).Code == stock.CodeBusy:
		return after, ErrBusy
	}
	return after, illegal(State(after.State), EventCancel)
}

// free asks the owners to free what the order's hold had, which has ended. What is lost on the way they do by themselves a little later.
func (s *Service) free(ctx context.Context, o *ledger.Order) {
	for _, no := range o.Segments() {
		cmd := stock.Command{Kind: stock.KindUnleg, Event: stock.EventID(o.Event), Segment: stock.SegmentNo(no), Hold: o.Hold}
		if _, err := s.stock.Do(ctx, cmd); err != nil {
			s.log.Debug("a leg could not be freed: its owner does it", "hold", o.Hold, "segment", no, "error", err)
		}
	}
}

// unpinWide undoes pins that nobody waits for: to the hold while the order waits for payment; when the order has ended the hold ends, and the seats
// follow it.
func (s *Service) unpinWide(ctx context.Context, p ledger.LoosePin) error {
	o, err := s.Get(ctx, p.Order)
	if err != nil {
		return err
	}
	if p.State == ledger.OrderPendingPayment {
		_, err := s.doAll(ctx, stock.KindUnpin, &o, p.Attempt, false)
		return err // a refusal means that it was done before
	}
	if _, err := s.ledger.WideEnd(ctx, o.Hold, o.ID, false, ledger.Request{}, s.config.Now()); err != nil {
		return err
	}
	s.free(ctx, &o)
	return nil
}
