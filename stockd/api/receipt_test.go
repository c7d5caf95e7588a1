package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

func TestReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, _ := w.ticketed(1, "N-1-1")
	other, _ := w.ticketed(2, "N-1-5")
	path := "/v1/orders/" + o.string("id") + "/receipt"
	w.do("GET", path, "").want(t, 403, "hold-not-yours")
	w.do("GET", path+".pdf", "", orderToken(other)).want(t, 403, "hold-not-yours")
	w.orders.invoices = []Invoice{
		{Series: "house", Number: 7, Kind: "invoice", Currency: "EUR", Net: 8850, Issuer: "The House\nVAT <1>", At: w.now},
		{Series: "house", Number: 9, Kind: "credit_note", Refund: uuid.New(), Currency: "EUR", Net: 8850, At: w.now, Seats: []stock.SeatID{1 << 24}},
	}
	id, _ := parseID(o.string("id"), prefixOrder)
	ended := w.orders.orders[id]
	ended.Ended = map[stock.SeatID]string{1 << 24: "refunded"}
	w.orders.orders[id] = ended
	r := w.do("GET", path, "", orderToken(o)).want(t, 200, "")
	if line := r.body["lines"].([]any)[0].(map[string]any); line["state"] != "refunded" {
		t.Errorf("%s", r.text)
	}
	docs := r.body["documents"].([]any)
	if r.body["net"] != 8850.0 || r.body["tax"] != 0.0 || r.body["given_back"] != 8850.0 || len(docs) != 2 || docs[0].(map[string]any)["number"] != "HOUSE-000007" {
		t.Errorf("%s", r.text)
	}
	page := w.do("GET", path+".html?tz=Asia/Tokyo", "", orderToken(o)).want(t, 200, "")
	for _, want := range []string{"Invoice HOUSE-000007", "Credit note HOUSE-000009", "88.50 EUR", "Section N, row 1, seat 1", "VAT &lt;1&gt;", "For: Section N, row 1, seat 1", "1 December 2026", "Given back"} {
		if !strings.Contains(string(page.text), want) {
			t.Errorf("the page lacks %q: %s", want, page.text)
		}
	}
	if pdf := w.do("GET", path+".pdf", "", orderToken(o)).want(t, 200, ""); !strings.HasPrefix(string(pdf.text), "%PDF-") {
		t.Errorf("%.80s", pdf.text)
	}
}

func TestOrderLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, _ := w.ticketed(1, "N-1-1")
	path := "/v1/orders/" + o.string("id") + "/links"
	w.do("POST", path, `{}`).want(t, 403, "hold-not-yours")
	w.do("POST", path, `{"ttl_s":1}`, orderToken(o)).want(t, 422, "invalid")
	r := w.do("POST", path, `{"ttl_s":3600}`, orderToken(o)).want(t, 201, "")
	before, link, ok := strings.Cut(r.string("url"), "#")
	if !ok || before != "/o/" || strings.Contains(r.header.Get("Location"), link) {
		t.Fatalf("the secret is not behind the #: %s", r.text)
	}
	opened := w.do("POST", "/v1/order-links", `{"link":"`+link+`"}`).want(t, 200, "")
	if opened.string("id") != o.string("id") || !strings.HasPrefix(opened.header.Get("Set-Cookie"), "order_") {
		t.Errorf("%s %v", opened.text, opened.header)
	}
	w.do("POST", "/v1/order-links", `{"link":"`+link[:10]+`"}`).want(t, 403, "hold-not-yours")
	w.do("POST", "/v1/order-links", `{}`).want(t, 403, "hold-not-yours")
	w.now = w.now.Add(2 * time.Hour)
	w.do("POST", "/v1/order-links", `{"link":"`+link+`"}`).want(t, 410, "hold-expired")
}
