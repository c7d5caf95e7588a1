package chart

import (
	_ "embed" // the schema
	"encoding/json"
	"fmt"

	"ticketrush/stockd/stock"
)

// Format names the own format, in its member "format".
const Format = "ticketrush-chart/1"

// Schema is the JSON Schema (2020-12) of the own format. It tells the shape; Parse also checks what a schema cannot say.
//
//go:embed ticketrush-chart-1.schema.json
var Schema []byte

// Limits of a chart.
const (
	BodyMax       = 32 << 20 // bytes
	SeatsMax      = 500_000
	SectionsMax   = 5_000
	AreasMax      = 500
	CapacityMax   = 1_000_000 // of one area
	CategoriesMax = stock.CategoriesMax
	NameMax       = 64 // characters of any name
	PolygonMax    = 1_000
	coordinateMax = 1e6
)

// Chart is a seat map. Coordinates are in any one unit, x to the right, y down.
type Chart struct {
	Format     string     `json:"format"`
	Name       string     `json:"name"`
	Width      float64    `json:"width"`
	Height     float64    `json:"height"`
	Focal      Point      `json:"focal"`      // what people look at: best seats are near it
	Categories []Category `json:"categories"` // best first
	Sections   []Section  `json:"sections,omitempty"`
	Areas      []Area     `json:"areas,omitempty"`
}

// Point is a place on the map.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Category is a price category.
type Category struct {
	Name  string `json:"name"`
	Color string `json:"color"` // #rrggbb
}

// Section is a part of the house with rows. Category is the default of its seats.
type Section struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Category string `json:"category,omitempty"`
	Rows     []Row  `json:"rows"`
}

// Row is seats in a line, straight or curved; rows come in order, so that the next one is in front or behind.
// It has blocks, or seats from which blocks are made by finding the aisles.
type Row struct {
	Name     string  `json:"name"`
	Category string  `json:"category,omitempty"`
	Blocks   []Block `json:"blocks,omitempty"`
	Seats    []Seat  `json:"seats,omitempty"`
}

// Block is the seats from one aisle to the next, in order.
type Block struct {
	Seats []Seat `json:"seats"`
}

// Seat is one seat. Companions are the labels of the companion seats of an accessible one.
type Seat struct {
	Name       string   `json:"name"`
	X          float64  `json:"x"`
	Y          float64  `json:"y"`
	Category   string   `json:"category,omitempty"`
	Flags      []string `json:"flags,omitempty"`
	Companions []string `json:"companions,omitempty"`
}

// Area is a capacity without seats, as a standing area.
type Area struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Category string       `json:"category"`
	Capacity int          `json:"capacity"`
	Polygon  [][2]float64 `json:"polygon"`
}

// Flags are the flags of a seat as bits, as they are in the compiled map.
type Flags uint8

// The two lowest are the engine's, see package stock.
const (
	FlagAccessible     = Flags(stock.SeatAccessible)
	FlagCompanion      = Flags(stock.SeatCompanion)
	FlagRestrictedView = Flags(1 << 2)
)

// flagNames are the names in charts.
var flagNames = map[string]Flags{
	"accessible":      FlagAccessible,
	"companion":       FlagCompanion,
	"restricted_view": FlagRestrictedView,
}

// Label is the name of a seat in the whole chart.
func Label(section, row, seat string) string { return section + "-" + row + "-" + seat }

// Counts are the seats and the capacity of the areas.
func (c *Chart) Counts() (seats, areas int) {
	for i := range c.Sections {
		for j := range c.Sections[i].Rows {
			row := &c.Sections[i].Rows[j]
			seats += len(row.Seats)
			for k := range row.Blocks {
				seats += len(row.Blocks[k].Seats)
			}
		}
	}
	for i := range c.Areas {
		areas += c.Areas[i].Capacity
	}
	return seats, areas
}

// Encode writes the chart in the own format, compactly.
func (c *Chart) Encode() ([]byte, error) {
	c.Format = Format
	return json.Marshal(c)
}

// Decode reads what Encode wrote of a chart that came from one of this package's readers. It takes less than half of the time of Parse, for it
// does not check again what was checked then: a node reads its charts before it sells anything, and somebody waits for that after each restart.
func Decode(body []byte) (*Chart, error) {
	c := &Chart{}
	if err := json.Unmarshal(body, c); err != nil {
		return nil, fmt.Errorf("the chart cannot be read: %w", err)
	}
	if c.Format != Format {
		return nil, fmt.Errorf("the chart has the format %q, this program reads %q", c.Format, Format)
	}
	for i := range c.Sections {
		for j := range c.Sections[i].Rows {
			if row := &c.Sections[i].Rows[j]; len(row.Seats) > 0 {
				return nil, fmt.Errorf("section %q, row %q: its seats are not in blocks", c.Sections[i].ID, row.Name)
			}
		}
	}
	return c, nil
}
