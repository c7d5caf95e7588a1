package main

import (
	"fmt"
	"math"
	"strconv"

	"ticketrush/stockd/chart"
)

// Lengths are in metres, the origin is the middle of the floor, y grows away from the stage. The map has ten units per metre.
const (
	unitsPerMetre = 10
	margin        = 4.0  // around the house
	pitch         = 0.52 // between the middles of two seats
	aisle         = 1.1  // between two sections
	stair         = 1.0  // inside a section
)

// ring is one tier of the bowl.
type ring struct {
	prefix   string
	name     string
	sections int
	rows     int
	offset   float64 // of the first row from the floor's edge
	depth    float64 // of a row
	behind   float64 // metres left out to each side of the middle of the stage, on the floor's edge
	stairAt  int     // rows with more seats are cut in two by a stair
	category func(section, row int) string
}

var rings = []ring{
	{"1", "Lower bowl", 18, 19, 2.5, 0.9, 22, 30, lowerCategory},
	{"C", "Club", 14, 6, 22.2, 0.95, 22, 24, func(int, int) string { return "B" }},
	{"2", "Upper bowl", 20, 19, 30.5, 0.85, 24, 20, upperCategory},
}

// lowerCategory: the sides near the stage are the best, the far end is a step down.
func lowerCategory(section, _ int) string {
	if section < 6 || section >= 12 {
		return "A"
	}
	return "B"
}

// upperCategory: the front half is a step above the rear.
func upperCategory(_, row int) string {
	if row < 9 {
		return "C"
	}
	return "D"
}

// generate is the whole chart, checked and compact.
func generate() ([]byte, error) {
	edge := floorEdge
	outer := rings[2].offset + float64(rings[2].rows)*rings[2].depth + margin
	house := house{dx: edge.halfX + edge.corner + outer, dy: margin - top()}
	c := &chart.Chart{
		Name:   "Demo Arena",
		Width:  2 * house.dx * unitsPerMetre,
		Height: (house.dy + edge.halfY + edge.corner + outer) * unitsPerMetre,
		Categories: []chart.Category{
			{Name: "A", Color: "#e8590c"}, {Name: "B", Color: "#1c7ed6"}, {Name: "C", Color: "#2b8a3e"}, {Name: "D", Color: "#862e9c"},
		},
	}
	c.Width, c.Height = math.Ceil(c.Width), math.Ceil(c.Height)
	c.Focal.X, c.Focal.Y = house.place(0, stageFront)
	c.Sections = append(c.Sections, house.floor()...)
	for i := range rings {
		for section := range rings[i].sections {
			c.Sections = append(c.Sections, house.bowl(&rings[i], section))
		}
	}
	c.Areas = []chart.Area{house.pit()}
	body, err := c.Encode()
	if err != nil {
		return nil, err
	}
	if _, warnings, err := chart.Parse(body); err != nil || len(warnings) > 0 {
		return nil, fmt.Errorf("the chart is not right: %v, %w", warnings, err)
	}
	return append(body, '\n'), nil
}

// top is where the house ends behind the stage: the ends of the rings there.
func top() float64 {
	least := 0.0
	for i := range rings {
		from, to := rings[i].span(0)
		_, y := floorEdge.along(from, to, rings[i].offset+float64(rings[i].rows)*rings[i].depth, 0)
		least = min(least, y)
	}
	return least
}

// house turns metres into places on the map.
type house struct{ dx, dy float64 }

func (h house) place(x, y float64) (float64, float64) {
	round := func(v float64) float64 { return math.Round(v*unitsPerMetre*10) / 10 }
	return round(x + h.dx), round(y + h.dy)
}

func (h house) seat(number int, x, y float64) chart.Seat {
	s := chart.Seat{Name: strconv.Itoa(number)}
	s.X, s.Y = h.place(x, y)
	return s
}

// bowl is one section of a ring: rows along the ring's curve, wider from row to row where the ring turns.
func (h house) bowl(r *ring, number int) chart.Section {
	s := chart.Section{ID: fmt.Sprintf("%s%02d", r.prefix, number+1), Name: fmt.Sprintf("%s %d", r.name, number+1)}
	s.Category = r.category(number, 0)
	from, to := r.span(number)
	for i := range r.rows {
		row := chart.Row{Name: strconv.Itoa(i + 1)}
		if category := r.category(number, i); category != s.Category {
			row.Category = category
		}
		offset := r.offset + float64(i)*r.depth
		length := floorEdge.length(from, to, offset) - aisle
		seats := int(length / pitch)
		cut, gap := 0, 0.0
		if seats > r.stairAt {
			seats -= int(math.Ceil(stair / pitch))
			cut, gap = seats/2, stair
		}
		lead := (length-float64(seats-1)*pitch-gap)/2 + aisle/2
		var block chart.Block
		for j := range seats {
			tunnel := r.tunnel(number, i, j, seats)
			stairs := j == cut && cut > 0
			if (tunnel || stairs) && len(block.Seats) > 0 {
				row.Blocks = append(row.Blocks, block)
				block = chart.Block{}
			}
			if stairs {
				lead += gap
			}
			if tunnel {
				continue
			}
			x, y := floorEdge.along(from, to, offset, lead+float64(j)*pitch)
			block.Seats = append(block.Seats, h.seat(j+1, x, y))
		}
		row.Blocks = append(row.Blocks, block)
		if r.accessible(number, i) {
			wheelchairs(&s, &row)
		}
		if r.prefix == "2" && (number == 0 || number == r.sections-1) {
			restrict(&row)
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// span is where on the floor's edge a section begins and ends: all of a ring are equally wide in their middle row. The ring is open
// behind the stage.
func (r *ring) span(number int) (from, to float64) {
	middle := r.offset + float64(r.rows)/2*r.depth
	share := floorEdge.length(r.behind, floorEdge.around()-r.behind, middle) / float64(r.sections)
	return floorEdge.after(r.behind, middle, float64(number)*share), floorEdge.after(r.behind, middle, float64(number+1)*share)
}

// tunnel leaves out the seats over the entrances: beside the stair of every third section of the lower bowl, in the middle rows.
func (r *ring) tunnel(section, row, seat, seats int) bool {
	return r.prefix == "1" && section%3 == 1 && row >= 7 && row < 10 && seat >= seats/2-3 && seat < seats/2+3
}

// accessible is the rows with places for wheelchairs: the last of the lower bowl, reached from the concourse, and the first of the club.
func (r *ring) accessible(section, row int) bool {
	return r.prefix == "1" && row == r.rows-1 || r.prefix == "C" && row == 0 && section%2 == 0
}

// wheelchairs turns the first seats of a row into two places for wheelchairs with a companion seat each.
func wheelchairs(s *chart.Section, row *chart.Row) {
	seats := row.Blocks[0].Seats
	for _, i := range []int{0, 2} {
		seats[i].Flags = []string{"accessible"}
		seats[i+1].Flags = []string{"companion"}
		seats[i].Companions = []string{chart.Label(s.ID, row.Name, seats[i+1].Name)}
	}
}

// restrict marks the seats of the sections beside the stage from which a part of it is hidden.
func restrict(row *chart.Row) {
	for i := range row.Blocks {
		for j := range row.Blocks[i].Seats {
			row.Blocks[i].Seats[j].Flags = append(row.Blocks[i].Seats[j].Flags, "restricted_view")
		}
	}
}
