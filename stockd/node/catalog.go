package node

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/chart"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Catalog is what is on sale, at one version. It never changes.
type Catalog struct {
	Version  int64
	events   []*Event
	byNumber map[stock.EventID]*Event
	byID     map[uuid.UUID]*Event
	bySlug   map[string]*Event
}

// Event is one performance on sale. It never changes.
type Event struct {
	Number            stock.EventID
	ID, ChartID       uuid.UUID
	Slug, Name, Venue string
	State             string // draft, on_sale, paused, closed
	Version           int32
	OpensAt           time.Time // zero: as soon as State is on_sale
	StartsAt          time.Time
	Currency          string
	Room              string // "": no pass is needed
	HoldTTL, MaxTTL   time.Duration
	LimitTid          int32 // 0: no limit, as the others
	LimitAccount      int32
	LimitDocument     int32
	RefundsUntil      time.Time // until when a buyer may ask for their money by themselves; zero: never
	Organiser         string    // whom the revenue is for; "": the house
	CancelledAt       time.Time // zero unless it does not take place
	RecognisedAt      time.Time // zero until its revenue was recognised
	Categories, Types []string  // names by index
	Tiers             []Tier
	Segments          []Segment // by number: Segments[i].No == i+1
	Chart             *chart.Chart
	Compiled          *chart.Compiled

	labels map[string]stock.SeatID
	ranked []stock.SegmentNo // best first
}

// Tier is the price of a category for a ticket type, in minor units.
type Tier struct {
	Category, Type int16
	Face, Fee, Tax int64
}

// Segment is a unit of inventory of an event.
type Segment struct {
	No         stock.SegmentNo
	Part       stock.PartitionID
	Section    string // id
	Name       string
	Area       bool
	Home       stock.SegmentNo   // of an area: its first segment; No itself otherwise
	Shares     []stock.SegmentNo // at the home of an area with several segments: all of them, itself first
	Capacity   int32             // as it was put on sale
	Score      float64
	Categories uint64               // mask
	Seats      []chart.CompiledSeat // by index; nil for an area
	layout     *stock.Layout
}

// Events are all events in order of number.
func (c *Catalog) Events() []*Event { return c.events }

// ByNumber finds an event by the ledger's number.
func (c *Catalog) ByNumber(id stock.EventID) (*Event, bool) {
	e, ok := c.byNumber[id]
	return e, ok
}

// ByID finds an event by its id.
func (c *Catalog) ByID(id uuid.UUID) (*Event, bool) {
	e, ok := c.byID[id]
	return e, ok
}

// BySlug finds an event by its slug.
func (c *Catalog) BySlug(slug string) (*Event, bool) {
	e, ok := c.bySlug[slug]
	return e, ok
}

// segments names all segments.
func (c *Catalog) segments() []owner.SegmentRef {
	var refs []owner.SegmentRef
	for _, e := range c.events {
		for i := range e.Segments {
			refs = append(refs, owner.SegmentRef{Event: e.Number, Segment: e.Segments[i].No, Part: e.Segments[i].Part})
		}
	}
	return refs
}

// Segment finds a segment by its number, nil when there is none.
func (e *Event) Segment(no stock.SegmentNo) *Segment {
	if no < 1 || int(no) > len(e.Segments) {
		return nil
	}
	return &e.Segments[no-1]
}

// SeatByLabel finds a seat by its label, as "N-12-7".
func (e *Event) SeatByLabel(label string) (stock.SeatID, bool) {
	id, ok := e.labels[label]
	return id, ok
}

// Seat is a seat of the map; false for a unit of an area.
func (e *Event) Seat(id stock.SeatID) (chart.CompiledSeat, bool) {
	s := e.Segment(id.Segment())
	if s == nil || int(id.Index()) >= len(s.Seats) {
		return chart.CompiledSeat{}, false
	}
	return s.Seats[id.Index()], true
}

// Label is a seat's label, "" for a unit of an area.
func (e *Event) Label(id stock.SeatID) string {
	seat, _ := e.Seat(id)
	return seat.Label
}

// Category is the category of a seat or of a unit's area.
func (e *Event) Category(id stock.SeatID) int16 {
	if seat, ok := e.Seat(id); ok {
		return seat.Category
	}
	if s := e.Segment(id.Segment()); s != nil {
		for i := range int16(64) {
			if s.Categories>>i&1 == 1 {
				return i
			}
		}
	}
	return 0
}

// Price is the tier of a category and a ticket type.
func (e *Event) Price(category, typ int16) (Tier, bool) {
	at := slices.IndexFunc(e.Tiers, func(t Tier) bool { return t.Category == category && t.Type == typ })
	if at < 0 {
		return Tier{}, false
	}
	return e.Tiers[at], true
}

// Catalog is what this node knows to be on sale.
func (n *Node) Catalog() *Catalog { return n.catalog.Load() }

// BestSegments are the segments that may serve an ask, best score first, those that have too little left by the last counts left out.
// When that leaves none, the best ones come all the same: what is final has to be said by an owner.
func (n *Node) BestSegments(event stock.EventID, ask stock.Ask) []stock.SegmentNo {
	e, ok := n.Catalog().ByNumber(event)
	if !ok {
		return nil
	}
	counts, _, _ := n.Counts(event)
	quantity, areas := max(ask.Quantity, 1), e.onlyAreas(ask.Categories)
	var can, all []stock.SegmentNo
	for _, no := range e.ranked {
		s := e.Segment(no)
		if ask.Categories != 0 && s.Categories&ask.Categories == 0 || s.Area && !areas || s.Home != no {
			continue
		}
		all = append(all, no)
		if c, known := e.Area(no, counts); !known || c.Free >= quantity {
			can = append(can, no)
		}
	}
	if len(can) > 0 {
		return can
	}
	return all[:min(len(all), 3)]
}

// Area is what a segment has; of an area with several segments, by its home, what all of them have. What is under way between them counts as free.
// known says that every one of them was heard of.
func (e *Event) Area(no stock.SegmentNo, counts map[stock.SegmentNo]stock.Counts) (sum stock.Counts, known bool) {
	s := e.Segment(no)
	if len(s.Shares) == 0 {
		sum, known = counts[no]
		return sum, known
	}
	for _, share := range s.Shares {
		c, ok := counts[share]
		if !ok {
			return stock.Counts{}, false
		}
		sum.Capacity += e.Segment(share).Capacity
		sum.Held, sum.Paying, sum.Sold = sum.Held+c.Held, sum.Paying+c.Paying, sum.Sold+c.Sold
	}
	sum.Free = sum.Capacity - sum.Held - sum.Paying - sum.Sold
	return sum, true
}

// onlyAreas is whether the categories are sold in areas only. Best available means seats where there are any.
func (e *Event) onlyAreas(categories uint64) bool {
	for i := range e.Segments {
		if s := &e.Segments[i]; !s.Area && (categories == 0 || s.Categories&categories != 0) {
			return false
		}
	}
	return true
}
