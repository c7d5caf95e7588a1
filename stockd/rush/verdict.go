package rush

import (
	"fmt"
	"slices"
)

// Check is one thing that must hold.
type Check struct {
	Name   string
	OK     bool
	Detail string // what was found, when it does not hold
}

// OK says that everything holds.
func (s *Summary) OK() bool {
	return len(s.Verdict) > 0 && !slices.ContainsFunc(s.Verdict, func(c Check) bool { return !c.OK })
}

// judge compares what was promised with what is there.
func (s *Summary) judge() {
	s.Verdict = nil
	check := func(name string, ok bool, format string, args ...any) {
		c := Check{Name: name, OK: ok}
		if !ok {
			c.Detail = fmt.Sprintf(format, args...)
		}
		s.Verdict = append(s.Verdict, c)
	}
	if over := s.After.Sold - s.After.Capacity; over > 0 {
		s.Oversold = append(s.Oversold, fmt.Sprintf("%d of %d places are sold", s.After.Sold, s.After.Capacity))
	}
	check("nothing oversold", len(s.Oversold) == 0, "%s", some(s.Oversold))
	check("nothing lost", len(s.Lost) == 0, "%s", some(s.Lost))
	check("seats sold = seats paid = tickets issued", s.SeatsSold == s.SeatsPaid && s.SeatsPaid == s.TicketsIssued,
		"%d sold, %d paid, %d issued; did others buy meanwhile?", s.SeatsSold, s.SeatsPaid, s.TicketsIssued)
	check("every order came to an end", len(s.Unsettled) == 0, "%s", some(s.Unsettled))
	check("counts add up", s.After.Free+s.After.Held+s.After.Sold == s.After.Capacity && !s.After.Stale,
		"free %d + held %d + sold %d against %d places; stale: %v", s.After.Free, s.After.Held, s.After.Sold, s.After.Capacity, s.After.Stale)
	check("no answer that the contract does not have", total(s.Faults) == 0, "%s", countsText(s.Faults))
	if s.MaxActive > 0 {
		check("never more people inside than slots", s.Inside <= s.MaxActive, "%d inside, %d slots", s.Inside, s.MaxActive)
	}
	if s.Config.SellOut && s.Config.wanted() >= float64(s.After.Capacity-s.Before.Sold) {
		check("sold out", s.After.Sold == s.After.Capacity && s.After.Capacity > 0, "%d of %d places are left", s.After.Capacity-s.After.Sold, s.After.Capacity)
	}
	check("finished in time", !s.TimedOut && !s.Interrupted, "the rush was ended after %v", s.Took.Round(1e9))
}

// some gives the first few of a list and how many more there are.
func some(list []string) string {
	const shown = 5
	text := ""
	for i, line := range list {
		if i == shown {
			return fmt.Sprintf("%s; and %d more", text, len(list)-shown)
		}
		if i > 0 {
			text += "; "
		}
		text += line
	}
	return text
}

func countsText(list []Count) string {
	var lines []string
	for _, c := range list {
		lines = append(lines, fmt.Sprintf("%s ×%d", c.What, c.Times))
	}
	return some(lines)
}
