package rush

import (
	"maps"
	"sync"
	"time"
)

// Row is what happened in one second of the rush.
type Row struct {
	Second                                            int
	Arrivals, Admitted, Holds, Sold, Refusals, Errors int // Sold counts tickets, the rest people and requests
	Waiting, Inside                                   int // at the end of the second
	Free, Held                                        int // of the event, as the edge told; -1: not known
}

// tally collects what happens. All methods are safe for concurrent use; one mutex is enough for some thousand calls per second.
type tally struct {
	start time.Time

	mu       sync.Mutex // guards what follows
	rows     []Row
	count    counts
	refusals map[string]int // problem type → times
	errors   map[string]int // what went wrong that must not → times
	wait     samples        // from joining to the pass
	hold     samples        // the calls
	pay      samples        // from starting the payment to seeing the order paid
	issue    samples        // from paid to tickets
	ledger   book
	first    time.Time // of the admissions while people waited
	last     time.Time
}

// counts are totals of the rush.
type counts struct {
	Arrived, Admitted, Left, Waiting, Inside int
	Holds, HeldSeats                         int
	Released, LeftBehind, RanOut             int
	Orders, Declined, Paid, PaidSeats        int
	Issued, IssuedSeats                      int
	MissedOut, GaveUp                        int
	Requests                                 int
}

func newTally(start time.Time) *tally {
	return &tally{start: start, refusals: map[string]int{}, errors: map[string]int{}, ledger: newBook()}
}

// row is the row of a moment; those that are missing before it are made.
func (t *tally) row(now time.Time) *Row {
	second := max(0, int(now.Sub(t.start)/time.Second))
	for len(t.rows) <= second {
		r := Row{Second: len(t.rows), Free: -1, Held: -1}
		if n := len(t.rows); n > 0 {
			r.Free, r.Held = t.rows[n-1].Free, t.rows[n-1].Held
		}
		t.rows = append(t.rows, r)
	}
	r := &t.rows[second]
	r.Waiting, r.Inside = t.count.Waiting, t.count.Inside
	return r
}

// note changes the totals and the row of now in one step.
func (t *tally) note(now time.Time, f func(c *counts, r *Row)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.row(now)
	f(&t.count, r)
	r.Waiting, r.Inside = t.count.Waiting, t.count.Inside
}

func (t *tally) arrived(now time.Time) {
	t.note(now, func(c *counts, r *Row) { c.Arrived++; c.Waiting++; r.Arrivals++ })
}

// admitted is one pass. waited is the time since joining.
func (t *tally) admitted(now time.Time, waited time.Duration) {
	t.note(now, func(c *counts, r *Row) {
		c.Admitted++
		c.Waiting--
		c.Inside++
		r.Admitted++
		t.wait.add(waited)
		if t.first.IsZero() {
			t.first = now
		}
		if c.Waiting > 0 {
			t.last = now
		}
	})
}

// stopped is somebody who leaves the line without a pass.
func (t *tally) stopped(now time.Time) {
	t.note(now, func(c *counts, _ *Row) { c.Waiting-- })
}

func (t *tally) left(now time.Time) {
	t.note(now, func(c *counts, _ *Row) { c.Inside--; c.Left++ })
}

func (t *tally) refused(now time.Time, kind string) {
	t.note(now, func(_ *counts, r *Row) { r.Refusals++; t.refusals[kind]++ })
}

// failed is something that a deployment must not do: an answer that the contract does not have, a broken connection.
func (t *tally) failed(now time.Time, what string) {
	t.note(now, func(_ *counts, r *Row) { r.Errors++; t.errors[what]++ })
}

func (t *tally) stock(now time.Time, a Availability) {
	t.note(now, func(_ *counts, r *Row) { r.Free, r.Held = a.Free, a.Held })
}

func (t *tally) requested() {
	t.mu.Lock()
	t.count.Requests++
	t.mu.Unlock()
}

// admissionRate is how many people per second got in while others waited behind them.
func (t *tally) admissionRate() float64 {
	seconds := t.last.Sub(t.first).Seconds()
	if seconds <= 0 {
		return 0
	}
	n := 0
	from, to := int(t.first.Sub(t.start)/time.Second), int(t.last.Sub(t.start)/time.Second)
	for _, r := range t.rows {
		if r.Second >= from && r.Second <= to {
			n += r.Admitted
		}
	}
	return float64(n) / seconds
}

// snapshot is what the progress display shows.
type snapshot struct {
	counts
	after    time.Duration
	row      Row // the last whole second
	refusals int
	errors   int
}

func (t *tally) snapshot(now time.Time) snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.row(now)
	s := snapshot{counts: t.count, after: now.Sub(t.start), row: t.rows[max(0, len(t.rows)-2)]}
	for n := range maps.Values(t.refusals) {
		s.refusals += n
	}
	for n := range maps.Values(t.errors) {
		s.errors += n
	}
	return s
}
