package order_test

import "testing"

// Each organiser has numbers of their own, without a gap; who has none shares those of the house.
func TestInvoiceSeries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, one := range []struct {
		organiser, series string
		number            int64
	}{{"quay", "quay", 1}, {"", "house", 1}, {"quay", "quay", 2}, {"", "house", 2}} {
		w.exec("UPDATE ledger.events SET organiser = nullif($1, '')", one.organiser)
		id, _ := w.ticketed(1)
		got, err := w.service.Invoices(t.Context(), id)
		if err != nil || len(got) != 1 || got[0].Series != one.series || got[0].Number != one.number {
			t.Errorf("organiser %q: %+v %v, want %s %d", one.organiser, got, err, one.series, one.number)
		}
	}
	w.reconciles()
}
