package chart

import (
	"math"
	"regexp"
	"slices"

	"ticketrush/stockd/stock"
)

// aisleGap is how many times the median pitch of a row makes a gap an aisle.
const aisleGap = 1.6

var color = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// labelled is what companions need to know of the seat with a label.
type labelled struct {
	section string
	flags   Flags
}

// finish makes blocks where there are none and checks all that the shape of the body does not say.
func finish(c *Chart, r *report) {
	var root *at
	seats, capacity := c.Counts()
	switch {
	case seats+capacity == 0:
		r.problem(root, "has neither seats nor areas")
	case seats > SeatsMax:
		r.problem(root, "has %d seats, at most %d", seats, SeatsMax)
	case len(c.Sections) > SectionsMax:
		r.problem(root.member("sections"), "has %d items, at most %d", len(c.Sections), SectionsMax)
	case c.Width <= 0 || c.Height <= 0:
		r.problem(root.member("width"), "and height must be above 0")
	}
	categories := checkCategories(c, r)
	ids := map[string]bool{}
	labels := map[string]labelled{}
	for i := range c.Sections {
		if r.full() {
			return
		}
		s, place := &c.Sections[i], root.member("sections").item(i)
		if ids[s.ID] {
			r.problem(place.member("id"), "%q is used by another section or area", s.ID)
		}
		ids[s.ID] = true
		if len(s.Rows) == 0 {
			r.problem(place.member("rows"), "is empty")
		}
		makeBlocks(s, place, r)
		checkSection(s, place, categories, labels, r)
	}
	for i := range c.Areas {
		a, place := &c.Areas[i], root.member("areas").item(i)
		if ids[a.ID] {
			r.problem(place.member("id"), "%q is used by another section or area", a.ID)
		}
		ids[a.ID] = true
		if !categories[a.Category] {
			r.problem(place.member("category"), "%q is not one of the chart's categories", a.Category)
		}
		if len(a.Polygon) < 3 {
			r.problem(place.member("polygon"), "needs at least 3 points")
		}
	}
	checkCompanions(c, labels, r)
}

func checkCategories(c *Chart, r *report) map[string]bool {
	var root *at
	names := map[string]bool{}
	if len(c.Categories) == 0 {
		r.problem(root.member("categories"), "is empty")
	}
	if len(c.Categories) > CategoriesMax {
		r.problem(root.member("categories"), "has %d items, at most %d", len(c.Categories), CategoriesMax)
	}
	for i, category := range c.Categories {
		place := root.member("categories").item(i)
		if names[category.Name] {
			r.problem(place.member("name"), "%q occurs twice", category.Name)
		}
		names[category.Name] = true
		if !color.MatchString(category.Color) {
			r.problem(place.member("color"), "must be a color as #1a2b3c")
		}
	}
	return names
}

// checkSection checks each seat: its label is unique, its category and flags are known, its block is not too long.
func checkSection(s *Section, place *at, categories map[string]bool, labels map[string]labelled, r *report) {
	for i := range s.Rows {
		row, rowAt := &s.Rows[i], place.member("rows").item(i)
		if len(row.Blocks) == 0 {
			r.problem(rowAt, "has no seats")
		}
		for j := range row.Blocks {
			block, blockAt := &row.Blocks[j], rowAt.member("blocks").item(j)
			switch n := len(block.Seats); {
			case n == 0:
				r.problem(blockAt.member("seats"), "is empty")
			case n > stock.BlockSeatsMax:
				r.problem(blockAt.member("seats"), "has %d seats from aisle to aisle, at most %d", n, stock.BlockSeatsMax)
			}
			for k := range block.Seats {
				if r.full() {
					return
				}
				seat, seatAt := &block.Seats[k], blockAt.member("seats").item(k)
				label := Label(s.ID, row.Name, seat.Name)
				if _, twice := labels[label]; twice {
					r.problem(seatAt.member("name"), "another seat has the label %q", label)
				}
				labels[label] = labelled{s.ID, flagsOf(seat)}
				if category := categoryOf(s, row, seat); !categories[category] {
					r.problem(seatAt.member("category"), "%q is not one of the chart's categories", category)
				}
				for n, flag := range seat.Flags {
					if flagNames[flag] == 0 {
						r.problem(seatAt.member("flags").item(n), "%q is not known; known are accessible, companion, restricted_view", flag)
					}
				}
			}
		}
	}
}

