package ledger_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ticketrush/ledger/finance"
)

// rowsOf exports and reads what came out.
func (c *closer) rowsOf(o finance.ExportOptions) [][]string {
	c.t.Helper()
	var b bytes.Buffer
	n, err := c.desk.Export(c.t.Context(), o, &b)
	if err != nil {
		c.t.Fatal(err)
	}
	if o.Format == "jsonl" {
		if got := strings.Count(b.String(), "\n"); int64(got) != n {
			c.t.Errorf("%d lines of %d rows", got, n)
		}
		for line := range strings.Lines(b.String()) {
			if !json.Valid([]byte(line)) {
				c.t.Errorf("not JSON: %s", line)
			}
		}
		return make([][]string, n)
	}
	records, err := csv.NewReader(&b).ReadAll()
	if err != nil || int64(len(records)) != n+1 {
		c.t.Fatalf("%d rows, %d records: %v", n, len(records), err)
	}
	return records
}

func TestExport(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	order, _ := c.sale(2, 130)
	c.late(1, 90)
	c.orphan("KWD", 12345, 5, true)
	c.importLines(plain, c.lines)
	c.mustClose()
	c.sale(1, 50)
	for _, kind := range finance.ExportKinds() {
		table := map[string]string{"transfers": "transfers", "movements": "seat_movements", "orders": "orders", "settlement": "settlement_lines"}[kind]
		want := c.number("SELECT count(*) FROM ledger." + table)
		if got := c.rowsOf(finance.ExportOptions{Kind: kind, Format: "csv"}); len(got)-1 != want || want == 0 {
			t.Errorf("%s: %d rows, want %d", kind, len(got)-1, want)
		}
		if got := c.rowsOf(finance.ExportOptions{Kind: kind, Format: "jsonl"}); len(got) != want {
			t.Errorf("%s as JSON: %d rows, want %d", kind, len(got), want)
		}
	}
	transfers := c.rowsOf(finance.ExportOptions{Kind: "transfers", Format: "csv"})
	if got := strings.Join(transfers[0], ","); got != "id,day,source,leg,debit,credit,currency,amount_minor,amount,order,effective_at,recorded_at,reverses" {
		t.Errorf("header %s", got)
	}
	first := transfers[1]
	if first[2] != "order:"+order.String()+":1" || first[4] != "1200" || first[7] != "10000" || first[8] != "100.00" || first[10] != c.now.UTC().Round(time.Microsecond).Format(time.RFC3339Nano) {
		t.Errorf("the first posting is %q", first)
	}
	today := c.clock.AddDate(0, 0, -1).UTC().Truncate(24 * time.Hour)
	closed := c.rowsOf(finance.ExportOptions{Kind: "transfers", Format: "csv", From: today, To: today})
	if want := c.number("SELECT transfers FROM ledger.day_closings"); len(closed)-1 != want || len(closed) >= len(transfers) {
		t.Errorf("%d postings of the closed day, want %d", len(closed)-1, want)
	}
	if got := c.rowsOf(finance.ExportOptions{Kind: "orders", Format: "csv", Event: c.event + 1}); len(got) != 1 {
		t.Errorf("%d orders of no event", len(got)-1)
	}
	if got := c.rowsOf(finance.ExportOptions{Kind: "orders", Format: "csv", From: today.AddDate(0, 0, 2)}); len(got) != 1 {
		t.Errorf("%d orders of the future", len(got)-1)
	}
}

func TestExportFile(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	c.sale(1, 0)
	closed := c.mustClose()
	dir := filepath.Join(t.TempDir(), "books")
	o := finance.ExportOptions{Kind: "transfers", Format: "csv", Event: c.event, Now: c.clock}
	m, err := c.desk.ExportFile(t.Context(), o, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, m.File))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if m.File != "transfers-event1.csv" || m.SHA256 != hex.EncodeToString(sum[:]) || m.Bytes != int64(len(text)) || m.Checkpoint != closed.Checkpoint || m.Rows != closed.Transfers {
		t.Errorf("%+v", m)
	}
	var again finance.Manifest
	if text, err = os.ReadFile(filepath.Join(dir, m.File+".manifest.json")); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &again); err != nil || again != *m {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := c.desk.ExportFile(t.Context(), o, dir, false); !errors.Is(err, finance.ErrExportExists) {
		t.Errorf("over a file that is there: %v", err)
	}
	if _, err := c.desk.ExportFile(t.Context(), o, dir, true); err != nil {
		t.Error(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) != 2 {
		t.Errorf("the folder has %v", found)
	}
	today := c.clock.UTC().Truncate(24 * time.Hour)
	for name, o := range map[string]finance.ExportOptions{
		"kind":   {Kind: "people", Format: "csv"},
		"format": {Kind: "orders", Format: "xls"},
		"event":  {Kind: "settlement", Format: "csv", Event: 1},
		"range":  {Kind: "orders", Format: "csv", From: today, To: today.AddDate(0, 0, -1)},
	} {
		if _, err := c.desk.ExportFile(t.Context(), o, dir, false); !errors.Is(err, finance.ErrExport) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
