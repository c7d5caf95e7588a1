package api

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

const financeKey = "finance-key"

// bookkeeper is what the finance calls read.
type bookkeeper struct{}

func (b bookkeeper) Overview(context.Context) (any, error) {
	return map[string]any{"at": "2026-06-01T00:00:00Z", "tables": []any{}, "sales": []any{}, "sales_width_s": 1, "exponents": map[string]int{}}, nil
}

func (b bookkeeper) Detail(_ context.Context, of string) (any, error) {
	if of != "payment sandbox pi_1" {
		return nil, ErrNoDetail
	}
	return []any{}, nil
}

func (b bookkeeper) Export(_ context.Context, kind, format string, from, to time.Time, w io.Writer) error {
	if to.Before(from) {
		return fmt.Errorf("%w: the last day is before the first", ErrNoExport)
	}
	_, err := fmt.Fprintf(w, "%s %s %s\r\n", kind, format, from.Format(time.DateOnly))
	return err
}

func TestFinanceCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := bearerKey(financeKey)
	w.do("GET", "/admin/finance/overview", "", key).want(t, 200, "")
	w.do("GET", "/admin/finance/overview", "", bearerKey(opsKey)).want(t, 200, "")
	w.do("GET", "/admin/finance/overview", "", bearerKey(sellKey)).want(t, 403, "forbidden")
	w.do("GET", "/admin/finance/overview", "", without("Authorization")).want(t, 401, "unauthorized")
	w.do("GET", "/admin/status", "", key).want(t, 403, "forbidden")
	w.do("GET", "/admin/finance/detail?of=payment%20sandbox%20pi_1", "", key).want(t, 200, "")
	w.do("GET", "/admin/finance/detail?of=order%20x", "", key).want(t, 404, "not-found")
	got := w.do("GET", "/admin/finance/exports/transfers?format=csv&from=2026-06-01&to=2026-06-02", "", key).want(t, 200, "")
	if !strings.Contains(string(got.text), "transfers csv 2026-06-01") || got.header.Get("Content-Disposition") != `attachment; filename="transfers.csv"` || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
		t.Errorf("%v\n%s", got.header, got.text)
	}
	w.do("GET", "/admin/finance/exports/transfers?from=2026-06-02&to=2026-06-01", "", key).want(t, 400, "malformed")
}
