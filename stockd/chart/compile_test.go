package chart

import (
	"fmt"
	"testing"

	"ticketrush/charts"

	"pgregory.net/rapid"
)

// drawChart draws a chart with sections of all sizes.
func drawChart(t *rapid.T) *Chart {
	c := &Chart{Format: Format, Name: "Drawn", Width: 1000, Height: 1000, Focal: Point{500, 0}, Categories: []Category{{"A", "#000000"}, {"B", "#ffffff"}}}
	for i := range rapid.IntRange(1, 4).Draw(t, "sections") {
		s := Section{ID: fmt.Sprint("S", i), Name: "Section", Category: "A"}
		for j := range rapid.IntRange(1, 40).Draw(t, "rows") {
			row := Row{Name: fmt.Sprint(j)}
			for k := range rapid.IntRange(1, 4).Draw(t, "blocks") {
				var block Block
				for l := range rapid.IntRange(1, 20).Draw(t, "seats") {
					block.Seats = append(block.Seats, Seat{Name: fmt.Sprint(k*100 + l), X: float64(k*100 + l), Y: float64(j)})
				}
				row.Blocks = append(row.Blocks, block)
			}
			if j%3 == 0 {
				row.Category = "B"
			}
			s.Rows = append(s.Rows, row)
		}
		c.Sections = append(c.Sections, s)
	}
	return c
}

func TestCompileIsDeterministicAndComplete(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawChart(t)
		body, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		parsed, _, err := Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		checkCompiled(t, parsed)
	})
}

func checkCompiled(t *rapid.T, c *Chart) {
	compiled, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	seats, _ := c.Counts()
	seen := map[string]bool{}
	for _, segment := range compiled.Segments {
		if segment.Capacity > SegmentSeats {
			t.Fatalf("segment %d has %d seats", segment.No, segment.Capacity)
		}
		for _, seat := range segment.Seats {
			if seen[seat.Label] {
				t.Fatalf("seat %s twice", seat.Label)
			}
			seen[seat.Label] = true
		}
	}
	if len(seen) != seats {
		t.Fatalf("%d of %d seats", len(seen), seats)
	}
}

func TestArenaCompiles(t *testing.T) {
	t.Parallel()
	c, warnings, err := Import(charts.Arena)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	mustCompile(t, c, err)
	compiled, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	best := compiled.Segments[0]
	for _, segment := range compiled.Segments {
		if segment.Score > best.Score {
			best = segment
		}
	}
	if best.Categories&1 == 0 {
		t.Errorf("the best segment is %s of categories %b", best.Name, best.Categories)
	}
	t.Logf("%d segments, the best is %s with a score of %.3f", len(compiled.Segments), best.Name, best.Score)
}

func BenchmarkParseAndCompileArena(b *testing.B) {
	for b.Loop() {
		c, _, err := Parse(charts.Arena)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Compile(); err != nil {
			b.Fatal(err)
		}
	}
}