// categoryOf is the category of a seat: its own, its row's or its section's.
func categoryOf(s *Section, row *Row, seat *Seat) string {
	switch {
	case seat.Category != "":
		return seat.Category
	case row.Category != "":
		return row.Category
	default:
		return s.Category
	}
}

func flagsOf(seat *Seat) Flags {
	var flags Flags
	for _, name := range seat.Flags {
		flags |= flagNames[name]
	}
	return flags
}

// checkCompanions checks that companions exist and are in the section of their accessible seat.
func checkCompanions(c *Chart, labels map[string]labelled, r *report) {
	c.eachSeat(func(s *Section, row *Row, seat *Seat, place *at) {
		if len(seat.Companions) > 0 && flagsOf(seat)&FlagAccessible == 0 {
			r.problem(place.member("companions"), "only an accessible seat has companions")
		}
		for i, label := range seat.Companions {
			if other, ok := labels[label]; !ok || other.flags&FlagCompanion == 0 {
				r.problem(place.member("companions").item(i), "%q is not the label of a seat with the flag companion", label)
			} else if other.section != s.ID {
				r.problem(place.member("companions").item(i), "%q is in another section", label)
			}
		}
	})
}

// eachSeat visits all seats in order; the place is only good for a report.
func (c *Chart) eachSeat(visit func(*Section, *Row, *Seat, *at)) {
	var root *at
	for i := range c.Sections {
		s := &c.Sections[i]
		for j := range s.Rows {
			row := &s.Rows[j]
			for k := range row.Blocks {
				place := root.member("sections").item(i).member("rows").item(j).member("blocks").item(k).member("seats")
				for l := range row.Blocks[k].Seats {
					visit(s, row, &row.Blocks[k].Seats[l], place.item(l))
				}
			}
		}
	}
}

// makeBlocks cuts the rows that only have seats at their aisles: gaps of more than aisleGap times the row's median pitch.
// In rows with blocks such gaps are only reported.
func makeBlocks(s *Section, place *at, r *report) {
	for i := range s.Rows {
		row, rowAt := &s.Rows[i], place.member("rows").item(i)
		if len(row.Seats) == 0 {
			for j := range row.Blocks {
				if cuts := aisles(row.Blocks[j].Seats); len(cuts) > 0 {
					r.warn(rowAt.member("blocks").item(j), "has a gap beside seat %q that looks like an aisle", row.Blocks[j].Seats[cuts[0]].Name)
				}
			}
			continue
		}
		if len(row.Blocks) > 0 {
			r.problem(rowAt, "has both blocks and seats")
			continue
		}
		cuts := aisles(row.Seats)
		if len(cuts) > 0 {
			r.warn(rowAt, "%d aisles were found by their gaps, the first before seat %q of row %q in section %q", len(cuts), row.Seats[cuts[0]].Name, row.Name, s.ID)
		}
		from := 0
		for _, to := range append(cuts, len(row.Seats)) {
			for ; to-from > stock.BlockSeatsMax; from += stock.BlockSeatsMax {
				r.warn(rowAt, "has more than %d seats without an aisle; it is cut before seat %q", stock.BlockSeatsMax, row.Seats[from+stock.BlockSeatsMax].Name)
				row.Blocks = append(row.Blocks, Block{row.Seats[from : from+stock.BlockSeatsMax]})
			}
			row.Blocks = append(row.Blocks, Block{row.Seats[from:to]})
			from = to
		}
		row.Seats = nil
	}
}

// aisles is the places of the seats before which there is an aisle.
func aisles(seats []Seat) []int {
	if len(seats) < 3 {
		return nil
	}
	pitches := make([]float64, 0, len(seats)-1)
	for i := 1; i < len(seats); i++ {
		pitches = append(pitches, math.Hypot(seats[i].X-seats[i-1].X, seats[i].Y-seats[i-1].Y))
	}
	sorted := slices.Sorted(slices.Values(pitches))
	median := sorted[(len(sorted)-1)/2]
	var cuts []int
	for i, pitch := range pitches {
		if pitch > aisleGap*median && median > 0 {
			cuts = append(cuts, i+1)
		}
	}
	return cuts
}
