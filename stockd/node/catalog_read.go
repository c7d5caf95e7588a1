package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/chart"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

const catalogEvery = 500 * time.Millisecond

// charts keeps compiled charts: they are stored once and never change.
type charts struct {
	mu  sync.Mutex
	all map[int32]*storedChart
}

// forget is for a ledger that has become another: its charts may have other numbers.
func (c *charts) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
}

type storedChart struct {
	id       uuid.UUID
	digest   [32]byte
	chart    *chart.Chart
	compiled *chart.Compiled
	labels   map[string]stock.SeatID
}

// chart reads and compiles a chart once.
func (n *Node) chart(ctx context.Context, number int32) (*storedChart, error) {
	n.charts.mu.Lock()
	defer n.charts.mu.Unlock()
	if c := n.charts.all[number]; c != nil {
		return c, nil
	}
	row, err := n.db.ChartGet(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("read chart %d: %w", number, err)
	}
	c, err := compile(row)
	if err != nil {
		return nil, err
	}
	if n.charts.all == nil {
		n.charts.all = map[int32]*storedChart{}
	}
	n.charts.all[number] = c
	return c, nil
}

func compile(row ledger.Chart) (*storedChart, error) {
	parsed, err := chart.Decode(row.Body)
	if err != nil {
		return nil, fmt.Errorf("chart %s as stored: %w", row.UID, err)
	}
	compiled, err := parsed.Compile()
	if err != nil {
		return nil, fmt.Errorf("chart %s as stored: %w", row.UID, err)
	}
	seats, _ := parsed.Counts()
	c := &storedChart{id: row.UID, digest: row.Digest, chart: parsed, compiled: compiled, labels: make(map[string]stock.SeatID, seats)}
	for i := range compiled.Segments {
		for _, seat := range compiled.Segments[i].Seats {
			c.labels[seat.Label] = seat.ID
		}
	}
	return c, nil
}

// followCatalog polls the catalog's version.
func (n *Node) followCatalog() {
	tick := time.NewTicker(catalogEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
			if err := n.refreshCatalog(n.ctx); err != nil && n.ctx.Err() == nil {
				n.log.Warn("the catalog could not be read", "error", err)
			}
		}
	}
}

// refreshCatalog reads the catalog when its version has changed. The version is read first, so that a change in between is read again.
func (n *Node) refreshCatalog(ctx context.Context) error {
	n.refresh.Lock()
	defer n.refresh.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	version, err := n.db.CatalogVersion(ctx)
	if err != nil {
		return err
	}
	if version == n.Catalog().Version && version != 0 {
		return nil
	}
	rows, err := n.db.Events(ctx)
	if err != nil {
		return err
	}
	next := &Catalog{Version: version, byNumber: map[stock.EventID]*Event{}, byID: map[uuid.UUID]*Event{}, bySlug: map[string]*Event{}}
	var problems []error
	for i := range rows {
		e, err := n.event(ctx, &rows[i])
		if err != nil { // the others are on sale all the same
			problems = append(problems, err)
			continue
		}
		next.events = append(next.events, e)
		next.byNumber[e.Number], next.byID[e.ID], next.bySlug[e.Slug] = e, e, e
	}
	if len(problems) > 0 {
		next.Version = 0 // read again
	}
	n.catalog.Store(next)
	n.give(owner.Segments{All: next.segments()})
	return errors.Join(problems...)
}

// event joins an event's row with its chart.
func (n *Node) event(ctx context.Context, row *ledger.Event) (*Event, error) {
	c, err := n.chart(ctx, row.Chart)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", row.Slug, err)
	}
	e := &Event{
		Number: stock.EventID(row.ID), ID: row.UID, ChartID: c.id, Slug: row.Slug, Name: row.Name, Venue: row.Venue, State: row.State, Version: row.Ver,
		OpensAt: row.OpensAt, StartsAt: row.StartsAt, Currency: row.Currency, Room: row.Room, HoldTTL: row.HoldTTL, MaxTTL: row.MaxHoldTTL,
		LimitTid: row.LimitTid, LimitAccount: row.LimitAcct, LimitDocument: row.LimitDoc,
		RefundsUntil: row.RefundsUntil, Organiser: row.Organiser, CancelledAt: row.CancelledAt, RecognisedAt: row.RecognisedAt, Categories: c.compiled.Categories,
		Chart: c.chart, Compiled: c.compiled, labels: c.labels,
	}
	for _, t := range row.Tiers {
		e.Tiers = append(e.Tiers, Tier{Category: t.Category, Type: t.Type, Face: t.Face, Fee: t.Fee, Tax: t.Tax})
		for len(e.Types) <= int(t.Type) {
			e.Types = append(e.Types, "")
		}
		e.Types[t.Type] = t.TypeName
	}
	if err := e.addSegments(row, c.compiled); err != nil {
		return nil, fmt.Errorf("event %s: %w", row.Slug, err)
	}
	slices.SortStableFunc(e.ranked, func(a, b stock.SegmentNo) int { return cmp.Compare(e.Segment(b).Score, e.Segment(a).Score) })
	return e, nil
}

// addSegments joins the segments' rows with the chart's. What comes after those of the chart are further segments of its areas.
func (e *Event) addSegments(row *ledger.Event, made *chart.Compiled) error {
	if len(row.Segments) < len(made.Segments) {
		return fmt.Errorf("there are %d segments, the chart has %d", len(row.Segments), len(made.Segments))
	}
	left := map[stock.SegmentNo]int32{} // of a segment's capacity in the chart
	for i, s := range row.Segments {
		no, home := stock.SegmentNo(s.Segment), stock.SegmentNo(s.Home)
		if home < 1 || int(home) > len(made.Segments) || int(no) != i+1 || stock.PartitionOf(e.Number, no) != stock.PartitionID(s.Part) {
			return fmt.Errorf("segment %d does not fit the chart", no)
		}
		of := &made.Segments[home-1]
		if i < len(made.Segments) && home != no || i >= len(made.Segments) && !of.Area {
			return fmt.Errorf("segment %d is not a part of segment %d", no, home)
		}
		if home == no {
			left[no] = of.Capacity
		}
		left[home] -= s.Capacity
		e.Segments = append(e.Segments, Segment{
			No: no, Part: stock.PartitionID(s.Part), Section: s.Section, Name: s.Name, Area: s.Area, Home: home, Capacity: s.Capacity, Score: s.Score,
			Categories: of.Categories, Seats: of.Seats, layout: of.Layout,
		})
		e.ranked = append(e.ranked, no)
		if home != no {
			first := e.Segment(home)
			if first.Shares == nil {
				first.Shares = []stock.SegmentNo{home}
			}
			first.Shares = append(first.Shares, no)
		}
	}
	for no, n := range left {
		if n != 0 {
			return fmt.Errorf("segment %d does not have the capacity that the chart says: %d are left", no, n)
		}
	}
	return nil
}

// eventByNumber looks in the catalog, and reads it again when the event is newer.
func (n *Node) eventByNumber(ctx context.Context, id stock.EventID) (*Event, bool) {
	if e, ok := n.Catalog().ByNumber(id); ok {
		return e, true
	}
	if err := n.refreshCatalog(ctx); err != nil {
		n.log.Warn("the catalog could not be read", "error", err)
	}
	return n.Catalog().ByNumber(id)
}
