package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ticketrush/ledger/finance"
)

func (c *closer) overview() (*finance.Overview, map[string]finance.Table) {
	c.t.Helper()
	o, err := c.desk.Overview(c.t.Context(), c.clock)
	if err != nil {
		c.t.Fatal(err)
	}
	by := map[string]finance.Table{}
	for _, t := range o.Tables {
		by[t.ID] = t
	}
	return o, by
}

func TestFinancePage(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	order, ref := c.sale(2, 130)
	c.late(1, 90)
	c.orphan("JPY", 4000, 0, true)
	o, tables := c.overview()
	for _, id := range []string{"settlement", "orders", "seats", "invoices"} {
		if len(tables[id].Rows) != 0 {
			t.Errorf("%s is broken: %v", id, tables[id].Rows)
		}
	}
	if r := tables["days"].Rows; len(r) != 1 || r[0][1] != "open" {
		t.Errorf("days %v", r)
	}
	if r := tables["trial"].Rows; !slices.ContainsFunc(r, func(r []string) bool {
		return slices.Equal(r, []string{"1100:sandbox", "EUR", "159.00", "53.00", "106.00"})
	}) {
		t.Errorf("trial balance %v", r)
	}
	if s := o.Sales; len(s) != 1 || s[0].Currency != "EUR" || s[0].Sold != 10600 || s[0].Refunded != 0 || o.Exponents["EUR"] != 2 {
		t.Errorf("sales %+v of %d s", s, o.WidthS)
	}
	c.lines[0].Gross++
	c.lines[0].Net++
	c.importLines(plain, c.lines)
	_, tables = c.overview()
	broken := tables["settlement"]
	if len(broken.Rows) != 1 || broken.Rows[0][0] != "amount mismatch" || broken.Rows[0][4] != "106.00" || broken.Rows[0][5] != "106.01" || broken.Leads[0] != "payment sandbox "+ref {
		t.Fatalf("settlement %+v", broken)
	}
	for _, of := range []string{broken.Leads[0], "order " + order.String()} {
		detail, err := c.desk.Detail(t.Context(), of)
		if err != nil {
			t.Fatalf("%s: %v", of, err)
		}
		rows := map[string]int{}
		for _, d := range detail {
			rows[d.ID] = len(d.Rows)
		}
		for id, want := range map[string]int{"order": 1, "history": 4, "seats": 2, "movements": 6, "payments": 1, "transfers": 3, "facts": 2, "lines": 1} {
			if rows[id] != want {
				t.Errorf("%s: %d rows of %s, want %d", of, rows[id], id, want)
			}
		}
	}
	c.invoicesOnThePage()
	for _, of := range []string{"", "order", "order x", "series", "series nobody", "order 00000000-0000-0000-0000-000000000000", "payment sandbox pi_nobody", "seat 1"} {
		if detail, err := c.desk.Detail(t.Context(), of); !errors.Is(err, finance.ErrNoDetail) {
			t.Errorf("%q: %v, %v", of, detail, err)
		}
	}
	if c.mustNotClose(); !strings.Contains(c.overviewDays(), "closed, not signed") {
		t.Error(c.overviewDays())
	}
}

// invoicesOnThePage: the page has the series, and what is missing of one leads to the documents beside it, and these to their orders.
func (c *closer) invoicesOnThePage() {
	c.t.Helper()
	c.sale(1, 60)
	c.sale(1, 60)
	if made, err := c.db.InvoicesDue(c.t.Context(), true, c.now); err != nil || made != 3 {
		c.t.Fatalf("%d, %v", made, err)
	}
	_, tables := c.overview()
	if s := tables["series"]; len(s.Rows) != 1 || !slices.Equal(s.Rows[0], []string{"house", "EUR", "3", "0", "212.00", "0.00", "3"}) || s.Leads[0] != "series house" || len(tables["invoices"].Rows) != 0 {
		c.t.Errorf("series %+v, breaks %+v", s, tables["invoices"])
	}
	for _, statement := range []string{"ALTER TABLE ledger.invoices DISABLE TRIGGER append_only", "DELETE FROM ledger.invoices WHERE number = 2", "UPDATE ledger.invoices SET net = net + 1 WHERE number = 1"} {
		if _, err := c.db.SQL().ExecContext(c.t.Context(), statement); err != nil {
			c.t.Fatal(err)
		}
	}
	_, tables = c.overview()
	b := tables["invoices"]
	if len(b.Rows) != 2 || b.Rows[0][0] != "not what its lines say" || !strings.HasPrefix(b.Leads[0], "order ") || !slices.Equal(b.Rows[1][:4], []string{"numbers missing", "house", "2", "2"}) || b.Leads[1] != "series house" {
		c.t.Fatalf("invoices %+v", b)
	}
	detail, err := c.desk.Detail(c.t.Context(), b.Leads[1])
	if err != nil || len(detail) != 1 || len(detail[0].Rows) != 2 || detail[0].Rows[0][0] != "3" || detail[0].Rows[1][0] != "1" || detail[0].Leads[1] != b.Leads[0] {
		c.t.Errorf("%+v, %v", detail, err)
	}
	if detail, err = c.desk.Detail(c.t.Context(), b.Leads[0]); err != nil || !slices.ContainsFunc(detail, func(t finance.Table) bool { return t.ID == "invoices" && len(t.Rows) == 1 && t.Rows[0][1] == "1" }) {
		c.t.Errorf("%+v, %v", detail, err)
	}
}

// mustNotClose closes the day, and its breaks refuse the signature.
func (c *closer) mustNotClose() {
	c.t.Helper()
	if _, _, err := c.close(""); !errors.Is(err, finance.ErrBreaks) {
		c.t.Fatal(err)
	}
}

func (c *closer) overviewDays() string {
	_, tables := c.overview()
	var all []string
	for _, r := range tables["days"].Rows {
		all = append(all, strings.Join(r, " "))
	}
	return strings.Join(all, "\n")
}

// TestOrphanOnTheFinancePage: of money that nobody knows there is no order, and all the rest.
func TestOrphanOnTheFinancePage(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	c.now = c.now.Add(-20 * 24 * time.Hour)
	ref := c.orphan("JPY", 4000, 0, false)
	c.importLines(plain, c.lines)
	_, tables := c.overview()
	if r := tables["settlement"].Rows; len(r) != 1 || r[0][0] != "orphan" || r[0][4] != "4000" {
		t.Errorf("settlement %v", r)
	}
	detail, err := c.desk.Detail(t.Context(), "payment sandbox "+ref)
	if err != nil || len(detail) != 3 || len(detail[1].Rows) != 1 || detail[1].Rows[0][2] != "1100:sandbox" {
		t.Errorf("%+v, %v", detail, err)
	}
}
