package stock

import (
	"testing"

	"github.com/google/uuid"
)

func TestCoordinatedID(t *testing.T) {
	t.Parallel()
	scope, key := testID('s', 1), testID('k', 1)
	seen := map[uuid.UUID]bool{}
	for part := range PartitionID(Partitions) {
		id := NewCoordinatedID(part, scope, key, "hold")
		if CoordinatorOf(id) != part || id.Version() != 8 || id.Variant() != uuid.RFC4122 || seen[id] {
			t.Fatalf("partition %d: %v with coordinator %d", part, id, CoordinatorOf(id))
		}
		seen[id] = true
	}
	id := NewCoordinatedID(5, scope, key, "hold")
	if id != NewCoordinatedID(5, scope, key, "hold") {
		t.Error("the same request has two ids")
	}
	for _, other := range []uuid.UUID{
		NewCoordinatedID(5, scope, key, "order"), NewCoordinatedID(5, key, scope, "hold"), NewCoordinatedID(5, scope, testID('k', 2), "hold"),
	} {
		if id == other {
			t.Errorf("two requests have the id %v", id)
		}
	}
	// What is stored depends on these bits: they never change.
	if want := "bcd63ce1-5bd4-8c01-a96c-75131c3e4a43"; NewCoordinatedID(0xbcd, scope, key, "hold").String()[:3] != want[:3] {
		t.Error("the partition is not in the first three digits")
	}
}

func TestSeatID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		segment SegmentNo
		index   int32
	}{{0, 0}, {1, MaxIndex}, {1<<31 - 1, 7}} {
		if id := NewSeatID(c.segment, c.index); id.Segment() != c.segment || id.Index() != c.index {
			t.Errorf("seat %d of segment %d came back as %d of %d", c.index, c.segment, id.Index(), id.Segment())
		}
	}
	if p := PartitionOf(1, 1); p >= Partitions || p == PartitionOf(1, 2) && p == PartitionOf(2, 1) {
		t.Errorf("partition %d", p)
	}
}
