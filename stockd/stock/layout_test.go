package stock

import (
	"errors"
	"math"
	"testing"
)

func TestNewLayoutRefuses(t *testing.T) {
	t.Parallel()
	long := make([]SeatSpec, BlockSeatsMax+1)
	for name, specs := range map[string][]SeatSpec{
		"no seats":                    nil,
		"a block too long":            long,
		"a block in two rows":         {{Block: 1, Row: 1}, {Block: 1, Row: 2}},
		"a block in two parts":        {{Block: 1}, {Block: 2}, {Block: 1}},
		"a category too many":         {{Category: CategoriesMax}},
		"no place":                    {{X: float32(math.NaN())}},
		"no distance":                 {{Distance: float32(math.Inf(1))}},
		"companions of an ordinary":   {{Companions: []int32{1}}, {Flags: SeatCompanion}},
		"a companion that is none":    {{Flags: SeatAccessible, Companions: []int32{1}}, {}},
		"a companion that is nowhere": {{Flags: SeatAccessible, Companions: []int32{7}}},
	} {
		if _, err := NewLayout(specs); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRowsAreAligned checks that people in two rows sit behind each other where rows have different lengths and are shifted.
func TestRowsAreAligned(t *testing.T) {
	t.Parallel()
	var specs []SeatSpec
	for i := range 10 {
		specs = append(specs, SeatSpec{Row: 1, Block: 1, X: float32(i), Y: 1, Distance: float32(i)})
	}
	for i := range 14 {
		specs = append(specs, SeatSpec{Row: 2, Block: 2, X: float32(i) - 2.3, Y: 2, Distance: float32(20 + i)})
	}
	layout, err := NewLayout(specs)
	if err != nil {
		t.Fatal(err)
	}
	if front := layout.blocks[0]; front.behind != 1 || front.shift != -2 {
		t.Errorf("block %d is behind with a shift of %d", front.behind, front.shift)
	}
	s := NewSegment(layout, testEvent, testSegment)
	if !s.pickTwoRows(4, true, filter{}) {
		t.Fatal("no two rows")
	}
	if want := []int32{0, 1, 12, 13}; s.picked[0] != want[0] || s.picked[2] != want[2] {
		t.Errorf("picked %v, want %v", s.picked, want)
	}
}

// TestSearchAgreesWithoutValley checks that blocks whose distances do not grow to both sides are searched seat by seat.
func TestSearchAgreesWithoutValley(t *testing.T) {
	t.Parallel()
	distances := []float32{5, 1, 7, 7, 2, 9, 0.5, 8}
	var specs []SeatSpec
	for i, d := range distances {
		specs = append(specs, SeatSpec{Block: 1, X: float32(i), Distance: d})
	}
	layout, err := NewLayout(specs)
	if err != nil {
		t.Fatal(err)
	}
	if layout.blocks[0].nearest != -1 {
		t.Fatal("the block has two valleys")
	}
	s := NewSegment(layout, testEvent, testSegment)
	if r, ok := s.bestRun(2, false, filter{}); !ok || r.start != 6 {
		t.Errorf("run %+v", r)
	}
}
