package ledger_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/uuid"
)

// A report of an event is what its seats and live sales are; the refunded sale of a busy ledger counts no more.
func TestSalesOfAnEvent(t *testing.T) {
	t.Parallel()
	b := busyCopy(t)
	b.event = int32(b.number(`SELECT min(event) FROM ledger.segments`))
	segments, err := b.db.SegmentSales(t.Context(), b.event)
	if err != nil {
		t.Fatal(err)
	}
	var sold, held, paying, amount int64
	for _, s := range segments {
		sold, held, paying, amount = sold+s.Sold, held+s.Held, paying+s.Paying, amount+s.Amount
	}
	price := b.number(`SELECT sum(price) FROM ledger.sales WHERE ended_seq IS NULL`)
	if sold != 3 || held != 2 || paying != 2 || amount != int64(price) || price == 0 {
		t.Errorf("sold %d, held %d, paying %d for %d; want 3, 2, 2 for %d", sold, held, paying, amount, price)
	}
	tariffs, err := b.db.TariffSales(t.Context(), b.event)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range tariffs {
		sold, held, paying, amount = sold-s.Sold, held-s.Held, paying-s.Paying, amount-s.Amount
	}
	if sold != 0 || held != 0 || paying != 0 || amount != 0 {
		t.Errorf("by tariff it is not the same: %+v, %+v", segments, tariffs)
	}
	if other, err := b.db.SegmentSales(t.Context(), b.event+1); err != nil || len(other) != 0 {
		t.Errorf("of an event that is not there: %+v, %v", other, err)
	}
}

// The audit log of an event has what was done to it, its orders, holds and tickets, and nothing of others; what it cannot read does no harm.
func TestAuditOfAnEvent(t *testing.T) {
	t.Parallel()
	b := busyCopy(t)
	event := int32(b.number(`SELECT min(event) FROM ledger.segments`))
	id := "evt_" + uuid.NewString()
	first := func(query string) (id string) {
		t.Helper()
		if err := b.db.SQL().QueryRowContext(t.Context(), query).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	audit := func(action, subject string) {
		t.Helper()
		if err := b.db.Audit(t.Context(), "Ada", action, subject, json.RawMessage(`{"key":"ops"}`), netip.MustParseAddr("192.0.2.7")); err != nil {
			t.Fatal(err)
		}
	}
	audit("open", id)
	audit("cancel", "ord_"+first(`SELECT id FROM ledger.orders LIMIT 1`))
	audit("extend", "hold_"+first(`SELECT id FROM ledger.holds LIMIT 1`))
	audit("other", "evt_"+uuid.NewString())
	audit("other", "ord_"+uuid.NewString())
	audit("other", "ord_ not an id")
	audit("close", id)
	found, err := b.db.AuditOf(t.Context(), event, id, 0, 10)
	var did []string
	for _, e := range found {
		did = append(did, e.Action)
	}
	if err != nil || fmt.Sprint(did) != "[open cancel extend close]" || found[0].Actor != "Ada" || found[0].From != "192.0.2.7" || string(found[0].Detail) != `{"key": "ops"}` {
		t.Fatalf("%+v, %v", found, err)
	}
	if rest, err := b.db.AuditOf(t.Context(), event, id, found[1].ID, 1); err != nil || len(rest) != 1 || rest[0].Action != "extend" {
		t.Errorf("after the second, one: %+v, %v", rest, err)
	}
	if others, err := b.db.AuditOf(t.Context(), event+1, "evt_"+uuid.NewString(), 0, 10); err != nil || len(others) != 0 {
		t.Errorf("another event has %+v, %v", others, err)
	}
}
