package rush

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed report.html
var reportHTML string

var reportTemplate = template.Must(template.New("report").Funcs(template.FuncMap{"n": grouped}).Parse(reportHTML))

// reportData is what the template shows.
type reportData struct {
	*Summary
	OK      bool
	Oversum int
	Lostsum int
	Facts   [][2]string
	Charts  []chart
}

// WriteReport writes the summary and its charts as one HTML page that needs nothing else.
func (s *Summary) WriteReport(w io.Writer) error {
	d := reportData{Summary: s, OK: s.OK(), Oversum: len(s.Oversold), Lostsum: len(s.Lost), Charts: s.charts()}
	fact := func(name, format string, args ...any) {
		d.Facts = append(d.Facts, [2]string{name, fmt.Sprintf(format, args...)})
	}
	fact("Fans", "%s, %s visits", grouped(s.Config.Fans), grouped(s.Arrived))
	if s.Room != "" {
		fact("Admitted", "%s, %.1f/s while others waited; asked %.1f/s", grouped(s.Admitted), s.AdmittedPerS, s.RateAsked)
		fact("Most inside", "%s of %s slots", grouped(s.Inside), grouped(s.MaxActive))
		fact("Wait for the pass", "%s", s.Wait)
	}
	fact("Holds", "%s of %s places", grouped(s.Holds), grouped(s.HeldSeats))
	fact("Hold answered in", "%s", s.Hold)
	fact("Pay until paid", "%s", s.Pay)
	fact("Paid until tickets", "%s", s.Issue)
	fact("Orders", "%s, %d payments declined first", grouped(s.Orders), s.Declined)
	fact("Let go", "%d released or cancelled, %d left behind, %d too late", s.Released, s.LeftBehind, s.RanOut)
	fact("Went without", "%s found nothing, %d gave up", grouped(s.MissedOut), s.GaveUp)
	fact("Refusals", "%s", orNone(s.Refusals))
	fact("Faults", "%s", orNone(s.Faults))
	fact("Requests", "%s, %.0f/s", grouped(s.Requests), float64(s.Requests)/max(1, s.Took.Seconds()))
	return reportTemplate.Execute(w, d)
}

// StartedText and TookText are for the page's head.
func (s *Summary) StartedText() string { return s.Started.UTC().Format(time.RFC1123) }

// TookText is how long the rush took.
func (s *Summary) TookText() string { return round(s.Took).String() }

// charts are drawn from the rows, one per second.
func (s *Summary) charts() []chart {
	column := func(name, class string, f func(Row) int) series {
		line := series{Name: name, Class: class}
		for _, r := range s.Rows {
			line.values = append(line.values, float64(f(r)))
		}
		return line
	}
	sold := 0
	list := []chart{
		newChart("Through the doors", "people per second",
			column("arrivals", "a", func(r Row) int { return r.Arrivals }),
			column("admitted", "b", func(r Row) int { return r.Admitted })),
		newChart("In line and inside", "people",
			column("waiting", "a", func(r Row) int { return r.Waiting }),
			column("inside", "b", func(r Row) int { return r.Inside })),
		newChart("Holds and sales", "per second",
			column("holds", "a", func(r Row) int { return r.Holds }),
			column("tickets paid", "b", func(r Row) int { return r.Sold })),
		newChart("Tickets", "places",
			column("paid so far", "b", func(r Row) int { sold += r.Sold; return sold }),
			column("held now", "a", func(r Row) int { return max(0, r.Held) }),
			column("free now", "c", func(r Row) int { return max(0, r.Free) })),
		newChart("Refusals and faults", "per second",
			column("refusals", "a", func(r Row) int { return r.Refusals }),
			column("faults", "d", func(r Row) int { return r.Errors })),
	}
	return list
}
