package rush

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// standing is what the waiting room answers to join, place and claim.
type standing struct {
	State      string `json:"state"`
	Position   int64  `json:"position"`
	WaitS      int64  `json:"wait_s"`
	NextPollMs int64  `json:"next_poll_ms"`
	ExpiresInS int64  `json:"expires_in_s"`
}

// errOver says that the sale has ended for those who wait.
var errOver = errors.New("the sale is over")

// queue joins the line of a room, waits as it is told, and claims the pass.
func (v *visitor) queue(ctx context.Context, room string, over <-chan struct{}) error {
	base := "/.wr/v1/" + room
	joined := time.Now()
	var at standing
	v.tally.arrived(joined)
	in := false
	defer func() {
		if !in {
			v.tally.stopped(time.Now())
		}
	}()
	if _, _, err := v.do(ctx, call{method: http.MethodPost, path: base + "/join", body: struct{}{}, into: &at}); err != nil {
		return err
	}
	for {
		switch at.State {
		case "ended":
			return errOver
		case "eligible", "admitted":
			status, header, err := v.do(ctx, call{method: http.MethodPost, path: base + "/claim", body: struct{}{}, into: &at})
			if err != nil {
				return err
			}
			if status == http.StatusCreated {
				in = true
				now := time.Now()
				v.tally.admitted(now, now.Sub(joined))
				return nil
			}
			if at.NextPollMs == 0 {
				at.NextPollMs = retryAfter(header).Milliseconds()
			}
		}
		if err := v.rest(ctx, max(time.Duration(at.NextPollMs)*time.Millisecond, 100*time.Millisecond), over); err != nil {
			return err
		}
		if at.State == "eligible" || at.State == "admitted" {
			continue // claim again
		}
		if _, _, err := v.do(ctx, call{method: http.MethodGet, path: base + "/place", into: &at}); err != nil {
			return err
		}
	}
}

// rest waits until the next poll. Whoever waits is told when everything is sold.
func (v *visitor) rest(ctx context.Context, d time.Duration, over <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-over:
		return errOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives the pass back, so that the next one may come in.
func (v *visitor) leave(ctx context.Context, room string) {
	_, _, err := v.do(ctx, call{method: http.MethodPost, path: "/.wr/v1/" + room + "/leave", body: struct{}{}})
	if err != nil {
		v.tally.refused(time.Now(), "leave failed")
	}
	v.tally.left(time.Now())
}

// frontier is the part of the public document that the summary needs.
type frontier struct {
	Rate      float64 `json:"rate"`
	Inside    int     `json:"inside"`
	MaxActive int     `json:"max_active"`
	Waiting   int     `json:"waiting"`
	State     string  `json:"state"`
}

func (v *visitor) frontier(ctx context.Context, room string) (f frontier, err error) {
	_, _, err = v.do(ctx, call{method: http.MethodGet, path: "/.wr/v1/" + room + "/frontier", into: &f})
	return f, err
}
