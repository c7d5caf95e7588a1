package rush

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// lineEvery is how often a line is written where there is no terminal.
const lineEvery = 5 * time.Second

// NewDisplay gives a function that shows progress on w: on a terminal some lines that are drawn over and over, else a line every five seconds. finish
// leaves the last state standing.
func NewDisplay(w io.Writer, terminal bool, width func() int) (show func(Progress), finish func()) {
	if !terminal {
		next := time.Duration(0)
		return func(p Progress) {
			if p.After < next {
				return
			}
			next = p.After + lineEvery
			fmt.Fprintln(w, p.line())
		}, func() {}
	}
	drawn := 0
	return func(p Progress) {
		lines := p.lines(min(max(width(), 40), 100))
		var b strings.Builder
		if drawn > 0 {
			fmt.Fprintf(&b, "\x1b[%dA", drawn) // back up over what stands there
		}
		for _, line := range lines {
			b.WriteString(line + "\x1b[K\n")
		}
		drawn = len(lines)
		fmt.Fprint(w, b.String())
	}, func() { drawn = 0 }
}

// line is the progress in one line.
func (p Progress) line() string {
	if p.Phase == "check" {
		return fmt.Sprintf("checking %d of %d orders", p.Checked, p.ToCheck)
	}
	return fmt.Sprintf("%4.0f s  in line %5d  inside %4d  admitted %5d  holds %5d  paid %6d  tickets %6d  refusals %5d  faults %d  %d req/s",
		p.After.Seconds(), p.Waiting, p.Inside, p.Admitted, p.Holds, p.PaidSeats, p.IssuedSeats, p.Refusals, p.Errors, p.RequestsS)
}

// lines are the progress for a terminal of a width.
func (p Progress) lines(width int) []string {
	if p.Phase == "check" {
		return []string{"", "checking every order", bar("orders", p.Checked, p.ToCheck, width), "", "", "", "", ""}
	}
	free := "?"
	if p.Free >= 0 {
		free = grouped(p.Free)
	}
	return []string{
		"",
		fmt.Sprintf("%s   %s requests, %s/s", round(p.After.Round(time.Second)), grouped(p.Requests), grouped(p.RequestsS)),
		bar("arrived", p.Arrived, max(p.Fans, p.Arrived), width),
		bar("in line", p.Waiting, p.Fans, width),
		bar("sold", p.PaidSeats, p.Capacity, width),
		fmt.Sprintf("inside %s · admitted %s (%d/s) · holds %s (%d/s) · tickets %s (%d/s)",
			grouped(p.Inside), grouped(p.Admitted), p.AdmittedPerS, grouped(p.Holds), p.HoldsPerS, grouped(p.IssuedSeats), p.SoldPerS),
		fmt.Sprintf("free %s · held %s · refusals %s · faults %s", free, grouped(max(0, p.Held)), grouped(p.Refusals), grouped(p.Errors)),
		"",
	}
}

// bar draws how much of something is done.
func bar(name string, n, of, width int) string {
	cells := max(10, width-30)
	full := 0
	if of > 0 {
		full = min(cells, n*cells/of)
	}
	return fmt.Sprintf("%-8s %s%s %s", name, strings.Repeat("█", full), strings.Repeat("░", cells-full), grouped(n)+" / "+grouped(of))
}
