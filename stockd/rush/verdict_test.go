package rush

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// sound is a rush in which everything holds.
func sound() *Summary {
	return &Summary{
		Config: Config{Fans: 10, SellOut: true}.withDefaults(), Event: Event{Name: "A night", Slug: "demo", Capacity: 20}, Room: "demo",
		Before: Availability{Capacity: 20, Free: 20}, After: Availability{Capacity: 20, Sold: 20},
		SeatsSold: 20, SeatsPaid: 20, TicketsIssued: 20, MaxActive: 5, Inside: 5,
		Rows: []Row{{Second: 0, Arrivals: 10}, {Second: 1, Sold: 20}},
	}
}

func TestEveryMismatchBreaksTheVerdict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm   func(*Summary)
		broken string
	}{
		"a seat with two tickets": {func(s *Summary) { s.Oversold = []string{"N-1-1: two"} }, "nothing oversold"},
		"more sold than there is": {func(s *Summary) {
			s.After.Sold, s.After.Free = 21, -1
			s.SeatsSold, s.SeatsPaid, s.TicketsIssued = 21, 21, 21
		}, "nothing oversold"},
		"a promise not kept":        {func(s *Summary) { s.Lost = []string{"order 1"} }, "nothing lost"},
		"sold and not paid":         {func(s *Summary) { s.SeatsPaid = 19 }, "seats sold = seats paid = tickets issued"},
		"paid and no ticket":        {func(s *Summary) { s.TicketsIssued = 19 }, "seats sold = seats paid = tickets issued"},
		"paid and not sold":         {func(s *Summary) { s.SeatsSold = 19 }, "seats sold = seats paid = tickets issued"},
		"an order that hangs":       {func(s *Summary) { s.Unsettled = []string{"order 2 is paying"} }, "every order came to an end"},
		"counts that do not add up": {func(s *Summary) { s.After.Held = 1 }, "counts add up"},
		"counts that are stale":     {func(s *Summary) { s.After.Stale = true }, "counts add up"},
		"an answer of no contract":  {func(s *Summary) { s.Faults = []Count{{"500 internal", 1}} }, "no answer that the contract does not have"},
		"too many inside":           {func(s *Summary) { s.Inside = 6 }, "never more people inside than slots"},
		"something left": {func(s *Summary) {
			s.After.Sold, s.After.Free = 19, 1
			s.SeatsSold, s.SeatsPaid, s.TicketsIssued = 19, 19, 19
		}, "sold out"},
		"the time is up":    {func(s *Summary) { s.TimedOut = true }, "finished in time"},
		"somebody ended it": {func(s *Summary) { s.Interrupted = true }, "finished in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sound()
			s.judge()
			if !s.OK() {
				t.Fatalf("a sound rush is refused: %+v", s.Verdict)
			}
			c.harm(s)
			s.judge()
			if s.OK() {
				t.Fatal("the verdict is OK")
			}
			for _, check := range s.Verdict {
				if !check.OK && check.Name == c.broken {
					if check.Detail == "" {
						t.Error("it does not say what is broken")
					}
					return
				}
			}
			t.Errorf("%q is not what is broken: %+v", c.broken, s.Verdict)
		})
	}
}

func TestWithoutAVerdictNothingIsOK(t *testing.T) {
	t.Parallel()
	if new(Summary).OK() {
		t.Error("a summary that nobody judged is OK")
	}
}

func TestNotSoldOutIsFineWhereNobodyAskedForIt(t *testing.T) {
	t.Parallel()
	s := sound()
	s.Config.SellOut = false
	s.After, s.SeatsSold, s.SeatsPaid, s.TicketsIssued = Availability{Capacity: 20, Sold: 4, Free: 16}, 4, 4, 4
	s.judge()
	if !s.OK() {
		t.Errorf("%+v", s.Verdict)
	}
}

