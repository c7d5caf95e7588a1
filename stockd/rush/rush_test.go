package rush

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// small is a crowd that is through in a second or two.
func small(url string) Config {
	return Config{URL: url, Event: "demo", Fans: 120, Arrive: 200 * time.Millisecond, Think: time.Millisecond, Visits: 4, Late: -1, Fight: 0.2, Deadline: 30 * time.Second, SellOut: true, settle: time.Second}
}

func TestACrowdSellsASmallHouseOut(t *testing.T) {
	t.Parallel()
	house, url := newShop(t, 250)
	shown := 0
	s, err := Run(t.Context(), small(url), func(Progress) { shown++ })
	if err != nil {
		t.Fatal(err)
	}
	if !s.OK() {
		t.Errorf("not everything holds: %+v", s.Verdict)
	}
	if s.SeatsSold != 250 || s.TicketsIssued != 250 {
		t.Errorf("sold %d, tickets %d of 250", s.SeatsSold, s.TicketsIssued)
	}
	if house.most > shopSlots || s.Admitted == 0 || s.Wait.N != s.Admitted {
		t.Errorf("at most %d inside, %d admitted, %d waits", house.most, s.Admitted, s.Wait.N)
	}
	if shown == 0 {
		t.Error("no progress was shown")
	}
	found := false
	for _, c := range s.Refusals {
		found = found || c.What == "segment-moving"
	}
	if !found {
		t.Errorf("the refusals that were waited out are not counted: %v", s.Refusals)
	}
	if s.Arrived < s.Admitted || s.Arrived < s.Config.Fans {
		t.Errorf("%d arrived, %d admitted", s.Arrived, s.Admitted)
	}
}

func TestAHouseThatBreaksItsPromisesIsFound(t *testing.T) {
	t.Parallel()
	for fault, broken := range map[string]string{
		"sell twice":   "nothing oversold",
		"forget sales": "nothing lost",
		"lose holds":   "nothing lost",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			_, url := newShop(t, 120, fault)
			c := small(url)
			c.Fans, c.Visits, c.SellOut, c.Abandon = 40, 1, false, -1
			s, err := Run(t.Context(), c, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range s.Verdict {
				if check.Name == broken && check.OK {
					t.Errorf("%q holds in a house that does %q", broken, fault)
				}
			}
		})
	}
}

func TestLateFansAreTooLate(t *testing.T) {
	t.Parallel()
	_, url := newShop(t, 50)
	c := small(url)
	c.Fans, c.Late, c.Abandon, c.Visits, c.SellOut = 5, 1, -1, 1, false
	s, err := Run(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.RanOut != 5 || s.Orders != 0 || len(s.Lost) > 0 {
		t.Errorf("%d ran out, %d orders, lost %v", s.RanOut, s.Orders, s.Lost)
	}
}

func TestARushThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Config{URL: "ftp://x"}, nil); !errors.Is(err, ErrConfig) {
		t.Errorf("a bad URL: %v", err)
	}
	_, url := newShop(t, 5)
	c := small(url)
	c.Event = "nothing"
	if _, err := Run(t.Context(), c, nil); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("no such event: %v", err)
	}
}

func TestAnInterruptedRushFailsAndChecksAllTheSame(t *testing.T) {
	t.Parallel()
	_, url := newShop(t, 5000)
	c := small(url)
	c.Fans, c.Think = 50, 50*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := Run(ctx, c, func(p Progress) {
		if p.Orders > 0 {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.OK() || !s.Interrupted {
		t.Errorf("an interrupted rush is OK: %+v", s.Verdict)
	}
	if len(s.Lost) > 0 || len(s.Oversold) > 0 {
		t.Errorf("lost %v, oversold %v", s.Lost, s.Oversold)
	}
}
