package chart

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// mustCompile is what holds for every body that a reader accepts: it compiles, twice to the same, and each seat appears once.
func mustCompile(t *testing.T, c *Chart, err error) {
	if err != nil {
		var refused *Error
		if !errors.As(err, &refused) || len(refused.Problems) == 0 {
			t.Fatalf("an error without problems: %v", err)
		}
		return
	}
	first, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Compile()
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Fatalf("compiled twice to two results (%v)", err)
	}
	seats, capacity := c.Counts()
	labels := map[string]bool{}
	for i, segment := range first.Segments {
		if int(segment.No) != i+1 {
			t.Fatalf("segment %d is at place %d", segment.No, i)
		}
		if segment.Area {
			capacity -= int(segment.Capacity)
			continue
		}
		if int(segment.Capacity) != len(segment.Seats) || segment.Layout.Capacity() != segment.Capacity {
			t.Fatalf("segment %d has %d seats, capacity %d", segment.No, len(segment.Seats), segment.Capacity)
		}
		for j, seat := range segment.Seats {
			if labels[seat.Label] || seat.ID.Segment() != segment.No || int(seat.ID.Index()) != j || segment.Layout.Category(int32(j)) != seat.Category {
				t.Fatalf("seat %+v of segment %d", seat, segment.No)
			}
			labels[seat.Label] = true
		}
	}
	if len(labels) != seats || capacity != 0 {
		t.Fatalf("%d seats are compiled, the chart has %d; capacity is off by %d", len(labels), seats, capacity)
	}
	body, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := Parse(body)
	if err != nil {
		t.Fatalf("what was accepted is refused when it is written out: %v", err)
	}
	if decoded, err := Decode(body); err != nil || !reflect.DeepEqual(decoded, again) {
		t.Fatalf("what is decoded is not what is parsed: %v\n%+v\n%+v", err, decoded, again)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, _, err := Parse(body)
		mustCompile(t, c, err)
	})
}

func FuzzFromCSV(f *testing.F) {
	f.Add([]byte("section,row,seat,category,x,y,flags\nN,1,1,A,1,1,accessible\nN,1,2,A,2,1,companion\nN,1,3,B,9,1,\n"))
	f.Add([]byte("section;row;seat;category;x;y\nN;1;1;A;1;1\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, _, err := FromCSV(body)
		mustCompile(t, c, err)
	})
}

func FuzzFromPretix(f *testing.F) {
	body, err := os.ReadFile(filepath.Join("testdata", "pretix.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		c, _, err := FromPretix(body)
		mustCompile(t, c, err)
	})
}
