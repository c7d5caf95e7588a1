package rush

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// WriteText prints the summary for people. The lines `oversold N` and `lost N` stand alone, for scripts.
func (s *Summary) WriteText(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-16s %s\n", name, fmt.Sprintf(format, args...))
	}
	room := "no waiting room"
	if s.Room != "" {
		room = "room " + s.Room
	}
	fmt.Fprintf(w, "%s fans for %s (%s, %s, seed %d), %s\n\n", grouped(s.Config.Fans), s.Event.Name, s.Event.Slug, room, s.Config.Seed, round(s.Took))
	again := ""
	if s.CameAgain > 0 {
		again = fmt.Sprintf(", %s of them came again", grouped(s.CameAgain))
	}
	line("arrivals", "%s%s", grouped(s.Arrived), again)
	if s.Room != "" {
		line("admitted", "%s, %.1f/s while others waited; the rate asked is %.1f/s; %s inside at most, of %s", grouped(s.Admitted), s.AdmittedPerS, s.RateAsked, grouped(s.Inside), grouped(s.MaxActive))
		line("wait", "%s", s.Wait)
	}
	line("holds", "%s of %s places; %s", grouped(s.Holds), grouped(s.HeldSeats), s.Hold)
	line("let go", "%d released or cancelled, %d left behind, %d came too late", s.Released, s.LeftBehind, s.RanOut)
	line("orders", "%s; %d payments declined first", grouped(s.Orders), s.Declined)
	line("pay", "%s", s.Pay)
	line("tickets after", "%s", s.Issue)
	line("went without", "%s found nothing, %d gave up", grouped(s.MissedOut), s.GaveUp)
	line("refusals", "%s", orNone(s.Refusals))
	line("faults", "%s", orNone(s.Faults))
	line("requests", "%s, %.0f/s", grouped(s.Requests), float64(s.Requests)/max(1, s.Took.Seconds()))
	fmt.Fprintln(w)
	line("seats sold", "%s of %s", grouped(s.SeatsSold), grouped(s.Event.Capacity))
	line("seats paid", "%s", grouped(s.SeatsPaid))
	line("tickets issued", "%s", grouped(s.TicketsIssued))
	fmt.Fprintf(w, "oversold %d\nlost %d\n\n", len(s.Oversold), len(s.Lost))
	for _, c := range s.Verdict {
		if c.OK {
			fmt.Fprintf(w, "  holds   %s\n", c.Name)
		} else {
			fmt.Fprintf(w, "  BROKEN  %s: %s\n", c.Name, c.Detail)
		}
	}
}

// String shows a spread in one line.
func (s Spread) String() string {
	if s.N == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %s  p95 %s  p99 %s  max %s", round(s.P50), round(s.P95), round(s.P99), round(s.Max))
}

// round keeps three or so digits of a duration.
func round(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

// grouped writes a number with separators.
func grouped(n int) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func orNone(list []Count) string {
	if len(list) == 0 {
		return "none"
	}
	var parts []string
	for _, c := range list {
		parts = append(parts, fmt.Sprintf("%s %s", c.What, grouped(c.Times)))
	}
	return strings.Join(parts, " · ")
}
