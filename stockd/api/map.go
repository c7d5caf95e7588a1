package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

type mapDoc struct {
	Event      string        `json:"event"`
	Name       string        `json:"name"`
	Width      float64       `json:"width"`
	Height     float64       `json:"height"`
	Focal      [2]float64    `json:"focal"`
	Currency   string        `json:"currency"`
	Categories []mapCategory `json:"categories"`
	Types      []mapType     `json:"types"`
	Prices     []mapPrice    `json:"prices"`
	Sections   []mapSection  `json:"sections"`
	Segments   []mapSegment  `json:"segments"`
	Areas      []mapArea     `json:"areas"`
}

type mapCategory struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	Color string `json:"color,omitempty"`
}

type mapType struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
}

type mapPrice struct {
	Category int16 `json:"category"`
	Type     int16 `json:"type"`
	priceDoc
}

type mapSection struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Segments []stock.SegmentNo `json:"segments"`
	Area     bool              `json:"area"`
}

type mapSegment struct {
	Segment stock.SegmentNo `json:"segment"`
	Section string          `json:"section"`
	Seats   []mapSeat       `json:"seats"`
}

type mapSeat struct {
	ID       string  `json:"id"`
	X        float64 `json:"x"`
	Y        float64 `json:"y"`
	Category int16   `json:"c"`
	Flags    uint8   `json:"f"`
}

type mapArea struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Segment  stock.SegmentNo   `json:"segment"`
	Segments []stock.SegmentNo `json:"segments"`
	Capacity int32             `json:"capacity"`
	Category int16             `json:"c"`
	Polygon  [][2]float64      `json:"polygon"`
}

// mapView is what is made once for an event's version: the map as bytes, and the index of labels.
type mapView struct {
	version int
	body    []byte
	tag     string
	seats   map[string]stock.SeatID
}

// mapsMax bounds the cache: a map of 20,000 seats is about 1 MB.
const mapsMax = 64

// mapCache keeps the views of events.
type mapCache struct {
	mu    sync.Mutex
	views map[uuid.UUID]*mapView // guarded by mu
}

// of gives the view of an event. It is made under the lock, so that a crowd at the start of a sale makes it once.
func (c *mapCache) of(ev *Event) (*mapView, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.views[ev.ID]; v != nil && v.version == ev.Version {
		return v, nil
	}
	body, err := json.Marshal(newMapDoc(ev))
	if err != nil {
		return nil, err
	}
	v := &mapView{version: ev.Version, body: body, tag: entityTag(body), seats: map[string]stock.SeatID{}}
	for i := range ev.Segments {
		seg := &ev.Segments[i]
		for j := range seg.Seats {
			v.seats[seg.Seats[j].Label] = stock.NewSeatID(seg.No, int32(j))
		}
	}
	if c.views == nil {
		c.views = map[uuid.UUID]*mapView{}
	}
	for id := range c.views {
		if len(c.views) < mapsMax {
			break
		}
		delete(c.views, id) // any one will do: it is made again when it is asked for
	}
	c.views[ev.ID] = v
	return v, nil
}

func newMapDoc(ev *Event) mapDoc {
	doc := mapDoc{
		Event: prefixEvent + ev.ID.String(), Name: ev.Name, Width: ev.Layout.Width, Height: ev.Layout.Height,
		Focal: [2]float64{ev.Layout.FocalX, ev.Layout.FocalY}, Currency: ev.Currency,
		Categories: []mapCategory{}, Types: []mapType{}, Prices: []mapPrice{}, Sections: []mapSection{}, Segments: []mapSegment{}, Areas: []mapArea{},
	}
	for i, name := range ev.Categories {
		c := mapCategory{Index: i, Name: name}
		if i < len(ev.Layout.Colors) {
			c.Color = ev.Layout.Colors[i]
		}
		doc.Categories = append(doc.Categories, c)
	}
	for i, name := range ev.Types {
		doc.Types = append(doc.Types, mapType{i, name})
	}
	for _, t := range ev.Tiers {
		doc.Prices = append(doc.Prices, mapPrice{t.Category, t.Type, priceDoc{t.Face, t.Fee, t.Tax, ev.Currency}})
	}
	for i := range ev.Segments {
		doc.add(&ev.Segments[i])
	}
	return doc
}

// add puts a segment into its section or area.
func (doc *mapDoc) add(seg *Segment) {
	at := slices.IndexFunc(doc.Sections, func(s mapSection) bool { return s.ID == seg.Section && s.Area == seg.Area })
	if at < 0 {
		at = len(doc.Sections)
		doc.Sections = append(doc.Sections, mapSection{ID: seg.Section, Name: seg.Name, Area: seg.Area})
	}
	doc.Sections[at].Segments = append(doc.Sections[at].Segments, seg.No)
	if seg.Area {
		if a := slices.IndexFunc(doc.Areas, func(a mapArea) bool { return a.ID == seg.Section }); a >= 0 {
			doc.Areas[a].Segments = append(doc.Areas[a].Segments, seg.No)
			doc.Areas[a].Capacity += seg.Capacity
			return
		}
		polygon := seg.Polygon
		if polygon == nil {
			polygon = [][2]float64{}
		}
		doc.Areas = append(doc.Areas, mapArea{seg.Section, seg.Name, seg.No, []stock.SegmentNo{seg.No}, seg.Capacity, seg.Category, polygon})
		return
	}
	seats := make([]mapSeat, len(seg.Seats))
	for i, seat := range seg.Seats {
		seats[i] = mapSeat{seat.Label, seat.X, seat.Y, seat.Category, seat.Flags}
	}
	doc.Segments = append(doc.Segments, mapSegment{seg.No, seg.Section, seats})
}

func (s *server) getMap(w http.ResponseWriter, r *http.Request) error {
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	view, err := s.maps.of(ev)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=60")
	if notModified(w, r, view.tag) {
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(view.body)
	return nil
}
