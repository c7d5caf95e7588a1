package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// A payment may succeed when its order has expired or was cancelled. The order is then paying once more, and seats are looked for: the same ones, still
// pinned or free again; else others at least as good, which are held and offered until the buyer says yes or no; else the money goes back. Each step is
// in the ledger, so any node goes on with it after a crash, and the step itself has an end.

// hall finds and takes seats anywhere in an event, as a node does. A Stock that cannot finds no others.
type hall interface {
	// BestSegments are the segments that may serve an ask, best first.
	BestSegments(event stock.EventID, ask stock.Ask) []stock.SegmentNo
	// HoldWide makes a hold over several segments, all or none.
	HoldWide(ctx context.Context, hold stock.WideHold, legs []stock.Command, ttl, maxTTL time.Duration) (stock.Answer, error)
}

// lateHold is how long seats are held for an order that takes them over: longer than it looks for them.
const lateHold = 10 * time.Minute

// errNoSeats: the seats cannot be had.
var errNoSeats = errors.New("the seats cannot be had")

// Late does for an order that was paid late what is to be done next. It may be called at any time, by any node.
func (s *Service) Late(ctx context.Context, id uuid.UUID) error {
	o, err := s.Get(ctx, id)
	if err != nil || State(o.State) != Paying {
		return err
	}
	l, err := s.ledger.LateGet(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && (l.State == ledger.LatePlaced || l.State == ledger.LateReturned) {
		return nil
	}
	if err != nil {
		return err
	}
	now := s.config.Now()
	over := !l.Until.After(now)
	switch {
	case l.State == ledger.LateOffered && !over:
		return nil // the buyer's turn
	case l.State == ledger.LateOffered:
		return s.lateReturn(ctx, &l, "the other seats were not wanted in time")
	case over:
		return s.lateReturn(ctx, &l, "no seats could be had in time")
	}
	if gone, err := s.lateGone(ctx, &o, &l); gone || err != nil {
		return err
	}
	err = s.latePin(ctx, &o, &l)
	if errors.Is(err, errNoSeats) && l.State == ledger.LateLooking {
		if err = s.lateSame(ctx, &o, &l); errors.Is(err, errNoSeats) {
			err = s.lateOther(ctx, &o, &l)
		}
	}
	if errors.Is(err, errNoSeats) {
		err = s.lateReturn(ctx, &l, "no seats as good could be had")
	}
	return err
}

// lateGone asks the provider first: an authorisation may have been voided since it was told of. It says whether there is nothing to be paid with.
func (s *Service) lateGone(ctx context.Context, o *ledger.Order, l *ledger.Late) (bool, error) {
	i := slices.IndexFunc(o.Payments, func(p ledger.Payment) bool { return p.ID == l.Payment })
	if i < 0 {
		return false, fmt.Errorf("order %s was paid late by a payment that it does not have: an alarm", o.ID)
	}
	p := &o.Payments[i]
	from, err := s.provider(p.Provider)
	if err != nil {
		return false, err
	}
	status, err := from.Status(ctx, p.ProviderRef)
	if err != nil || status.State == PaymentAuthorized || status.State == PaymentCaptured {
		return false, err
	}
	kind := PaymentVoided
	if status.State == PaymentFailed {
		kind = PaymentFailed
	}
	_, err = s.take(ctx, ledger.PaymentFact{
		Provider: p.Provider, ID: fmt.Sprintf("late:%s:%s", p.ProviderRef, kind), Ref: p.ProviderRef, Kind: kind, Amount: p.Amount, Currency: p.Currency, At: s.config.Now(),
	})
	return true, err
}

// latePin pins the seats that the order has, and decides it. errNoSeats: it has them no more. Those of a hold that has ended are being freed, leg by
// leg; one that lives cannot end while its order is paying.
func (s *Service) latePin(ctx context.Context, o *ledger.Order, l *ledger.Late) error {
	row, _, err := s.ledger.HoldByID(ctx, o.Hold)
	if err != nil {
		return err
	}
	if row.State != ledger.HoldHeld {
		return errNoSeats
	}
	answer, err := s.doAll(ctx, stock.KindPin, o, o.Attempt, true)
	switch {
	case err != nil:
		return err
	case answer.Code == stock.CodeBusy:
		return ErrBusy
	case answer.Code != stock.CodeOK && answer.Code != stock.CodeReplay:
		return errNoSeats
	}
	code, err := s.ledger.LateDecide(ctx, o.ID, o.Attempt, l.Payment, s.config.Now())
	switch {
	case err != nil:
		return err
	case code == ledger.FactPaid || code == ledger.FactAlready:
		s.metrics.late.WithLabelValues("placed").Inc()
		s.followSoon(o.ID)
		return nil
	case code == ledger.FactNotPaying: // or the order has gone on, and then this does nothing
		return s.lateReturn(ctx, l, "the event does not take place")
	}
	return errNoSeats
}

// lateSame takes the order's own seats anew, for it. errNoSeats: somebody else has one of them.
func (s *Service) lateSame(ctx context.Context, o *ledger.Order, l *ledger.Late) error {
	row, _, err := s.ledger.HoldByID(ctx, o.Hold)
	if err != nil {
		return err
	}
	asks := map[stock.SegmentNo][]stock.SeatAsk{}
	var seats []int64
	for _, line := range o.Lines {
		id := stock.SeatID(line.Seat)
		asks[id.Segment()] = append(asks[id.Segment()], stock.SeatAsk{Seat: id, Type: line.Type})
		seats = append(seats, line.Seat)
	}
	var hold stock.HoldView
	if segments := o.Segments(); len(segments) == 1 {
		no := stock.SegmentNo(segments[0])
		hold, err = s.lateHold(ctx, o, no, "same", stock.Ask{Seats: asks[no]}, limitsOf(&row, seats), lateHold)
	} else {
		hold, err = s.lateWide(ctx, o, asks, &row)
	}
	if err != nil {
		return err
	}
	return s.lateAdopt(ctx, o, l, hold.ID, seats)
}

// lateAdopt makes a hold the order's, pins it, and decides.
func (s *Service) lateAdopt(ctx context.Context, o *ledger.Order, l *ledger.Late, hold uuid.UUID, seats []int64) error {
	adopted, err := s.ledger.LateAdopt(ctx, o.ID, o.Attempt, hold, seats, s.config.Now())
	if err != nil {
		return err
	}
	if !adopted {
		return errNoSeats
	}
	now, err := s.Get(ctx, o.ID)
	if err != nil {
		return err
	}
	return s.latePin(ctx, &now, l)
}

// limitsOf are the limits that an order's hold counted against, with the documents of some of its seats, in their order.
func limitsOf(row *ledger.HoldRow, seats []int64) (limits []stock.Quota) {
	documents := map[int64]stock.Quota{}
	for _, q := range row.Quotas {
		limit := stock.Quota{Dimension: stock.Dimension(q.Dimension), Key: q.Key, Limit: q.Limit}
		if limit.Dimension == stock.DimensionDocument {
			documents[q.Seat] = limit
		} else {
			limits = append(limits, limit)
		}
	}
	for _, seat := range seats {
		if d, ok := documents[seat]; ok {
			limits = append(limits, d)
		}
	}
	return limits
}

// lateID names what is taken for an order's attempt: the same wish after a crash is the same hold.
func lateID(o *ledger.Order, no stock.SegmentNo, what string) (uuid.UUID, stock.Request) {
	id := stock.NewCoordinatedID(stock.PartitionOf(stock.EventID(o.Event), no), o.ID, attemptKey(o.Attempt), fmt.Sprintf("late/%s/%d", what, no))
	return id, stock.Request{Scope: o.ID, Key: id, Fingerprint: id}
}

// lateHold takes seats in one segment. errNoSeats: they cannot be had, or were had before and are gone.
func (s *Service) lateHold(ctx context.Context, o *ledger.Order, no stock.SegmentNo, what string, ask stock.Ask, limits []stock.Quota, ttl time.Duration) (stock.HoldView, error) {
	id, request := lateID(o, no, what)
	answer, err := s.do(ctx, stock.Command{
		Kind: stock.KindHold, Event: stock.EventID(o.Event), Segment: no, Hold: id, Request: request, Ask: ask, TTL: ttl.Milliseconds(), MaxTTL: ttl.Milliseconds(), Quotas: limits,
	})
	return taken(answer, err)
}

func taken(answer stock.Answer, err error) (stock.HoldView, error) {
	switch {
	case err != nil:
		return stock.HoldView{}, err
	case answer.Code == stock.CodeBusy || answer.Code == stock.CodeLimitBusy || answer.Code == stock.CodeKeyInFlight:
		return stock.HoldView{}, ErrBusy
	case answer.Hold == nil || answer.Code != stock.CodeOK && answer.Code != stock.CodeReplay:
		return stock.HoldView{}, errNoSeats
	}
	return *answer.Hold, nil
}

// lateWide takes seats in several segments, all or none.
func (s *Service) lateWide(ctx context.Context, o *ledger.Order, asks map[stock.SegmentNo][]stock.SeatAsk, row *ledger.HoldRow) (stock.HoldView, error) {
	h, ok := s.stock.(hall)
	if !ok {
		return stock.HoldView{}, errNoSeats
	}
	segments := o.Segments()
	id, request := lateID(o, stock.SegmentNo(segments[0]), "legs")
	wide := stock.WideHold{ID: id, Event: stock.EventID(o.Event), Quantity: int32(len(o.Lines)), Request: request}
	var legs []stock.Command
	var all []int64
	for _, segment := range segments {
		no := stock.SegmentNo(segment)
		var seats []int64
		for _, ask := range asks[no] {
			seats = append(seats, int64(ask.Seat))
		}
		all = append(all, seats...)
		wide.Segments = append(wide.Segments, no)
		legs = append(legs, stock.Command{Kind: stock.KindLeg, Event: wide.Event, Segment: no, Hold: id, Ask: stock.Ask{Seats: asks[no]}, Quotas: limitsOf(row, seats)})
	}
	wide.Quotas = limitsOf(row, all)
	answer, err := h.HoldWide(ctx, wide, legs, lateHold, lateHold)
	if err == nil && answer.Code == stock.CodeReplay && answer.Hold == nil {
		return stock.HoldView{ID: id}, nil // taken before; whether it is there still, its row says
	}
	return taken(answer, err)
}
