package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"ticketrush/stockd/chart"
	"ticketrush/stockd/demo"
	"ticketrush/stockd/stock"
)

// The house: sections of one segment each, so that there are many partitions to watch, and a standing area. The matinee, which is cancelled, has fewer.
const (
	sections        = 64
	matineeSections = 4
	rows            = 16
	rowSeats        = 30
	standing        = "floor"
	standingMax     = 100_000
	eventSlug       = "chaos"
	matineeSlug     = "matinee"
)

// house is the seat map of some sections.
func house(name string, sections int) *chart.Chart {
	c := &chart.Chart{
		Format: chart.Format, Name: name, Width: 2000, Height: 2000, Focal: chart.Point{X: 1000, Y: 0}, Categories: []chart.Category{{Name: "A", Color: "#336699"}},
		Areas: []chart.Area{{ID: standing, Name: standing, Category: "A", Capacity: standingMax, Polygon: [][2]float64{{0, 1900}, {1000, 1900}, {1000, 1990}, {0, 1990}}}},
	}
	for s := range sections {
		section := chart.Section{ID: "S" + strconv.Itoa(s+1), Name: "S" + strconv.Itoa(s+1), Category: "A"}
		for r := range rows {
			row := chart.Row{Name: strconv.Itoa(r + 1)}
			for n := range rowSeats {
				x, y := float64(s%8*240+n*6), float64(s/8*220+r*12)
				row.Seats = append(row.Seats, chart.Seat{Name: strconv.Itoa(n + 1), X: x, Y: y})
			}
			section.Rows = append(section.Rows, row)
		}
		c.Sections = append(c.Sections, section)
	}
	return c
}

// putOnSale imports the houses and opens the events, as ops would. They have no room: what is hurt here is behind the room.
func putOnSale(ctx context.Context, place demo.Place) error {
	w := &wire{name: "set-up", bases: []string{place.API}, http: http.DefaultClient, try: time.Minute, gaps: newGaps(), book: newBook()}
	return errors.Join(w.opens(ctx, place, place.Event, house("Chaos", sections)), w.opens(ctx, place, matineeSlug, house("Matinee", matineeSections)))
}

// opens puts an event on sale whose buyers may give their seats back.
func (w *wire) opens(ctx context.Context, place demo.Place, slug string, c *chart.Chart) error {
	ops := map[string]string{"Authorization": "Bearer " + place.APIKey}
	var imported struct {
		ID string `json:"id"`
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	a, err := w.ask(ctx, call{method: http.MethodPost, path: "/v1/charts", header: ops, body: json.RawMessage(text), into: &imported})
	if err != nil || !a.ok() {
		return fmt.Errorf("import the chart of %s: %d %s %s %w", slug, a.status, a.problem, a.detail, err)
	}
	begins := time.Now().UTC().AddDate(0, 1, 0).Format(time.RFC3339)
	a, err = w.ask(ctx, call{method: http.MethodPost, path: "/v1/events", header: ops, body: map[string]any{
		"slug": slug, "name": c.Name, "chart": imported.ID, "starts_at": begins, "refunds_until": begins, "currency": "EUR",
		"prices": []map[string]any{{"category": "A", "type": "adult", "face": 5000, "fee": 350}}, "hold_ttl_s": 3600, "max_hold_ttl_s": 7200, "open": true,
	}})
	if err != nil || !a.ok() {
		return fmt.Errorf("create the event %s: %d %s %s %w", slug, a.status, a.problem, a.detail, err)
	}
	return nil
}

// places are the seats of the house as buyers know them: their labels by segment, and where each label is.
type places struct {
	segments map[int][]string
	at       map[string]int64 // label → the ledger's seat id
	standing int              // the area's home
}

func readPlaces(ctx context.Context, w *wire) (*places, error) {
	var m struct {
		Segments []struct {
			No    int `json:"segment"`
			Seats []struct {
				ID string `json:"id"`
			} `json:"seats"`
		} `json:"segments"`
		Areas []struct {
			Segment int `json:"segment"`
		} `json:"areas"`
	}
	a, err := w.ask(ctx, call{method: http.MethodGet, path: "/v1/events/" + eventSlug + "/map", into: &m})
	if err != nil || !a.ok() {
		return nil, fmt.Errorf("read the map: %d %s %s %w", a.status, a.problem, a.detail, err)
	}
	p := &places{segments: map[int][]string{}, at: map[string]int64{}}
	for _, s := range m.Segments {
		for i, seat := range s.Seats {
			p.segments[s.No] = append(p.segments[s.No], seat.ID)
			p.at[seat.ID] = int64(stock.NewSeatID(stock.SegmentNo(s.No), int32(i)))
		}
	}
	for _, area := range m.Areas {
		p.standing = area.Segment
	}
	return p, nil
}

// unitLabel names a unit of the area.
func unitLabel(unit int) string { return standing + " " + strconv.Itoa(unit) }

// seatID is the ledger's id of a seat, or of a unit of the area, whose segments, the home first, take turns with the numbers that people see.
func (p *places) seatID(label string, shares []stock.SegmentNo) int64 {
	if id, ok := p.at[label]; ok {
		return id
	}
	unit, k := 0, len(shares)
	_, _ = fmt.Sscanf(label, standing+" %d", &unit) // our own label
	return int64(stock.NewSeatID(shares[(unit-1)%k], int32((unit-1)/k+1)))
}
