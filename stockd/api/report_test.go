package api

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"ticketrush/stockd/stock"
)

func (b bookkeeper) SegmentSales(context.Context, stock.EventID) ([]SegmentSales, error) {
	return []SegmentSales{
		{Segment: 1, Section: "A", Name: "Row 1", Sales: Sales{Seats: 10, Held: 2, Paying: 1, Sold: 3, Amount: 300}},
		{Segment: 2, Section: "A", Name: "Row 2", Sales: Sales{Seats: 10, Sold: 4, Amount: 500}},
		{Segment: 3, Section: "B", Name: "Floor", Sales: Sales{Seats: 50}},
	}, nil
}

func (b bookkeeper) TariffSales(context.Context, stock.EventID) ([]TariffSales, error) {
	return []TariffSales{
		{Category: 1, Type: 0, Sales: Sales{Seats: 3, Held: 1, Sold: 2, Amount: 200}}, {Category: 0, Type: 0, Sales: Sales{Seats: 1, Sold: 1, Amount: 90}}, {Category: 1, Type: 1, Sales: Sales{Seats: 1, Sold: 1, Amount: 50}},
	}, nil
}

// Changes numbers entries from 1.
func (n *stubNode) Changes(_ context.Context, _ stock.EventID, name string, after int64, most int) (found []Change, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, e := range n.audits {
		if id := int64(i + 1); id > after && e.Target == name && len(found) < most {
			found = append(found, Change{ID: id, At: e.At, Actor: e.Key.Person, Key: e.Key.Name, Action: e.Action, Subject: e.Target, Detail: e.Detail, Address: e.Address})
		}
	}
	return found, nil
}

// A report adds up by what was asked for, in the order of the event, for those who may read the books.
func TestReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := bearerKey(financeKey)
	ev, _ := w.node.Event("demo")
	for by, want := range map[string]string{
		"status":   "[{available  60 0 0 0 0} {held  2 2 0 0 0} {paying  1 0 1 0 0} {sold  7 0 0 7 800}]",
		"section":  "[{A  20 2 1 7 800} {B  50 0 0 0 0}]",
		"segment":  "[{1 Row 1 10 2 1 3 300} {2 Row 2 10 0 0 4 500} {3 Floor 50 0 0 0 0}]",
		"category": fmt.Sprintf("[{%s  1 0 0 1 90} {%s  4 1 0 3 250}]", ev.Categories[0], ev.Categories[1]),
		"type":     fmt.Sprintf("[{%s  4 1 0 3 290} {%s  1 0 0 1 50}]", ev.Types[0], ev.Types[1]),
	} {
		r := w.do("GET", "/v1/events/demo/report?by="+by, "", key).want(t, 200, "")
		var doc reportDoc
		if err := json.Unmarshal(r.text, &doc); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(doc.Rows); got != want || doc.Event != "evt_"+ev.ID.String() || doc.Currency != ev.Currency {
			t.Errorf("by %q: %s, want %s", by, r.text, want)
		}
	}
	if r := w.do("GET", "/v1/events/demo/report", "", key).want(t, 200, ""); r.string("by") != "status" {
		t.Errorf("without by: %s", r.text)
	}
	w.do("GET", "/v1/events/demo/report?by=weather", "", key).want(t, 400, "malformed")
	w.do("GET", "/v1/events/nothing/report", "", key).want(t, 404, "not-found")
	w.do("GET", "/v1/events/demo/report", "", bearerKey(sellKey)).want(t, 403, "forbidden")
	w.do("GET", "/v1/events/demo/report", "").want(t, 401, "unauthorized")
}

// The audit log of an event is read in parts.
func TestChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ops := bearerKey(opsKey)
	for _, state := range []string{"paused", "on_sale"} {
		w.do("PATCH", "/v1/events/demo", `{"state":"`+state+`"}`, ops, header("If-Match", "*")).want(t, 200, "")
	}
	var doc changesDoc
	read := func(query string) {
		t.Helper()
		r := w.do("GET", "/v1/events/demo/changes"+query, "", ops).want(t, 200, "")
		doc = changesDoc{}
		if err := json.Unmarshal(r.text, &doc); err != nil {
			t.Fatal(err)
		}
	}
	read("")
	if len(doc.Changes) != 2 || doc.Changes[0].Action != "event.change" || doc.Changes[0].Detail != "paused" || doc.Changes[0].Actor != "Ada" || doc.Changes[0].Key != "ops" || doc.More {
		t.Fatalf("%+v", doc)
	}
	read(fmt.Sprintf("?after=%d", doc.Changes[0].ID))
	if len(doc.Changes) != 1 || doc.Changes[0].Detail != "on_sale" {
		t.Errorf("after the first: %+v", doc)
	}
	last := doc.Next
	read(fmt.Sprintf("?after=%d", last))
	if len(doc.Changes) != 0 || doc.Next != last {
		t.Errorf("after the last: %+v", doc)
	}
	ev, _ := w.node.Event("demo")
	for range changesAtOnce {
		if err := w.node.Audit(t.Context(), AuditEntry{At: w.now, Key: Key{Name: "k", Person: "p"}, Action: "a", Target: "evt_" + ev.ID.String()}); err != nil {
			t.Fatal(err)
		}
	}
	if read(""); len(doc.Changes) != changesAtOnce || !doc.More {
		t.Errorf("%d changes, more is %t", len(doc.Changes), doc.More)
	}
	w.do("GET", "/v1/events/demo/changes?after=-1", "", ops).want(t, 400, "malformed")
	w.do("GET", "/v1/events/demo/changes?after=x", "", ops).want(t, 400, "malformed")
	w.do("GET", "/v1/events/demo/changes", "", bearerKey(financeKey)).want(t, 403, "forbidden")
	w.do("GET", "/v1/events/demo/changes", "").want(t, 401, "unauthorized")
}
