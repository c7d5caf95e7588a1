package main

import (
	"bytes"
	"os"
	"testing"

	"ticketrush/charts"
	"ticketrush/stockd/chart"
)

func TestArenaIsWhatTheGeneratorWrites(t *testing.T) {
	t.Parallel()
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../arena.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) || !bytes.Equal(charts.Arena, want) {
		t.Error("charts/arena.json is stale: make generate")
	}
}

func TestArenaIsLargeAndComplete(t *testing.T) {
	t.Parallel()
	c, warnings, err := chart.Parse(charts.Arena)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	compiled, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	seats, standing := c.Counts()
	if seats < 20_000 || standing != 1500 || len(c.Sections) < 40 || len(c.Categories) != 4 {
		t.Errorf("%d seats, %d standing, %d sections, %d categories", seats, standing, len(c.Sections), len(c.Categories))
	}
	accessible, companions := 0, 0
	for _, segment := range compiled.Segments {
		for _, seat := range segment.Seats {
			if seat.X < 0 || seat.Y < 0 || float64(seat.X) > c.Width || float64(seat.Y) > c.Height {
				t.Errorf("seat %s is off the map at %v,%v", seat.Label, seat.X, seat.Y)
			}
			if seat.Flags&chart.FlagAccessible != 0 {
				accessible++
			}
			if seat.Flags&chart.FlagCompanion != 0 {
				companions++
			}
		}
	}
	if accessible < 40 || companions != accessible {
		t.Errorf("%d accessible seats and %d companions", accessible, companions)
	}
	if len(charts.Arena) > 2_500_000 {
		t.Errorf("%d bytes", len(charts.Arena))
	}
}
