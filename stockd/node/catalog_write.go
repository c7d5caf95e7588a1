package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/chart"
	"ticketrush/stockd/stock"
)

// ErrBadChart wraps what is wrong with a chart; the text is for whoever sent it.
var ErrBadChart = errors.New("the chart cannot be used")

// ErrBadEvent wraps what is wrong with an event.
var ErrBadEvent = errors.New("the event cannot be used")

// chartSpace makes chart ids out of digests, so that the same chart sent twice is the same chart.
var chartSpace = uuid.MustParse("8b8c5f2c-5d53-4f8e-9a52-0c2f5b9be1a7")

// ChartInfo is a stored chart.
type ChartInfo struct {
	ID       uuid.UUID
	Digest   [32]byte
	Chart    *chart.Chart
	Compiled *chart.Compiled
	Warnings []chart.Warning // of the import; nil when it was read back
}

// CreateChart stores a chart. format is "ticketrush", "pretix", "csv", or "" to find out. new is false when the same chart was there.
func (n *Node) CreateChart(ctx context.Context, format, name string, body []byte) (info ChartInfo, created bool, err error) {
	read := map[string]func([]byte) (*chart.Chart, []chart.Warning, error){"ticketrush": chart.Parse, "pretix": chart.FromPretix, "csv": chart.FromCSV, "": chart.Import}[format]
	if read == nil {
		return ChartInfo{}, false, fmt.Errorf("%w: format %q is not known", ErrBadChart, format)
	}
	parsed, warnings, err := read(body)
	if err != nil {
		return ChartInfo{}, false, fmt.Errorf("%w: %w", ErrBadChart, err)
	}
	if name != "" {
		parsed.Name = name
	}
	text, err := parsed.Encode()
	if err != nil {
		return ChartInfo{}, false, fmt.Errorf("%w: %w", ErrBadChart, err)
	}
	row := ledger.Chart{UID: uuid.NewSHA1(chartSpace, text), Name: parsed.Name, Body: text}
	if _, err := compile(row); err != nil {
		return ChartInfo{}, false, fmt.Errorf("%w: %w", ErrBadChart, err)
	}
	_, err = n.db.ChartInsert(ctx, row)
	if err != nil && !errors.Is(err, ledger.ErrExists) {
		return ChartInfo{}, false, fmt.Errorf("store the chart: %w", err)
	}
	created = err == nil
	info, ok, err := n.Chart(ctx, row.UID)
	if err == nil && !ok {
		err = errors.New("the chart that was just stored is not there")
	}
	info.Warnings = warnings
	return info, created, err
}

// Chart reads a stored chart.
func (n *Node) Chart(ctx context.Context, id uuid.UUID) (ChartInfo, bool, error) {
	c, _, err := n.chartByID(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return ChartInfo{}, false, nil
	}
	if err != nil {
		return ChartInfo{}, false, err
	}
	return ChartInfo{ID: c.id, Digest: c.digest, Chart: c.chart, Compiled: c.compiled}, true, nil
}

