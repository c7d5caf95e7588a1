package api

import (
	"slices"
	"strconv"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

var nilID uuid.UUID

// The states of an event.
const (
	stateDraft  = "draft"
	stateOnSale = "on_sale"
	statePaused = "paused"
	stateClosed = "closed"
)

// segment finds a segment by number, for any segment of an area its home; nil when there is none.
func (ev *Event) segment(no stock.SegmentNo) *Segment {
	if i := int(no) - 1; i >= 0 && i < len(ev.Segments) && ev.Segments[i].No == no {
		return &ev.Segments[i]
	}
	i := slices.IndexFunc(ev.Segments, func(s Segment) bool { return s.No == no || slices.Contains(s.Shares, no) })
	if i < 0 {
		return nil
	}
	return &ev.Segments[i]
}

// label is what people call a seat; for a unit of an area, area and number.
func (ev *Event) label(id stock.SeatID) string {
	seg := ev.segment(id.Segment())
	if seg == nil {
		return ""
	}
	if seg.Area {
		return seg.Section + " " + strconv.Itoa(int(seg.unit(id)))
	}
	if i := int(id.Index()); i < len(seg.Seats) {
		return seg.Seats[i].Label
	}
	return ""
}

// unit is the number of a place of an area. Its segments count each by itself, so they take turns: no number is given twice.
func (seg *Segment) unit(id stock.SeatID) int32 {
	k := int32(len(seg.Shares))
	if k == 0 {
		return id.Index()
	}
	return (id.Index()-1)*k + int32(slices.Index(seg.Shares, id.Segment())) + 1
}

func (ev *Event) labels(ids []stock.SeatID) []string {
	labels := make([]string, 0, len(ids))
	for _, id := range ids {
		labels = append(labels, ev.label(id))
	}
	return labels
}

// category of a seat or of its area.
func (ev *Event) category(id stock.SeatID) int16 {
	seg := ev.segment(id.Segment())
	if seg == nil {
		return 0
	}
	if i := int(id.Index()); !seg.Area && i < len(seg.Seats) {
		return seg.Seats[i].Category
	}
	return seg.Category
}

// tier is the price of a category for a type.
func (ev *Event) tier(category, typ int16) (Tier, bool) {
	i := slices.IndexFunc(ev.Tiers, func(t Tier) bool { return t.Category == category && t.Type == typ })
	if i < 0 {
		return Tier{}, false
	}
	return ev.Tiers[i], true
}

// typeIndex of a ticket type; the first one when no name is given.
func (ev *Event) typeIndex(name string) (int16, bool) {
	if name == "" {
		return 0, true
	}
	i := slices.Index(ev.Types, name)
	return int16(i), i >= 0
}

func nameAt(names []string, i int16) string {
	if i >= 0 && int(i) < len(names) {
		return names[i]
	}
	return strconv.Itoa(int(i))
}

func (ev *Event) capacity() int {
	n := 0
	for _, s := range ev.Segments {
		n += int(s.Capacity)
	}
	return n
}

// version is the entity tag of the event.
func (ev *Event) version() string { return `"` + strconv.Itoa(ev.Version) + `"` }

type priceDoc struct {
	Face     int64  `json:"face"`
	Fee      int64  `json:"fee"`
	Tax      int64  `json:"tax"`
	Currency string `json:"currency"`
}

type itemDoc struct {
	Seat     string   `json:"seat,omitempty"`
	Area     string   `json:"area,omitempty"`
	Unit     int32    `json:"unit,omitempty"`
	Section  string   `json:"section"`
	Category string   `json:"category"`
	Type     string   `json:"type"`
	Price    priceDoc `json:"price"`
	State    string   `json:"state,omitempty"` // of an order's line that has ended
}

// item is one seat or unit as clients see it.
func (ev *Event) item(id stock.SeatID, typ int16, price priceDoc) itemDoc {
	doc := itemDoc{Category: nameAt(ev.Categories, ev.category(id)), Type: nameAt(ev.Types, typ), Price: price}
	seg := ev.segment(id.Segment())
	if seg == nil {
		return doc
	}
	doc.Section = seg.Section
	if seg.Area {
		doc.Area, doc.Unit = seg.Section, seg.unit(id)
	} else {
		doc.Seat = ev.label(id)
	}
	return doc
}
