package chart

import (
	"fmt"
	"math"

	"ticketrush/stockd/stock"
)

// SegmentSeats is the most seats of a segment: larger sections are split by rows. A single longer row stays whole.
const SegmentSeats = 512

// Compiled is a chart as it is sold: the same chart gives the same on every node.
type Compiled struct {
	Sections   []CompiledSection
	Segments   []CompiledSegment // by number: Segments[i].No == i+1
	Categories []string
}

// CompiledSection tells the segments of a section or an area.
type CompiledSection struct {
	ID, Name string
	Area     bool
	Segments []stock.SegmentNo
}

// CompiledSegment is one unit of inventory.
type CompiledSegment struct {
	No       stock.SegmentNo
	Section  string // id of the section or area
	Name     string
	Area     bool
	Capacity int32
	// Score orders the segments for best available, higher is better: categories count first, in the chart's order, then how near
	// the segment is to the focal point.
	Score      float64
	Categories uint64        // mask of the categories in it
	Layout     *stock.Layout // nil for an area
	Seats      []CompiledSeat
}

// CompiledSeat is one seat with its place on the map.
type CompiledSeat struct {
	ID       stock.SeatID
	Label    string
	Category int16
	X, Y     float32
	Flags    Flags
}

// compiler holds what is the same for all segments.
type compiler struct {
	chart      *Chart
	out        *Compiled
	categories map[string]int16
	farthest   float64
}

// Compile cuts the chart into segments, numbered in the order of the chart: sections first, then areas.
// It fails only on charts that did not come from this package's readers.
func (c *Chart) Compile() (*Compiled, error) {
	x := &compiler{chart: c, out: &Compiled{}, categories: map[string]int16{}}
	for i, category := range c.Categories {
		x.categories[category.Name] = int16(i)
		x.out.Categories = append(x.out.Categories, category.Name)
	}
	c.eachSeat(func(_ *Section, _ *Row, seat *Seat, _ *at) { x.farthest = max(x.farthest, c.distance(seat.X, seat.Y)) })
	for i := range c.Areas {
		x.farthest = max(x.farthest, c.distance(middle(c.Areas[i].Polygon)))
	}
	for i := range c.Sections {
		s := &c.Sections[i]
		section := CompiledSection{ID: s.ID, Name: s.Name}
		for from := 0; from < len(s.Rows); {
			to := partOf(s, from)
			segment, err := x.segment(s, from, to)
			if err != nil {
				return nil, fmt.Errorf("section %q: %w", s.ID, err)
			}
			section.Segments = append(section.Segments, segment)
			from = to
		}
		x.out.Sections = append(x.out.Sections, section)
	}
	for i := range c.Areas {
		a := &c.Areas[i]
		no := stock.SegmentNo(len(x.out.Segments) + 1)
		category := x.categories[a.Category]
		x.out.Segments = append(x.out.Segments, CompiledSegment{
			No: no, Section: a.ID, Name: a.Name, Area: true, Capacity: int32(a.Capacity), Categories: 1 << category,
			Score: x.score(float64(category), c.distance(middle(a.Polygon))),
		})
		x.out.Sections = append(x.out.Sections, CompiledSection{ID: a.ID, Name: a.Name, Area: true, Segments: []stock.SegmentNo{no}})
	}
	return x.out, nil
}

func (c *Chart) distance(x, y float64) float64 { return math.Hypot(x-c.Focal.X, y-c.Focal.Y) }

// middle is the mean of a polygon's corners.
func middle(polygon [][2]float64) (x, y float64) {
	for _, p := range polygon {
		x += p[0] / float64(len(polygon))
		y += p[1] / float64(len(polygon))
	}
	return x, y
}

// score puts a category above any distance.
func (x *compiler) score(category, distance float64) float64 {
	near := 1.0
	if x.farthest > 0 {
		near = 1 - distance/x.farthest
	}
	return float64(len(x.chart.Categories)) - category + near
}

func (row *Row) count() int {
	n := 0
	for i := range row.Blocks {
		n += len(row.Blocks[i].Seats)
	}
	return n
}

// partOf is the end of the segment that begins with row from: what is left of the section is shared out evenly.
func partOf(s *Section, from int) int {
	left := 0
	for i := from; i < len(s.Rows); i++ {
		left += s.Rows[i].count()
	}
	parts := (left + SegmentSeats - 1) / SegmentSeats
	share := (left + parts - 1) / parts
	n, to := 0, from
	for ; to < len(s.Rows); to++ {
		row := s.Rows[to].count()
		if n > 0 && (n+row > SegmentSeats || n >= share) {
			break
		}
		n += row
	}
	return to
}

// segment compiles some rows of a section.
func (x *compiler) segment(s *Section, from, to int) (stock.SegmentNo, error) {
	no := stock.SegmentNo(len(x.out.Segments) + 1)
	segment := CompiledSegment{No: no, Section: s.ID, Name: s.Name}
	n := 0
	for i := from; i < to; i++ {
		n += s.Rows[i].count()
	}
	specs := make([]stock.SeatSpec, 0, n)
	segment.Seats = make([]CompiledSeat, 0, n)
	companions := false
	distances, categories := 0.0, 0.0
	block := int32(0)
	for i := from; i < to; i++ {
		row := &s.Rows[i]
		for j := range row.Blocks {
			for k := range row.Blocks[j].Seats {
				seat := &row.Blocks[j].Seats[k]
				category, known := x.categories[categoryOf(s, row, seat)]
				if !known {
					return 0, fmt.Errorf("seat %q has an unknown category", seat.Name)
				}
				at, label, flags := int32(len(specs)), Label(s.ID, row.Name, seat.Name), flagsOf(seat)
				distance := x.chart.distance(seat.X, seat.Y)
				companions = companions || len(seat.Companions) > 0
				specs = append(specs, stock.SeatSpec{
					Row: int32(i), Block: block, X: float32(seat.X), Y: float32(seat.Y), Distance: float32(distance), Category: uint8(category),
					Flags: stock.SeatFlags(flags & (FlagAccessible | FlagCompanion)),
				})
				segment.Seats = append(segment.Seats, CompiledSeat{
					ID: stock.NewSeatID(no, at), Label: label, Category: category, X: float32(seat.X), Y: float32(seat.Y), Flags: flags,
				})
				segment.Categories |= 1 << category
				distances += distance
				categories += float64(category)
			}
			block++
		}
	}
	if companions {
		linkCompanions(s, from, to, specs, segment.Seats)
	}
	layout, err := stock.NewLayout(specs)
	if err != nil {
		return 0, err
	}
	segment.Layout, segment.Capacity = layout, int32(len(specs))
	segment.Score = x.score(categories/float64(n), distances/float64(n))
	x.out.Segments = append(x.out.Segments, segment)
	return no, nil
}

// linkCompanions tells the companions of accessible seats; one that fell into another segment is no longer linked.
func linkCompanions(s *Section, from, to int, specs []stock.SeatSpec, seats []CompiledSeat) {
	index := make(map[string]int32, len(seats))
	for i := range seats {
		index[seats[i].Label] = int32(i)
	}
	for i := from; i < to; i++ {
		row := &s.Rows[i]
		for j := range row.Blocks {
			for k := range row.Blocks[j].Seats {
				seat := &row.Blocks[j].Seats[k]
				spec := &specs[index[Label(s.ID, row.Name, seat.Name)]]
				for _, label := range seat.Companions {
					if at, here := index[label]; here {
						spec.Companions = append(spec.Companions, at)
					}
				}
			}
		}
	}
}