func TestTextHasTheLinesThatScriptsRead(t *testing.T) {
	t.Parallel()
	s := sound()
	s.judge()
	var b bytes.Buffer
	s.WriteText(&b)
	for _, want := range []string{"\noversold 0\n", "\nlost 0\n", "seats sold       20 of 20\n", "  holds   nothing lost\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
	s.Lost = []string{"order <1>"}
	s.judge()
	b.Reset()
	s.WriteText(&b)
	if !strings.Contains(b.String(), "\nlost 1\n") || !strings.Contains(b.String(), "BROKEN  nothing lost: order <1>") {
		t.Errorf("the text hides what was lost:\n%s", b.String())
	}
	b.Reset()
	if err := s.WriteReport(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<polyline class=\"a\"", "Something is broken", "order &lt;1&gt;", "aria-label=\"Through the doors"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestAuditFindsWhatWasNotKept(t *testing.T) {
	t.Parallel()
	seat := func(labels ...string) (lines []Line) {
		for _, l := range labels {
			lines = append(lines, Line{Seat: l})
		}
		return lines
	}
	p := func(paid bool, labels ...string) *promise {
		return &promise{id: "ord_1", paid: paid, seats: len(labels), lines: labels}
	}
	for name, c := range map[string]struct {
		promise                        *promise
		found                          finding
		paid, tickets, lost, unsettled int
	}{
		"issued":                           {p(true, "a", "b"), finding{order: Order{State: "issued", Lines: seat("b", "a")}, tickets: []Ticket{{"t1", "a", ""}, {"t2", "b", ""}}}, 2, 2, 0, 0},
		"issued, and the fan never saw it": {p(false, "a"), finding{order: Order{State: "issued", Lines: seat("a")}, tickets: []Ticket{{"t1", "a", ""}}}, 1, 1, 0, 0},
		"a ticket too few":                 {p(true, "a", "b"), finding{order: Order{State: "issued", Lines: seat("a", "b")}, tickets: []Ticket{{"t1", "a", ""}}}, 2, 1, 1, 0},
		"other seats":                      {p(false, "a"), finding{order: Order{State: "cancelled", Lines: seat("z")}}, 0, 0, 1, 0},
		"paid and gone":                    {p(true, "a"), finding{order: Order{State: "expired", Lines: seat("a")}}, 0, 0, 1, 0},
		"paid and unpaid again":            {p(true, "a"), finding{order: Order{State: "pending_payment", Lines: seat("a")}}, 0, 0, 1, 0},
		"not there":                        {p(false, "a"), finding{err: &Problem{Status: 404, Type: "/problems/not-found"}}, 0, 0, 1, 0},
		"expired before it was paid":       {p(false, "a"), finding{order: Order{State: "expired", Lines: seat("a")}}, 0, 0, 0, 0},
		"paid, tickets never came":         {p(true, "a"), finding{order: Order{State: "paid", Lines: seat("a")}}, 1, 0, 0, 1},
		"a payment that hangs":             {p(false, "a"), finding{order: Order{State: "paying", Lines: seat("a")}}, 0, 0, 0, 1},
	} {
		a := newAudit()
		a.keep(c.promise, c.found)
		if a.paid != c.paid || len(a.tickets) != c.tickets || len(a.lost) != c.lost || len(a.unsettled) != c.unsettled {
			t.Errorf("%s: paid %d, tickets %d, lost %v, unsettled %v", name, a.paid, len(a.tickets), a.lost, a.unsettled)
		}
	}
	a := newAudit()
	a.keepTickets(p(true, "a"), []Ticket{{"t1", "a", ""}})
	a.keepTickets(p(true, "a"), []Ticket{{"t2", "a", ""}})
	if len(a.doubled) != 1 || len(a.tickets) != 1 {
		t.Errorf("two tickets for one seat: doubled %v, tickets %v", a.doubled, a.tickets)
	}
}

func TestConfigSaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	c := Config{URL: "nowhere", Fans: -1, PartyMin: 7, PartyMax: 3, Abandon: 0.8, Late: 0.7, Fight: 2}.withDefaults()
	err := c.validate()
	for _, want := range []string{"--url", "--fans", "--parties 7-3", "--abandon and --late", "--fight"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
	if err := (Config{URL: "http://127.0.0.1:8080/"}).withDefaults().validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	for text, want := range map[string][2]int{"1-6": {1, 6}, "4": {4, 4}} {
		if low, high, err := ParseParties(text); err != nil || low != want[0] || high != want[1] {
			t.Errorf("ParseParties(%q) = %d, %d, %v", text, low, high, err)
		}
	}
	if _, _, err := ParseParties("many"); err == nil {
		t.Error("ParseParties takes words")
	}
}

func TestTheSameSeedMakesTheSamePeople(t *testing.T) {
	t.Parallel()
	c := Config{URL: "http://x", Fans: 2000}.withDefaults()
	seats, kinds, early := 0, map[manner]int{}, 0
	for n := range c.Fans {
		one, _ := newPerson(c, n)
		two, _ := newPerson(c, n)
		if one != two {
			t.Fatalf("fan %d is %+v and %+v", n, one, two)
		}
		seats += one.party
		kinds[one.manner]++
		if one.arrives < c.Arrive/4 {
			early++
		}
		if one.arrives < 0 || one.arrives > c.Arrive || one.party < 1 || one.party > 6 {
			t.Fatalf("fan %d: %+v", n, one)
		}
	}
	if mean := float64(seats) / float64(c.Fans); mean < 3.3 || mean > 3.7 {
		t.Errorf("parties of %.2f in the mean, want 3.5", mean)
	}
	if share := float64(kinds[buys]) / float64(c.Fans); share < 0.84 || share > 0.9 {
		t.Errorf("%.2f buy, want 0.87", share)
	}
	if early < c.Fans*4/10 || early > c.Fans*6/10 {
		t.Errorf("%d of %d come in the first quarter, want half", early, c.Fans)
	}
}

func TestDisplayWritesALineEveryFiveSecondsWithoutATerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	show, finish := NewDisplay(&b, false, nil)
	for ms := 0; ms <= 11000; ms += 250 {
		show(Progress{Phase: "rush", After: time.Duration(ms) * time.Millisecond})
	}
	finish()
	if n := strings.Count(b.String(), "\n"); n != 3 {
		t.Errorf("%d lines in 11 s, want 3:\n%s", n, b.String())
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("escape codes where there is no terminal")
	}
}
