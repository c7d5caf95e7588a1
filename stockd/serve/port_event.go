package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ticketrush/ledger"
	"ticketrush/stockd/api"
	"ticketrush/stockd/chart"
	"ticketrush/stockd/node"
	"ticketrush/stockd/stock"
)

// Event finds an event by evt_ id or slug.
func (p *nodePort) Event(name string) (*api.Event, bool) {
	c := p.Catalog()
	if id, ok := EventID(name); ok {
		return p.known(c, func() (*node.Event, bool) { return c.ByID(id) })
	}
	return p.known(c, func() (*node.Event, bool) { return c.BySlug(name) })
}

// EventByNumber finds an event by the ledger's number.
func (p *nodePort) EventByNumber(id stock.EventID) (*api.Event, bool) {
	c := p.Catalog()
	return p.known(c, func() (*node.Event, bool) { return c.ByNumber(id) })
}

// known gives the API's copy of an event. Copies are made once for each version of the catalog: a large house has many seats.
func (p *nodePort) known(c *node.Catalog, find func() (*node.Event, bool)) (*api.Event, bool) {
	e, ok := find()
	if !ok {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of != c {
		kept := map[*node.Event]*api.Event{}
		for _, e := range c.Events() {
			if old, ok := p.events[e]; ok {
				kept[e] = old
			}
		}
		p.events, p.of = kept, c
	}
	if p.events[e] == nil {
		p.events[e] = eventOf(e)
	}
	return p.events[e], true
}

// eventOf copies an event.
func eventOf(e *node.Event) *api.Event {
	out := &api.Event{
		Number: e.Number, ID: e.ID, Chart: e.ChartID, Slug: e.Slug, Name: e.Name, Venue: e.Venue, State: e.State, Version: int(e.Version),
		StartsAt: e.StartsAt, OpensAt: e.OpensAt, Currency: e.Currency, Room: e.Room, HoldTTL: e.HoldTTL, MaxTTL: e.MaxTTL,
		LimitTid: e.LimitTid, LimitAccount: e.LimitAccount, LimitDocument: e.LimitDocument, RefundsUntil: e.RefundsUntil, Organiser: e.Organiser,
		CancelledAt: e.CancelledAt, RecognisedAt: e.RecognisedAt, Types: e.Types, Categories: e.Categories,
		Layout: api.Layout{Width: e.Chart.Width, Height: e.Chart.Height, FocalX: e.Chart.Focal.X, FocalY: e.Chart.Focal.Y},
	}
	for _, c := range e.Chart.Categories {
		out.Layout.Colors = append(out.Layout.Colors, c.Color)
	}
	for _, t := range e.Tiers {
		out.Tiers = append(out.Tiers, api.Tier(t))
	}
	for i := range e.Segments {
		if s := &e.Segments[i]; s.Home == s.No { // the others of an area are a part of their home
			out.Segments = append(out.Segments, segmentOf(e, s))
		}
	}
	return out
}

func segmentOf(e *node.Event, s *node.Segment) api.Segment {
	out := api.Segment{No: s.No, Section: s.Section, Name: s.Name, Area: s.Area, Capacity: s.Capacity}
	if s.Area {
		out.Shares = s.Shares
		if len(s.Shares) > 0 {
			out.Capacity = 0
		}
		for _, no := range s.Shares {
			out.Capacity += e.Segment(no).Capacity
		}
		if i := slices.IndexFunc(e.Chart.Areas, func(a chart.Area) bool { return a.ID == s.Section }); i >= 0 {
			area := e.Chart.Areas[i]
			out.Polygon = area.Polygon
			out.Category = int16(max(0, slices.Index(e.Categories, area.Category)))
		}
		return out
	}
	out.Seats = make([]api.Seat, 0, len(s.Seats))
	for _, seat := range s.Seats {
		out.Seats = append(out.Seats, api.Seat{Label: seat.Label, Category: seat.Category, X: float64(seat.X), Y: float64(seat.Y), Flags: uint8(seat.Flags)})
	}
	return out
}

// CreateEvent puts an event into the catalog.
func (p *nodePort) CreateEvent(ctx context.Context, in api.NewEvent) (*api.Event, error) {
	want := node.NewEvent{
		ID: in.ID, ChartID: in.Chart, Slug: in.Slug, Name: in.Name, Venue: in.Venue, OpensAt: in.OpensAt, StartsAt: in.StartsAt, Currency: in.Currency, Room: in.Room,
		HoldTTL: in.HoldTTL, MaxTTL: in.MaxTTL, LimitTid: in.LimitTid, LimitAccount: in.LimitAccount, LimitDocument: in.LimitDocument, RefundsUntil: in.RefundsUntil,
		Organiser: in.Organiser, AreaShare: in.AreaShare, Types: in.Types, OnSale: in.Open,
	}
	for _, t := range in.Tiers {
		want.Tiers = append(want.Tiers, node.Tier(t))
	}
	e, err := p.Node.CreateEvent(ctx, want)
	if err != nil {
		return nil, apiError(err)
	}
	out, _ := p.known(p.Catalog(), func() (*node.Event, bool) { return e, true })
	return out, nil
}

// ChangeEvent changes an event's state when it is still at a version.
func (p *nodePort) ChangeEvent(ctx context.Context, event stock.EventID, state string, version int) (*api.Event, error) {
	e, err := p.UpdateEvent(ctx, event, int32(version), node.EventChange{State: &state})
	if err != nil {
		return nil, apiError(err)
	}
	out, _ := p.known(p.Catalog(), func() (*node.Event, bool) { return e, true })
	return out, nil
}

// CancelEvent cancels an event and begins its mass refund.
func (p *nodePort) CancelEvent(ctx context.Context, event stock.EventID, reason, actor string) (*api.Event, bool, error) {
	e, again, err := p.Node.CancelEvent(ctx, event, reason, actor)
	return p.ended(e, again, err)
}

// PostponeEvent moves an event to another date.
func (p *nodePort) PostponeEvent(ctx context.Context, event stock.EventID, startsAt, refundsUntil time.Time) (*api.Event, bool, error) {
	e, again, err := p.Node.PostponeEvent(ctx, event, startsAt, refundsUntil)
	return p.ended(e, again, err)
}

func (p *nodePort) ended(e *node.Event, again bool, err error) (*api.Event, bool, error) {
	switch {
	case errors.Is(err, ledger.ErrEventCancelled):
		return nil, false, fmt.Errorf("%w: %w", api.ErrEventCancelled, err)
	case errors.Is(err, ledger.ErrEventHeld):
		return nil, false, fmt.Errorf("%w: %w", api.ErrEventHeld, err)
	case err != nil:
		return nil, false, apiError(err)
	}
	out, _ := p.known(p.Catalog(), func() (*node.Event, bool) { return e, true })
	return out, again, nil
}

// MassRefund is how far the mass refund of a cancelled event is.
func (p *nodePort) MassRefund(ctx context.Context, event stock.EventID) (api.MassRefund, error) {
	m, err := p.Node.MassRefund(ctx, event)
	return api.MassRefund{
		Reason: m.Reason, Actor: m.Actor, BegunAt: m.BegunAt, FinishedAt: m.FinishedAt, Open: m.Open, Refunds: m.Refunds, Sent: m.Sent, Failed: m.Failed,
		Amount: m.Amount, AmountSent: m.AmountSent, Currency: m.Currency,
	}, apiError(err)
}
