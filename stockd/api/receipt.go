package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"ticketrush/ledger/money"
	"ticketrush/stockd/paper"
)

type documentDoc struct {
	Kind     string   `json:"kind"`
	Number   string   `json:"number"`
	Currency string   `json:"currency"`
	Net      int64    `json:"net"`
	Tax      int64    `json:"tax"`
	Total    int64    `json:"total"`
	Issuer   string   `json:"issuer"`
	At       string   `json:"at"`
	Refund   string   `json:"refund,omitempty"`
	Seats    []string `json:"seats,omitempty"`
}

type receiptLineDoc struct {
	Seat  string `json:"seat"`
	Type  string `json:"type"`
	Face  int64  `json:"face"`
	Fee   int64  `json:"fee"`
	Tax   int64  `json:"tax"`
	State string `json:"state"`
}

type receiptDoc struct {
	Order     string           `json:"order"`
	Event     string           `json:"event"`
	State     string           `json:"state"`
	Currency  string           `json:"currency"`
	Lines     []receiptLineDoc `json:"lines"`
	Net       int64            `json:"net"`
	Tax       int64            `json:"tax"`
	Total     int64            `json:"total"`
	GivenBack int64            `json:"given_back"`
	Documents []documentDoc    `json:"documents"`
	Page      string           `json:"page"`
	PDF       string           `json:"pdf"`
}

// number is a document's number as people write it.
func (i *Invoice) number() string { return fmt.Sprintf("%s-%06d", strings.ToUpper(i.Series), i.Number) }

func (s *server) receipt(r *http.Request) (*Order, *Event, []Invoice, error) {
	order, ev, _, err := s.order(r)
	if err != nil {
		return nil, nil, nil, err
	}
	invoices, err := s.Orders.Invoices(r.Context(), order.ID)
	return order, ev, invoices, err
}

func (s *server) getReceipt(w http.ResponseWriter, r *http.Request) error {
	o, ev, invoices, err := s.receipt(r)
	if err != nil {
		return err
	}
	at := "/v1/orders/" + prefixOrder + o.ID.String() + "/receipt"
	doc := receiptDoc{Order: prefixOrder + o.ID.String(), Event: prefixEvent + ev.ID.String(), State: o.State, Currency: o.Currency, Lines: []receiptLineDoc{}, Total: o.Total,
		Documents: []documentDoc{}, Page: at + ".html", PDF: at + ".pdf"}
	for _, l := range o.Lines {
		state := o.Ended[l.Seat]
		if state == "" {
			state = "live"
		}
		doc.Lines = append(doc.Lines, receiptLineDoc{ev.label(l.Seat), nameAt(ev.Types, l.Type), l.Face, l.Fee, l.Tax, state})
		doc.Net, doc.Tax = doc.Net+l.Face+l.Fee, doc.Tax+l.Tax
	}
	for i := range invoices {
		n := &invoices[i]
		one := documentDoc{Kind: n.Kind, Number: n.number(), Currency: n.Currency, Net: n.Net, Tax: n.Tax, Total: n.Net + n.Tax, Issuer: n.Issuer, At: stamp(n.At)}
		if n.Kind == kindCreditNote {
			one.Refund, one.Seats = prefixRefund+n.Refund.String(), ev.labels(n.Seats)
			doc.GivenBack += one.Total
		}
		doc.Documents = append(doc.Documents, one)
	}
	return answer(w, http.StatusOK, doc)
}

const kindCreditNote = "credit_note"

func (s *server) getReceiptPage(w http.ResponseWriter, r *http.Request) error {
	return s.printReceipt(w, r, "html")
}

func (s *server) getReceiptPDF(w http.ResponseWriter, r *http.Request) error {
	return s.printReceipt(w, r, "pdf")
}

func (s *server) printReceipt(w http.ResponseWriter, r *http.Request, form string) error {
	o, ev, invoices, err := s.receipt(r)
	if err != nil {
		return err
	}
	p, err := printingOf(r)
	if err != nil {
		return err
	}
	doc := receiptPaper(o, ev, invoices, p.zone)
	doc.PDFAt = "/v1/orders/" + prefixOrder + o.ID.String() + "/receipt.pdf" + p.as
	if form == "pdf" {
		body, err := doc.PDF(s.Now())
		return document(w, "application/pdf", "receipt.pdf", body, err)
	}
	body, err := doc.HTML()
	return document(w, "text/html; charset=utf-8", "", body, err)
}

// receiptPaper is what stands on a receipt.
func receiptPaper(o *Order, ev *Event, invoices []Invoice, zone *time.Location) *paper.Receipt {
	amount := func(minor int64) string { return money.Format(minor, o.Currency) + " " + o.Currency }
	doc := &paper.Receipt{Order: prefixOrder + o.ID.String(), Event: ev.Name, Venue: ev.Venue, When: ev.StartsAt.In(zone).Format(printedTime), State: o.State, Total: amount(o.Total)}
	var net, tax, back int64
	for _, l := range o.Lines {
		net, tax = net+l.Face+l.Fee, tax+l.Tax
		line := paper.ReceiptLine{Place: ev.place(l.Seat), Type: nameAt(ev.Types, l.Type), Face: amount(l.Face), Fee: amount(l.Fee), Tax: amount(l.Tax), Total: amount(l.Face + l.Fee + l.Tax)}
		line.Note = strings.ReplaceAll(o.Ended[l.Seat], "_", " ")
		doc.Lines = append(doc.Lines, line)
	}
	for i := range invoices {
		n := &invoices[i]
		one := paper.Document{Title: "Invoice", Number: n.number(), At: n.At.In(zone).Format("2 January 2006"), Issuer: n.Issuer, Net: amount(n.Net), Tax: amount(n.Tax), Total: amount(n.Net + n.Tax)}
		if n.Kind == kindCreditNote {
			one.Title, back = "Credit note", back+n.Net+n.Tax
			places := make([]string, 0, len(n.Seats))
			for _, seat := range n.Seats {
				places = append(places, ev.place(seat))
			}
			one.For = "For: " + strings.Join(places, "; ")
		}
		doc.Documents = append(doc.Documents, one)
	}
	doc.Net, doc.Tax = amount(net), amount(tax)
	if back > 0 {
		doc.Back = amount(back)
	}
	return doc
}
