package api

import (
	"fmt"
	"testing"

	"ticketrush/stockd/stock"
)

// areaIsOne: the floor is sold by several owners, and looks like one area: one number, one segment of the map, places that are numbered once.
func areaIsOne(t *testing.T, c *cluster) {
	floor := func(i int) map[string]any {
		for _, s := range c.do(i, "GET", "/v1/events/night/availability", "").want(t, 200, "").body["segments"].([]any) {
			if one := s.(map[string]any); one["section"] == "floor" {
				return one
			}
		}
		t.Fatal("there is no floor")
		return nil
	}
	c.until("the whole floor is counted as one", func() bool {
		for i := range c.nodes {
			if f := floor(i); f["capacity"] != 50.0 || f["free"] != 50.0 {
				return false
			}
		}
		return true
	})
	areas := c.do(0, "GET", "/v1/events/night/map", "").want(t, 200, "").body["areas"].([]any)
	if area := areas[0].(map[string]any); len(areas) != 1 || area["capacity"] != 50.0 || len(area["segments"].([]any)) != 1 {
		t.Errorf("the map has %v", areas)
	}
	units, left := map[any]bool{}, 50
	for visitor := 100; left > 0; visitor++ {
		n := min(6, left)
		h := c.do(visitor, "POST", "/v1/events/night/holds", fmt.Sprintf(`{"items":[{"area":"floor","quantity":%d}]}`, n), c.visitor(visitor)).want(t, 201, "")
		for _, it := range h.body["items"].([]any) {
			one := it.(map[string]any)
			if one["area"] != "floor" || one["category"] != "B" || units[one["unit"]] {
				t.Errorf("%v is wrong, or there twice", one)
			}
			units[one["unit"]] = true
		}
		if left -= n; left > 0 {
			continue
		}
		// The last party buys, and has tickets for the places that it was shown.
		o := c.do(visitor+1, "POST", "/v1/holds/"+h.string("id")+"/order", `{"buyer":{"name":"Ada","email":"ada@example.org"}}`, holdToken(h)).want(t, 201, "")
		shown := map[any]bool{}
		for _, it := range h.body["items"].([]any) {
			shown[fmt.Sprintf("floor %.0f", it.(map[string]any)["unit"])] = true
		}
		for _, ticket := range c.pay(visitor, o).body["tickets"].([]any) {
			if seat := ticket.(map[string]any)["seat"]; !shown[seat] {
				t.Errorf("a ticket for %v, shown were %v", seat, shown)
			}
		}
	}
	refused := c.do(0, "POST", "/v1/events/night/holds", `{"items":[{"area":"floor"}]}`, c.visitor(99)).want(t, 409, "all-held")
	if estimate, told := refused.body["free_estimate_s"].(float64); !told || estimate <= 0 {
		t.Errorf("%s", refused.text)
	}
	c.until("the floor is seen as full everywhere", func() bool {
		for i := range c.nodes {
			if f := floor(i); f["free"] != 0.0 || f["held"] != 48.0 || f["sold"] != 2.0 {
				return false
			}
		}
		return true
	})
}

func TestPlacesOfAnAreaAreNumberedOnce(t *testing.T) {
	t.Parallel()
	whole := Event{Segments: []Segment{{No: 1, Section: "F", Area: true}}}
	if got := whole.label(stock.NewSeatID(1, 17)); got != "F 17" {
		t.Errorf("a place of an area with one segment is %q", got)
	}
	ev := Event{Categories: []string{"A", "B"}, Segments: []Segment{{No: 1}, {No: 2, Section: "F", Area: true, Category: 1, Shares: []stock.SegmentNo{2, 5, 6}}}}
	seen := map[string]bool{}
	for _, no := range ev.Segments[1].Shares {
		for unit := range int32(20) {
			id := stock.NewSeatID(no, unit+1)
			item := ev.item(id, 0, priceDoc{})
			if label := ev.label(id); seen[label] || label != fmt.Sprintf("F %d", item.Unit) || item.Unit < 1 || item.Unit > 60 || item.Category != "B" {
				t.Errorf("unit %d of segment %d is %q, %+v", unit+1, no, label, item)
			}
			seen[ev.label(id)] = true
		}
	}
	if ev.segment(7) != nil || ev.segment(5) != &ev.Segments[1] {
		t.Error("the segments of an area are not found by its home")
	}
}
