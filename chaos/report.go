package chaos

import (
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report is what came of a run.
type Report struct {
	Machine    string
	Started    time.Time
	Load       time.Duration // for how long the crowd bought
	Lines      []Line
	Operations int64 // answered
	Checked    int   // operations that porcupine saw
	Seats      int   // seats that they were about
	Sold       int
	Untold     int   // holds that nobody was told of: late copies of requests that were refused elsewhere
	Checks     int   // of reconcile
	Accounts   int64 // that the trial balance has added up
	Clearing   int64 // clearing accounts that were explained
	Refunds    Refunds
	Rooms      Rooms
	Met        map[string]int // what clients met and waited out, by its kind
	Errors     []string       // what they should never have met
	Wrong      []string       // promises that were not kept
}

// Line is one fault as it was measured.
type Line struct {
	Fault, About string
	Rate         float64       // operations per second before it
	Calm         time.Duration // the longest gap before it
	Edge, Nodes  time.Duration // the longest gap with it, as clients of the edge and of the nodes saw it
	Took, Bound  time.Duration // what of the gap is the fault's own; the longest that is allowed
	Errors       int
	Holds        bool
	Skipped      string // why it was not made
}

// Rooms is what the visitors of the waiting rooms were told.
type Rooms struct {
	Rooms    int // in all deployments
	Passes   int // answered
	Renewals int
	Owners   int // that the edges met, one after the other
	Most     int // people inside a room at once, by the answers
	Slots    int // of a room
}

func (r *Rooms) add(s *stays, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Rooms++
	r.Passes += len(s.all) + len(s.past)
	r.Renewals += s.renewals
	r.Owners += s.owners
	r.Most, r.Slots = max(r.Most, most), s.most
}

// OK is whether everything holds.
func (r *Report) OK() bool {
	for _, l := range r.Lines {
		if !l.Holds && l.Skipped == "" {
			return false
		}
	}
	return len(r.Wrong) == 0 && len(r.Errors) == 0
}

// add takes a deployment's crowd into the report.
func (r *Report) add(d *deployment) {
	r.Operations += d.crowd.ops.Load()
	r.Checked += d.history.operations()
	r.Seats += d.history.seatsTouched()
	d.crowd.money.count(r.Refunds.add)
	d.book.mu.Lock()
	defer d.book.mu.Unlock()
	if r.Met == nil {
		r.Met = map[string]int{}
	}
	for what, n := range d.book.met {
		r.Met[what] += n
	}
	r.Errors = append(r.Errors, d.book.errors...)
}

// Write prints the report for people.
func (r *Report) Write(w io.Writer) {
	ms := func(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
	fmt.Fprintf(w, "\n%s\n\n%-15s %10s %10s %10s %10s %8s  %-5s  %s\n", r.Machine, "fault", "edge", "node", "calm", "bound", "load", "holds", "what")
	for _, l := range r.Lines {
		if l.Skipped != "" {
			fmt.Fprintf(w, "%-15s not made: %s\n", l.Fault, l.Skipped)
			continue
		}
		holds := "yes"
		if !l.Holds {
			holds = "NO"
		}
		fmt.Fprintf(w, "%-15s %10s %10s %10s %10s %6.0f/s  %-5s  %s\n", l.Fault, ms(l.Edge), ms(l.Nodes), ms(l.Calm), ms(l.Bound), l.Rate, holds, l.About)
	}
	fmt.Fprintf(w, "\noperations    %d in %v, %.0f/s\n", r.Operations, r.Load.Round(time.Second), float64(r.Operations)/max(r.Load.Seconds(), 1))
	fmt.Fprintf(w, "history       %d operations on %d seats; sold %d; held by late copies of refused requests %d\n", r.Checked, r.Seats, r.Sold, r.Untold)
	if n := r.Rooms; n.Rooms > 0 {
		fmt.Fprintf(w, "rooms         %d; passes %d, renewals %d; owners met %d; most inside at once %d of %d\n", n.Rooms, n.Passes, n.Renewals, n.Owners, n.Most, n.Slots)
	}
	n := r.Refunds
	fmt.Fprintf(w, "refunds       asked %d, sent %d; seats back on sale %d, sold again %d; of a cancelled event %d orders, %d refunds sent\n", n.Asked, n.Sent, n.Seats, n.Again, n.Cancelled, n.CancelSent)
	fmt.Fprintf(w, "paid late     %d: their seats %d, others %d, money back %d; disputes %d, lost %d\n", n.Late, n.LateSeats, n.LateOthers, n.Late-n.LateSeats-n.LateOthers, n.Disputes, n.Lost)
	var met []string
	for _, what := range slices.Sorted(maps.Keys(r.Met)) {
		met = append(met, fmt.Sprintf("%s %d", what, r.Met[what]))
	}
	fmt.Fprintf(w, "met           %s\n", strings.Join(met, " · "))
	for _, e := range r.Errors {
		fmt.Fprintf(w, "error         %s\n", e)
	}
	for _, e := range r.Wrong {
		fmt.Fprintf(w, "WRONG         %s\n", e)
	}
	if len(r.Wrong) == 0 {
		fmt.Fprintf(w, "porcupine: ok\nreconcile: %d checks, no breaks; trial balance 0 over %d accounts, %d clearing accounts explained\noversold 0, lost 0\n", r.Checks, r.Accounts, r.Clearing)
	}
	if r.OK() {
		fmt.Fprintln(w, "everything holds")
	} else {
		fmt.Fprintln(w, "NOT everything holds, see above")
	}
}

// machine names where it ran.
func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores (%s), %s/%s, %s; crowd, nodes, edge and Postgres share them", runtime.NumCPU(), model, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