func (n *Node) chartByID(ctx context.Context, id uuid.UUID) (*storedChart, int32, error) {
	row, err := n.db.ChartByUID(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	c, err := n.chart(ctx, row.ID)
	return c, row.ID, err
}

// NewEvent is an event to be put into the ledger. Prices name categories by the chart's index and types by the index in Types.
type NewEvent struct {
	ID                uuid.UUID // a new one when it is zero; a repeated request brings the same
	ChartID           uuid.UUID
	Slug, Name, Venue string
	OpensAt, StartsAt time.Time
	Currency, Room    string
	HoldTTL, MaxTTL   time.Duration // default 10 and 20 minutes
	LimitTid          int32
	LimitAccount      int32
	LimitDocument     int32
	RefundsUntil      time.Time // zero: never
	Organiser         string    // "": the house
	// AreaShare is the most places of one segment of an area; a larger area is sold by several owners. Default AreaShareDefault; an area is kept
	// whole by as many places as it has.
	AreaShare int32
	Types     []string
	Tiers     []Tier
	OnSale    bool // else it is a draft
}

// AreaShareDefault is as many places as the largest segment of seats has: what one owner sells, and what is away while a partition moves, is
// then the same for areas and for seats.
const AreaShareDefault = chart.SegmentSeats

// CreateEvent puts an event on sale, or down as a draft, with all its segments and seats, and tells all nodes. ledger.ErrExists when the slug
// is taken, ledger.ErrNotFound without the chart, ErrBadEvent otherwise.
func (n *Node) CreateEvent(ctx context.Context, in NewEvent) (*Event, error) {
	c, number, err := n.chartByID(ctx, in.ChartID)
	if err != nil {
		return nil, fmt.Errorf("the chart of the event: %w", err)
	}
	if in.ID == uuid.Nil {
		in.ID = uuid.Must(uuid.NewV7())
	}
	row := ledger.Event{
		UID: in.ID, Slug: in.Slug, Name: in.Name, Chart: number, State: "draft", OpensAt: in.OpensAt, StartsAt: in.StartsAt,
		Venue: in.Venue, Currency: in.Currency, Room: in.Room, HoldTTL: in.HoldTTL, MaxHoldTTL: in.MaxTTL, LimitTid: in.LimitTid,
		LimitAcct: in.LimitAccount, LimitDoc: in.LimitDocument, RefundsUntil: in.RefundsUntil, Organiser: in.Organiser, SectionName: map[string]string{},
		PartOf: func(event, segment int32) int32 {
			return int32(stock.PartitionOf(stock.EventID(event), stock.SegmentNo(segment)))
		},
	}
	if in.OnSale {
		row.State = "on_sale"
	}
	if row.HoldTTL == 0 {
		row.HoldTTL = 10 * time.Minute
	}
	if row.MaxHoldTTL == 0 {
		row.MaxHoldTTL = 2 * row.HoldTTL
	}
	if row.Tiers, err = tiers(&in, c.compiled); err != nil {
		return nil, err
	}
	for _, s := range c.compiled.Sections {
		row.SectionName[s.ID] = s.Name
	}
	var seats []ledger.SeatInfo
	row.Segments, seats = plan(c.compiled, cmp.Or(in.AreaShare, AreaShareDefault))
	id, err := n.db.EventInsert(ctx, row, seats)
	if err != nil {
		return nil, fmt.Errorf("store event %s: %w", in.Slug, err)
	}
	return n.published(ctx, stock.EventID(id))
}

// plan is the segments of a chart, and its seats. Areas of more than share places are split: the first part keeps the chart's number and is the
// area's home, the others are numbered after all that the chart has.
func plan(c *chart.Compiled, share int32) (segments []ledger.SegmentInfo, seats []ledger.SeatInfo) {
	var shares []ledger.SegmentInfo
	for i := range c.Segments {
		s := &c.Segments[i]
		info := ledger.SegmentInfo{Segment: int32(s.No), Home: int32(s.No), Section: s.Section, Name: s.Name, Area: s.Area, Score: s.Score, Capacity: s.Capacity}
		if s.Area {
			for part, capacity := range stock.SplitArea(s.Capacity, share) {
				if info.Capacity = capacity; part == 0 {
					segments = append(segments, info)
					continue
				}
				info.Segment = int32(len(c.Segments) + len(shares) + 1)
				info.Name = fmt.Sprintf("%s · %d", s.Name, part+1)
				shares = append(shares, info)
			}
			continue
		}
		segments = append(segments, info)
		for _, seat := range s.Seats {
			seats = append(seats, ledger.SeatInfo{Seat: int64(seat.ID), Label: seat.Label, Category: seat.Category})
		}
	}
	return append(segments, shares...), seats
}

// tiers checks that each category that has seats has a price for the first type at least.
func tiers(in *NewEvent, c *chart.Compiled) ([]ledger.Tier, error) {
	var problems []error
	var out []ledger.Tier
	priced := uint64(0)
	for _, t := range in.Tiers {
		if t.Category < 0 || int(t.Category) >= len(c.Categories) || t.Type < 0 || int(t.Type) >= len(in.Types) {
			problems = append(problems, fmt.Errorf("a price names category %d and type %d, which are not there", t.Category, t.Type))
			continue
		}
		if t.Face < 0 || t.Fee < 0 || t.Tax < 0 {
			problems = append(problems, fmt.Errorf("a price of category %s is negative", c.Categories[t.Category]))
		}
		priced |= 1 << t.Category
		out = append(out, ledger.Tier{Category: t.Category, CategoryName: c.Categories[t.Category], Type: t.Type, TypeName: in.Types[t.Type], Face: t.Face, Fee: t.Fee, Tax: t.Tax})
	}
	for i := range c.Segments {
		if missing := c.Segments[i].Categories &^ priced; missing != 0 {
			problems = append(problems, fmt.Errorf("section %s has seats of a category without a price", c.Segments[i].Section))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadEvent, err)
	}
	return out, nil
}

// EventChange is what may be changed of an event; nil leaves it.
type EventChange struct {
	State   *string
	Name    *string
	OpensAt *time.Time
}

// UpdateEvent changes an event when its version is still ver; ledger.ErrStale if not. ver 0 means whatever it is.
func (n *Node) UpdateEvent(ctx context.Context, id stock.EventID, ver int32, change EventChange) (*Event, error) {
	e, ok := n.eventByNumber(ctx, id)
	if !ok {
		return nil, fmt.Errorf("event %d: %w", id, ledger.ErrNotFound)
	}
	if ver == 0 {
		ver = e.Version
	}
	row := ledger.Event{ID: int32(id), State: e.State, Name: e.Name, OpensAt: e.OpensAt}
	if change.State != nil {
		row.State = *change.State
	}
	if change.Name != nil {
		row.Name = *change.Name
	}
	if change.OpensAt != nil {
		row.OpensAt = *change.OpensAt
	}
	if _, err := n.db.EventUpdate(ctx, row, ver); err != nil {
		return nil, fmt.Errorf("change event %s: %w", e.Slug, err)
	}
	return n.published(ctx, id)
}

// published takes a change over here and tells the others. Those that do not hear it poll.
func (n *Node) published(ctx context.Context, id stock.EventID) (*Event, error) {
	if err := n.refreshCatalog(ctx); err != nil {
		return nil, fmt.Errorf("read the catalog again: %w", err)
	}
	var all sync.WaitGroup
	for _, other := range n.table.others() {
		all.Go(func() {
			if err := n.peers.post(ctx, other, "/internal/v1/catalog", nil, nil, 3*time.Second); err != nil {
				n.log.Debug("a node did not hear of the catalog's change", "peer", other.ID, "error", err)
			}
		})
	}
	all.Wait()
	e, ok := n.Catalog().ByNumber(id)
	if !ok {
		return nil, fmt.Errorf("event %d is not in the catalog that was just read", id)
	}
	return e, nil
}
