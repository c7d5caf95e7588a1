package ledger_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

func TestCatalog(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	ctx := t.Context()
	before, err := b.db.CatalogVersion(ctx)
	if err != nil {
		t.Fatal(err)
	}
	id := b.putOnSale("second")
	after, err := b.db.CatalogVersion(ctx)
	if err != nil || after <= before {
		t.Errorf("the catalog's version went from %d to %d, %v", before, after, err)
	}
	events, err := b.db.Events(ctx)
	if err != nil || len(events) != 2 {
		t.Fatalf("%d events, %v; want 2", len(events), err)
	}
	e := events[1]
	if e.ID != id || e.Slug != "second" || e.State != "on_sale" || e.HoldTTL != time.Minute || !e.OpensAt.IsZero() || len(e.Tiers) != 1 || e.Tiers[0].Face != 5000 || len(e.Segments) != 2 || !e.Segments[1].Area {
		t.Errorf("the event reads back as %+v", e)
	}
	e.State, e.OpensAt = "paused", b.now.Add(time.Hour).Truncate(time.Microsecond)
	ver, err := b.db.EventUpdate(ctx, e, e.Ver)
	if err != nil || ver != e.Ver+1 {
		t.Fatalf("update: version %d, %v", ver, err)
	}
	if _, err := b.db.EventUpdate(ctx, e, e.Ver); !errors.Is(err, ledger.ErrStale) {
		t.Errorf("an update of a version that is gone gives %v, want ErrStale", err)
	}
	if events, _ = b.db.Events(ctx); events[1].State != "paused" || !events[1].OpensAt.Equal(e.OpensAt) {
		t.Errorf("after the update it is %+v", events[1])
	}
}

// An event comes in as a whole or not at all.
func TestEventInsertIsWhole(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	ctx := t.Context()
	events, err := b.db.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again := events[0]
	again.UID, again.SectionName = uuid.New(), map[string]string{"A": "Stalls", "F": "Floor"}
	if _, err := b.db.EventInsert(ctx, again, nil); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("the same slug gives %v, want ErrExists", err)
	}
	again.Slug = "third"
	twice := []ledger.SeatInfo{{Seat: seatID(0), Label: "A-1-1"}, {Seat: seatID(1), Label: "A-1-1"}}
	if _, err := b.db.EventInsert(ctx, again, twice); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("a label twice gives %v, want ErrExists", err)
	}
	if n := b.number(`SELECT count(*) FROM ledger.events`) + b.number(`SELECT count(*) FROM ledger.segments WHERE event > $1`, b.event); n != 1 {
		t.Errorf("a refused event left rows behind: %d", n)
	}
}

func TestCharts(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	uid, body := uuid.New(), []byte(`{"format":"ticketrush-chart/1"}`)
	id, err := b.db.ChartInsert(t.Context(), ledger.Chart{UID: uid, Name: "arena", Body: body})
	if err != nil {
		t.Fatal(err)
	}
	byID, err := b.db.ChartGet(t.Context(), id)
	if err != nil || byID.UID != uid || string(byID.Body) != string(body) {
		t.Errorf("by number: %+v, %v", byID, err)
	}
	if byUID, err := b.db.ChartByUID(t.Context(), uid); err != nil || byUID.ID != id {
		t.Errorf("by id: %+v, %v", byUID, err)
	}
	if _, err := b.db.ChartByUID(t.Context(), uuid.New()); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	b.exec(`UPDATE ledger.charts SET body = 'x' WHERE id = $1`, id)
	if _, err := b.db.ChartGet(t.Context(), id); err == nil {
		t.Error("a chart that was changed is not refused")
	}
}

func TestAPIKeysAndAudit(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	ctx := t.Context()
	k := ledger.APIKey{ID: uuid.New(), Name: "ops", Person: "Ada", Scopes: []string{"ops", "finance"}}
	if err := b.db.APIKeyInsert(ctx, k, "secret"); err != nil {
		t.Fatal(err)
	}
	found, err := b.db.APIKeyFind(ctx, "secret")
	if err != nil || found.ID != k.ID || len(found.Scopes) != 2 {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := b.db.APIKeyFind(ctx, "secret2"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a wrong key gives %v", err)
	}
	if err := b.db.APIKeyInsert(ctx, k, "other"); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("the same name gives %v, want ErrExists", err)
	}
	b.exec(`UPDATE ledger.api_keys SET revoked_at = now()`)
	if _, err := b.db.APIKeyFind(ctx, "secret"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a revoked key gives %v", err)
	}
	for _, from := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"} {
		if err := b.db.Audit(ctx, "Ada", "event.pause", "concert", json.RawMessage(`{"why":"rain"}`), netip.MustParseAddr(from)); err != nil {
			t.Errorf("audit from %s: %v", from, err)
		}
	}
	if err := b.db.Audit(ctx, "Ada", "event.open", "concert", nil, netip.Addr{}); err != nil {
		t.Errorf("audit without detail: %v", err)
	}
	if n := b.number(`SELECT count(*) FROM ledger.audit_log WHERE from_addr = '192.0.2.1'`); n != 2 {
		t.Errorf("%d rows from the IPv4 address, want 2", n)
	}
}
