package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// shareSegment is a second segment of the area, in the partition after the area's.
const (
	shareSegment = 3
	sharePart    = 9
	sharePlaces  = 50
)

// shared makes the bench's area one of two segments, the second one owned by the same node.
func (b *bench) shared() {
	b.t.Helper()
	b.exec(`INSERT INTO ledger.segments(event, segment, part, section, name, area, score, home, opened, capacity) VALUES ($1, $2, $3, 'F', 'floor (2)', true, 0, $4, $5, $5)`,
		b.event, shareSegment, sharePart, areaSegment, sharePlaces)
	claimed, err := b.db.Claim(b.t.Context(), b.session, "n1", []int32{sharePart})
	if err != nil || len(claimed) != 1 {
		b.t.Fatalf("claimed %v, %v", claimed, err)
	}
	b.epoch[sharePart], b.seq[sharePart] = claimed[0].Epoch, claimed[0].AppliedSeq
}

// grant is the operation that gives n places from a segment, or takes them there.
func (b *bench) grant(kind int16, id uuid.UUID, segment, other, n int32) ledger.Op {
	return ledger.Op{Kind: kind, Event: b.event, Segment: segment, Other: other, Area: true, Hold: id, Quantity: n, Deadline: b.now, MaxExpires: b.now}
}

// flushAt sends operations as the next batch of a partition.
func (b *bench) flushAt(part int32, ops ...ledger.Op) []int16 {
	b.t.Helper()
	return b.send(&ledger.Flush{Batch: uuid.New(), Session: b.session, Now: b.now, Works: []ledger.Work{{Part: part, Epoch: b.epoch[part], Seq: b.seq[part] + 1, Ops: ops}}})
}

// wantCapacities compares the capacities of the area's segments.
func (b *bench) wantCapacities(home, share int) {
	b.t.Helper()
	for segment, want := range map[int]int{areaSegment: home, shareSegment: share} {
		if got := b.number(`SELECT capacity FROM ledger.segments WHERE event = $1 AND segment = $2`, b.event, segment); got != want {
			b.t.Errorf("segment %d has a capacity of %d, want %d", segment, got, want)
		}
	}
}

func TestGrantIsTakenOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	b.shared()
	id := uuid.New()
	out, in := b.grant(grantOut, id, areaSegment, shareSegment, 30), b.grant(grantIn, id, shareSegment, areaSegment, 30)
	b.want(b.flushAt(sharePart, in), grantGone) // it has not been given
	b.want(b.flush(out), applied)
	b.wantCapacities(70, 50)
	b.wantClean()
	untaken, err := b.db.GrantsUntaken(t.Context(), 10)
	if err != nil || len(untaken) != 1 || untaken[0] != (ledger.Grant{ID: id, Event: b.event, From: areaSegment, To: shareSegment, N: 30}) {
		t.Fatalf("untaken grants %+v, %v", untaken, err)
	}
	b.want(b.flush(out), replay) // asked for again under the same id
	wrong := in
	wrong.Quantity++
	b.want(b.flushAt(sharePart, wrong), grantGone)
	wrong = in
	wrong.Segment, wrong.Other = areaSegment, shareSegment
	b.want(b.flush(wrong), grantGone) // not for this segment
	b.want(b.flushAt(sharePart, in), applied)
	b.want(b.flushAt(sharePart, in), grantGone)
	b.wantCapacities(70, 80)
	b.wantClean()
	if untaken, _ = b.db.GrantsUntaken(t.Context(), 10); len(untaken) != 0 {
		t.Errorf("still untaken: %+v", untaken)
	}
	if _, err := b.db.SQL().Exec(`UPDATE ledger.grants SET taken_seq = taken_seq + 1`); err == nil || !strings.Contains(err.Error(), "append-only") {
		t.Errorf("a taken grant was changed by hand: %v", err)
	}
}

// A resend of an applied grant has its outcome, and moves nothing again; a fenced one moves nothing at all.
func TestGrantsAreFenced(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	b.shared()
	f := b.batch(b.grant(grantOut, uuid.New(), areaSegment, shareSegment, 10))
	b.want(b.send(f), applied)
	b.want(b.send(f), applied)
	b.wantCapacities(90, 50)
	late := b.batch(b.grant(grantOut, uuid.New(), areaSegment, shareSegment, 10))
	late.Works[0].Epoch--
	results, err := b.lane.Flush(late)
	if err != nil || !results[0].Fenced {
		t.Fatalf("a grant under an old epoch: %+v, %v", results, err)
	}
	b.wantCapacities(90, 50)
	b.wantClean()
}

// What is held or sold cannot be given away, and nothing leaves its area: the last line of the ledger.
func TestGrantOfWhatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	b.shared()
	_, h := b.hold(unitID(1), unitID(2))
	b.want(b.flush(h), applied)
	for name, op := range map[string]ledger.Op{
		"more than is free": b.grant(grantOut, uuid.New(), areaSegment, shareSegment, areaPlaces-1),
		"to seats":          b.grant(grantOut, uuid.New(), areaSegment, testSegment, 1),
		"to itself":         b.grant(grantOut, uuid.New(), areaSegment, areaSegment, 1),
		"to nowhere":        b.grant(grantOut, uuid.New(), areaSegment, 99, 1),
		"of nothing":        b.grant(grantOut, uuid.New(), areaSegment, shareSegment, 0),
	} {
		if _, err := b.lane.Flush(b.batch(op)); err == nil {
			t.Errorf("%s was given", name)
		}
	}
	b.want(b.flush(b.grant(grantOut, uuid.New(), areaSegment, shareSegment, areaPlaces-2)), applied)
	b.wantCapacities(2, 50)
	b.wantClean()
}

// Sold out is said of an area only when all its segments are sold, and nothing is under way between them.
func TestSoldOutIsOfTheWholeArea(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	b.shared()
	soldOut := ledger.Op{Kind: note, Event: b.event, Segment: areaSegment, Area: true, Hold: uuid.New(), Refused: 4, Deadline: time.Now(), MaxExpires: time.Now()}
	b.exec(`UPDATE ledger.segments SET sold = capacity WHERE segment = $1`, areaSegment)
	b.want(b.flush(soldOut), notSold) // the other has places
	id := uuid.New()
	b.want(b.flushAt(sharePart, b.grant(grantOut, id, shareSegment, areaSegment, sharePlaces)), applied)
	b.want(b.flush(soldOut), notSold) // they are under way
	b.want(b.flush(b.grant(grantIn, id, areaSegment, shareSegment, sharePlaces)), applied)
	b.want(b.flush(soldOut), notSold) // they are here, and free
	b.exec(`UPDATE ledger.segments SET sold = capacity WHERE segment = $1`, areaSegment)
	b.want(b.flush(soldOut), applied)
	seats := soldOut
	seats.Segment, seats.Area = testSegment, false
	b.want(b.flush(seats), notSold)
}
