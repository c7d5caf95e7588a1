package rush

import (
	"context"
	"time"
)

// Progress is what a display shows while the rush runs.
type Progress struct {
	Phase                                        string // rush, check
	After                                        time.Duration
	Fans, Arrived, Waiting, Inside, Admitted     int
	Holds, Orders, PaidSeats, IssuedSeats        int
	Refusals, Errors, Requests                   int
	AdmittedPerS, HoldsPerS, SoldPerS, RequestsS int
	Capacity, Free, Held                         int // Free and Held are -1 until they are known
	Checked, ToCheck                             int
}

// displayEvery is how often the display is told.
const displayEvery = 250 * time.Millisecond

// display tells show how the rush goes, until ctx ends.
func (t *tally) display(ctx context.Context, show func(Progress), s *Summary) {
	if show == nil {
		return
	}
	tick := time.NewTicker(displayEvery)
	defer tick.Stop()
	requests, since := 0, t.start
	perSecond := 0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			snap := t.snapshot(now)
			if passed := now.Sub(since); passed >= time.Second {
				perSecond = int(float64(snap.Requests-requests) / passed.Seconds())
				requests, since = snap.Requests, now
			}
			p := snap.progress(s)
			p.RequestsS = perSecond
			show(p)
		}
	}
}

func (n snapshot) progress(s *Summary) Progress {
	return Progress{
		Phase: "rush", After: n.after, Fans: s.Config.Fans, Arrived: n.Arrived, Waiting: n.Waiting, Inside: n.Inside, Admitted: n.Admitted,
		Holds: n.Holds, Orders: n.Orders, PaidSeats: n.PaidSeats, IssuedSeats: n.IssuedSeats, Refusals: n.refusals, Errors: n.errors, Requests: n.Requests,
		AdmittedPerS: n.row.Admitted, HoldsPerS: n.row.Holds, SoldPerS: n.row.Sold, Capacity: s.Event.Capacity, Free: n.row.Free, Held: n.row.Held,
	}
}
