package reconcile

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Breaks is how many breaks the report names.
func (r *Report) Breaks() int {
	n := 0
	for i := range r.Checks {
		n += len(r.Checks[i].Breaks)
	}
	return n
}

// WriteText writes the report for people: a line for each check, and under it a line for each break.
func (r *Report) WriteText(w io.Writer) error {
	e := &errWriter{w: w}
	of := "all events"
	if r.Event != 0 {
		of = fmt.Sprintf("event %d", r.Event)
	}
	e.printf("reconcile %s, as of %s\n", of, r.At.UTC().Format(time.RFC3339))
	e.printf("  stock: capacity %d = available %d + held %d + paying %d + sold %d\n", r.Totals.Capacity, r.Totals.Available, r.Totals.Held, r.Totals.Paying, r.Totals.Sold)
	for i := range r.Checks {
		c := &r.Checks[i]
		verdict := "ok"
		if n := len(c.Breaks); n > 0 {
			verdict = fmt.Sprintf("%d BROKEN", n)
			if c.More {
				verdict = fmt.Sprintf("more than %d BROKEN", n)
			}
		}
		e.printf("  %-12s %-10s %9d rows  %s\n", c.Name, verdict, c.Rows, c.About)
		for _, b := range c.Breaks {
			e.printf("    %s: %s\n", b.Row, b.Text)
		}
	}
	for _, n := range r.Notes {
		e.printf("  note: %s\n", n)
	}
	if r.OK {
		e.printf("everything adds up\n")
	} else {
		e.printf("%d breaks\n", r.Breaks())
	}
	return e.err
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// errWriter keeps the first error.
type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) printf(format string, args ...any) {
	if e.err == nil {
		_, e.err = fmt.Fprintf(e.w, format, args...)
	}
}
