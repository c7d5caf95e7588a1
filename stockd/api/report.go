package api

import (
	"context"
	"net/http"
	"strconv"

	"ticketrush/stockd/stock"
)

// Sales is what was sold of some seats: how many there are, how many of them are held, being paid and sold, and what the sold ones cost, in minor units.
type Sales struct {
	Seats, Held, Paying, Sold int64
	Amount                    int64
}

func (s *Sales) add(o Sales) {
	s.Seats += o.Seats
	s.Held += o.Held
	s.Paying += o.Paying
	s.Sold += o.Sold
	s.Amount += o.Amount
}

// SegmentSales is what was sold of a segment; of an area's units only those exist that were ever held, so Seats is the capacity.
type SegmentSales struct {
	Segment       stock.SegmentNo
	Section, Name string
	Sales
}

// TariffSales is what was sold of a category at a type of ticket. Seats are those that are held, being paid or sold: what is free has no type yet.
type TariffSales struct {
	Category, Type int16
	Sales
}

// reporter reads what a report is made of; the books do.
type reporter interface {
	SegmentSales(ctx context.Context, event stock.EventID) ([]SegmentSales, error)
	TariffSales(ctx context.Context, event stock.EventID) ([]TariffSales, error)
}

type reportDoc struct {
	Event    string      `json:"event"`
	By       string      `json:"by"`
	Currency string      `json:"currency"`
	Rows     []reportRow `json:"rows"`
}

type reportRow struct {
	Key    string `json:"key"`
	Name   string `json:"name,omitempty"`
	Seats  int64  `json:"seats"`
	Held   int64  `json:"held"`
	Paying int64  `json:"paying"`
	Sold   int64  `json:"sold"`
	Amount int64  `json:"amount"`
}

// report adds up by key, in the order in which keys come.
type report struct {
	rows []reportRow
	sums []Sales
	at   map[string]int
}

func (t *report) add(key, name string, s Sales) {
	i, known := t.at[key]
	if !known {
		i = len(t.rows)
		t.at[key] = i
		t.rows, t.sums = append(t.rows, reportRow{Key: key, Name: name}), append(t.sums, Sales{})
	}
	t.sums[i].add(s)
}

// filled are the rows that have something.
func (t *report) filled() []reportRow {
	rows := []reportRow{}
	for i, r := range t.rows {
		if s := t.sums[i]; s != (Sales{}) {
			r.Seats, r.Held, r.Paying, r.Sold, r.Amount = s.Seats, s.Held, s.Paying, s.Sold, s.Amount
			rows = append(rows, r)
		}
	}
	return rows
}

func (s *server) getReport(w http.ResponseWriter, r *http.Request) error {
	if err := s.books(r); err != nil {
		return err
	}
	ev, err := s.event(r)
	if err != nil {
		return err
	}
	by := r.URL.Query().Get("by")
	if by == "" {
		by = "status"
	}
	sums := report{at: map[string]int{}}
	switch by {
	case "status", "section", "segment":
		segments, err := s.Finance.SegmentSales(r.Context(), ev.Number)
		if err != nil {
			return err
		}
		for _, g := range segments {
			sums.segment(by, g)
		}
	case "category", "type":
		tariffs, err := s.Finance.TariffSales(r.Context(), ev.Number)
		if err != nil {
			return err
		}
		names, of := ev.Categories, func(t TariffSales) int16 { return t.Category }
		if by == "type" {
			names, of = ev.Types, func(t TariffSales) int16 { return t.Type }
		}
		for _, name := range names {
			sums.add(name, "", Sales{})
		}
		for _, t := range tariffs {
			sums.add(nameAt(names, of(t)), "", t.Sales)
		}
	default:
		return refuse(kindMalformed, "A report is by status, category, type, section or segment.")
	}
	return answer(w, http.StatusOK, reportDoc{Event: prefixEvent + ev.ID.String(), By: by, Currency: ev.Currency, Rows: sums.filled()})
}

func (t *report) segment(by string, g SegmentSales) {
	switch by {
	case "section":
		t.add(g.Section, "", g.Sales)
	case "segment":
		t.add(strconv.Itoa(int(g.Segment)), g.Name, g.Sales)
	default:
		t.add("available", "", Sales{Seats: g.Seats - g.Held - g.Paying - g.Sold})
		t.add("held", "", Sales{Seats: g.Held, Held: g.Held})
		t.add("paying", "", Sales{Seats: g.Paying, Paying: g.Paying})
		t.add("sold", "", Sales{Seats: g.Sold, Sold: g.Sold, Amount: g.Amount})
	}
}
