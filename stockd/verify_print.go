package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"ticketrush/room/draw"
	"ticketrush/room/openlog"
	"ticketrush/stockd/failure"
)

// tally prints the steps of a verification and counts them.
type tally struct {
	out                 io.Writer
	held, open, failing int
}

// check prints a step: ok, FAILED with the reason, or -- where it cannot be checked.
func (t *tally) check(step draw.Step, c draw.Check) {
	word := "ok"
	switch {
	case c.Err != nil:
		word = "FAILED"
		t.failing++
	case c.Skipped:
		word = "--"
		t.open++
	default:
		t.held++
	}
	fmt.Fprintf(t.out, "%-7s %-11s %s\n", word, step, c.Text)
	if c.Err != nil {
		fmt.Fprintf(t.out, "%-7s %-11s %v\n", "", "", c.Err)
	}
}

func (t *tally) checks(all []draw.Check) {
	for _, c := range all {
		t.check(c.Step, c)
	}
}

// places prints where those came out who were asked for by --tid; receipts have a line of their own. A list that is damaged has no places.
func (t *tally) places(r *draw.Report, tids []draw.Tid) {
	for _, p := range r.Places[:min(len(tids), len(r.Places))] {
		if p.Member {
			fmt.Fprintf(t.out, "        place       %x has rank %d and is number %d of %d\n", p.Tid, p.Rank, p.Ordinal, r.Header.N)
		} else {
			fmt.Fprintf(t.out, "        place       %x is not on the list\n", p.Tid)
		}
	}
}

func (t *tally) receipts(r *draw.Report, receipts []namedReceipt) {
	for _, n := range receipts {
		err := n.err
		text := n.name + " is a receipt of this draw"
		if err == nil {
			text = fmt.Sprintf("%s: number %d of %d, with the place in the list that it says", n.name, n.receipt.Ordinal, n.receipt.N)
			err = r.CheckReceipt(n.receipt)
		}
		t.check("receipt", draw.Check{Text: text, Err: err})
	}
}

// log prints what was found about the log, and what it has by kind: whoever looks for grants by hand finds them here.
func (t *tally) log(r *openlog.Report) {
	t.checks(r.Checks)
	var kinds []string
	for kind, n := range r.Kinds {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, n))
	}
	if slices.Sort(kinds); len(kinds) > 0 {
		fmt.Fprintf(t.out, "        kinds       %s\n", strings.Join(kinds, ", "))
	}
}

// conclude says how it ended, and fails when a step did.
func (t *tally) conclude() error {
	if t.failing > 0 {
		fmt.Fprintf(t.out, "the draw does not hold: %d of %d steps failed\n", t.failing, t.held+t.open+t.failing)
		return failure.Told(failure.Failed)
	}
	fmt.Fprintf(t.out, "the draw holds: %d steps", t.held)
	if t.open > 0 {
		fmt.Fprintf(t.out, ", %d more could not be checked here (--)", t.open)
	}
	fmt.Fprintln(t.out)
	return nil
}
