package chart

import (
	"math"
	"slices"
)

// frame sets what formats without them leave open: the size, and the focal point before the middle of the front.
func (c *Chart) frame(r *report) {
	low, high := Point{math.Inf(1), math.Inf(1)}, Point{math.Inf(-1), math.Inf(-1)}
	for i := range c.Sections {
		for j := range c.Sections[i].Rows {
			for _, seat := range c.Sections[i].Rows[j].Seats {
				low = Point{min(low.X, seat.X), min(low.Y, seat.Y)}
				high = Point{max(high.X, seat.X), max(high.Y, seat.Y)}
			}
		}
	}
	if low.X > high.X {
		return // no seats: finish says so
	}
	if c.Width <= 0 || c.Height <= 0 {
		c.Width, c.Height = max(high.X+min(low.X, 0), 1), max(high.Y+min(low.Y, 0), 1)
	}
	if (c.Focal == Point{}) {
		c.Focal = Point{(low.X + high.X) / 2, low.Y}
		r.warn((*at)(nil).member("focal"), "the focal point is not told; it was set to %g,%g", c.Focal.X, c.Focal.Y)
	}
}

// arrange puts the seats of each row in the order in which they stand and links companions.
func (c *Chart) arrange() {
	for i := range c.Sections {
		s := &c.Sections[i]
		for j := range s.Rows {
			row := &s.Rows[j]
			sorted := slices.Clone(row.Seats)
			slices.SortStableFunc(sorted, along(row.Seats))
			// A row that is strongly curved is better off in the order of the file.
			if pathOf(sorted) < pathOf(row.Seats) {
				row.Seats = sorted
			}
			companions(s, row)
		}
	}
}

// along compares seats by their place on the longer axis of the row.
func along(seats []Seat) func(a, b Seat) int {
	byX := func(a, b Seat) int { return compare(a.X, b.X, a.Y, b.Y) }
	byY := func(a, b Seat) int { return compare(a.Y, b.Y, a.X, b.X) }
	if len(seats) == 0 {
		return byX
	}
	width := slices.MaxFunc(seats, byX).X - slices.MinFunc(seats, byX).X
	height := slices.MaxFunc(seats, byY).Y - slices.MinFunc(seats, byY).Y
	if width >= height {
		return byX
	}
	return byY
}

func compare(a, b, tieA, tieB float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case tieA < tieB:
		return -1
	case tieA > tieB:
		return 1
	default:
		return 0
	}
}

// pathOf is how long the way is from the first seat to the last over all others.
func pathOf(seats []Seat) float64 {
	sum := 0.0
	for i := 1; i < len(seats); i++ {
		sum += math.Hypot(seats[i].X-seats[i-1].X, seats[i].Y-seats[i-1].Y)
	}
	return sum
}

// companions links each companion seat to the accessible seat beside it, or one further.
func companions(s *Section, row *Row) {
	for i := range row.Seats {
		if flagsOf(&row.Seats[i])&FlagCompanion == 0 {
			continue
		}
		for _, j := range []int{i - 1, i + 1, i - 2, i + 2} {
			if j >= 0 && j < len(row.Seats) && flagsOf(&row.Seats[j])&FlagAccessible != 0 {
				row.Seats[j].Companions = append(row.Seats[j].Companions, Label(s.ID, row.Name, row.Seats[i].Name))
				break
			}
		}
	}
}
