package ledger_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

func claimedParts(c []ledger.Claimed) (parts []int32) {
	for _, p := range c {
		parts = append(parts, p.Part)
	}
	return parts
}

func (b *bench) session1(node string, ttl time.Duration) int64 {
	b.t.Helper()
	id, err := b.db.SessionOpen(b.t.Context(), node, node+":api", node+":internal", ttl)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func TestClaim(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	other := b.session1("n2", time.Minute)
	dead := b.session1("n3", time.Minute)
	if err := b.db.SessionEnd(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	mine := b.session1("n1", time.Minute) // a restart of the node that owns 7 and 8
	for _, c := range []struct {
		name    string
		session int64
		node    string
		parts   []int32
		want    []int32
	}{
		{"free", other, "n2", []int32{20, 10}, []int32{10, 20}},
		{"owned by a live node", other, "n2", []int32{testPart, areaPart}, nil},
		{"with a session that is over", dead, "n3", []int32{30}, nil},
		{"with a session that never was", 999999, "n4", []int32{30}, nil},
		{"its own, after a restart", mine, "n1", []int32{testPart, areaPart}, []int32{testPart, areaPart}},
		{"none", mine, "n1", nil, nil},
	} {
		got, err := b.db.Claim(t.Context(), c.session, c.node, c.parts)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !slices.Equal(claimedParts(got), c.want) {
			t.Errorf("%s: claimed %v, want %v", c.name, claimedParts(got), c.want)
		}
	}
	owners, err := b.db.Owners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Owner{Part: 10, Epoch: 1, Session: other, Node: "n2", APIAddr: "n2:api", InternalAddr: "n2:internal", Live: true}
	if !slices.Contains(owners, want) {
		t.Errorf("the owners are %+v, want among them %+v", owners, want)
	}
	if n := b.number(`SELECT count(*) FROM ledger.part_epochs WHERE part = $1`, testPart); n != 2 {
		t.Errorf("%d epochs of the partition are written down, want 2", n)
	}
}

func TestClaimAfterExpiry(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	other := b.session1("n2", time.Minute)
	b.exec(`UPDATE ledger.sess SET expires_at = clock_timestamp() - interval '1 ms' WHERE id = $1`, b.session)
	if alive, err := b.db.SessionRenew(t.Context(), b.session, time.Minute); err != nil || alive {
		t.Errorf("a session that has expired is renewed: %v, %v", alive, err)
	}
	got, err := b.db.Claim(t.Context(), other, "n2", []int32{testPart})
	if err != nil || len(got) != 1 || got[0].Epoch != 2 {
		t.Fatalf("claimed %+v, %v; want epoch 2", got, err)
	}
}

func TestSessionRenew(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	if alive, err := b.db.SessionRenew(t.Context(), b.session, time.Hour); err != nil || !alive {
		t.Fatalf("renew: %v, %v", alive, err)
	}
	if n := b.number(`SELECT count(*) FROM ledger.sess WHERE id = $1 AND expires_at > clock_timestamp() + interval '59 min'`, b.session); n != 1 {
		t.Error("the renewal did not prolong the session")
	}
	if err := b.db.SessionEnd(t.Context(), b.session); err != nil {
		t.Fatal(err)
	}
	if alive, err := b.db.SessionRenew(t.Context(), b.session, time.Hour); err != nil || alive {
		t.Errorf("a session that has ended is renewed: %v, %v", alive, err)
	}
}

// A claim never takes a partition from under a flush: it comes back without it, and a later one sees what the flush wrote.
func TestClaimDuringAFlush(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	other := b.session1("n2", time.Minute)
	if err := b.db.SessionEnd(t.Context(), b.session); err != nil {
		t.Fatal(err)
	}
	tx, err := b.db.SQL().BeginTx(t.Context(), nil) // stands for a flush that is under way
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ledger.part WHERE part = $1 FOR NO KEY UPDATE`, testPart); err != nil {
		t.Fatal(err)
	}
	got, err := b.db.Claim(t.Context(), other, "n2", []int32{testPart, areaPart})
	if err != nil || !slices.Equal(claimedParts(got), []int32{areaPart}) {
		t.Fatalf("claimed %v, %v; want only the partition that is not locked", claimedParts(got), err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	// The old owner's session is over, but nobody claimed yet: its flush still counts, and the successor loads it.
	_, h := b.hold(seatID(3))
	b.want(b.flush(h), applied)
	got, err = b.db.Claim(t.Context(), other, "n2", []int32{testPart})
	if err != nil || len(got) != 1 || got[0].AppliedSeq != 1 {
		t.Fatalf("claimed %+v, %v; want applied_seq 1", got, err)
	}
	loaded, err := b.db.Load(t.Context(), []int32{testPart})
	if err != nil || len(loaded.Seats) != 1 || len(loaded.Holds) != 1 || loaded.Holds[0].Remaining >= 0 {
		t.Fatalf("loaded %+v, %v; want the seat and its hold", loaded, err)
	}
}

// Two nodes that claim the same free partitions at once get each of them once. The second must not take, after waiting, what the first has
// just got.
func TestClaimRace(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	parts := make([]int32, 200)
	for i := range parts {
		parts[i] = int32(1000 + i)
	}
	b.exec(`UPDATE ledger.part SET session = $1 WHERE part >= 1000`, b.session) // of a node that dies
	if err := b.db.SessionEnd(t.Context(), b.session); err != nil {
		t.Fatal(err)
	}
	results := make(chan []ledger.Claimed)
	for _, node := range []string{"n2", "n3", "n4", "n5"} {
		session := b.session1(node, time.Minute)
		go func() {
			got, err := b.db.Claim(t.Context(), session, node, parts)
			if err != nil {
				t.Error(err)
			}
			results <- got
		}()
	}
	for range 4 {
		for _, c := range <-results {
			if c.Epoch != 1 {
				t.Errorf("partition %d was claimed twice: epoch %d", c.Part, c.Epoch)
			}
		}
	}
}

func TestReleaseParts(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	id, h := b.hold(seatID(0))
	unit, u := b.hold(unitID(1))
	b.want(b.flush(h), applied)
	b.want(b.flush(u), applied)
	err := b.db.ReleaseParts(t.Context(), b.session, []ledger.PartRelease{
		{Part: testPart, Epoch: b.epoch[testPart], Lives: []ledger.HoldLife{{Hold: id, Remaining: 1500 * time.Millisecond}}},
		{Part: areaPart, Epoch: b.epoch[areaPart] + 1, Lives: []ledger.HoldLife{{Hold: unit, Remaining: time.Second}}}, // no longer ours
	})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := b.db.Load(t.Context(), []int32{testPart, areaPart})
	if err != nil {
		t.Fatal(err)
	}
	remaining := map[uuid.UUID]time.Duration{}
	for _, h := range loaded.Holds {
		remaining[h.ID] = h.Remaining
	}
	if remaining[id] != 1500*time.Millisecond || remaining[unit] >= 0 {
		t.Errorf("what is left of the holds is %v", remaining)
	}
	got, err := b.db.Claim(t.Context(), b.session1("n2", time.Minute), "n2", []int32{testPart, areaPart})
	if err != nil || !slices.Equal(claimedParts(got), []int32{testPart}) {
		t.Errorf("the next node claimed %v, %v; want the one that was released", claimedParts(got), err)
	}
	_, late := b.hold(seatID(1))
	results, err := b.lane.Flush(b.batch(late))
	if err != nil || !results[0].Fenced {
		t.Errorf("a flush after the release gives %+v, %v; want fenced", results, err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	buyer := uuid.New()
	_, sold1 := b.sold(buyer, seatID(0), seatID(1))
	id, h := b.hold(seatID(2))
	b.want(b.flush(limited(h, buyer, 4)), applied)
	loaded, err := b.db.LoadSegments(t.Context(), b.event, []int32{testSegment})
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Segments) != 1 || loaded.Segments[0].Sold != 2 || loaded.Segments[0].Held != 1 || loaded.Segments[0].Capacity != testSeats {
		t.Errorf("segments %+v", loaded.Segments)
	}
	if len(loaded.Seats) != 3 || loaded.Seats[0].State != sold || loaded.Seats[0].Order != sold1 || loaded.Seats[2].State != held || loaded.Seats[2].Hold != id {
		t.Errorf("seats %+v", loaded.Seats)
	}
	// The hold of sold seats is ended, but the limits it counts against are needed when they are refunded.
	if len(loaded.Holds) != 2 {
		t.Fatalf("holds %+v, want the live one and the one of the sold seats", loaded.Holds)
	}
	for _, h := range loaded.Holds {
		if len(h.Quotas) != 1 || h.Quotas[0].Key != buyer || h.Quotas[0].Limit != 4 {
			t.Errorf("the hold's limits are %+v", h.Quotas)
		}
	}
	row, seats, err := b.db.HoldByID(t.Context(), id)
	if err != nil || row.State != 1 || len(seats) != 1 || seats[0].Label != "A-1-02" {
		t.Errorf("the hold is %+v %+v, %v", row, seats, err)
	}
	if _, _, err := b.db.HoldByID(t.Context(), uuid.New()); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("an unknown hold gives %v", err)
	}
}
