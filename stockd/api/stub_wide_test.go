package api

import (
	"context"
	"time"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// HoldWide takes all legs at once, or none: here nothing can come between.
func (n *stubNode) HoldWide(_ context.Context, hold stock.WideHold, legs []stock.Command, ttl, maxTTL time.Duration) (stock.Answer, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if before, seen := n.replays[[2]uuid.UUID{hold.Request.Scope, hold.Request.Key}]; seen {
		if before.Fingerprint != hold.Request.Fingerprint {
			return stock.Answer{Code: stock.CodeKeyReused}, nil
		}
		return stock.Answer{Code: stock.CodeReplay}, nil
	}
	now := n.now().UnixMilli()
	n.wideQuotas = hold.Quotas
	view := stock.HoldView{ID: hold.ID, Event: hold.Event, State: stock.Held, Deadline: now + ttl.Milliseconds(), MaxExpires: now + max(ttl, maxTTL).Milliseconds()}
	for i, cmd := range legs {
		cmd.Try = 1
		seg := n.segments[soldKey{cmd.Event, cmd.Segment}]
		effect := seg.Apply(cmd, now)
		a := n.settle(seg, effect, now)
		if effect.Op != nil {
			for _, q := range effect.Op.Quotas {
				n.standFor[q.Seat] = q.Key
			}
		}
		if a.Code != stock.CodeOK {
			n.free(legs[:i], now)
			return a, nil
		}
		view.Seats = append(view.Seats, a.Hold.Seats...)
	}
	n.wides[hold.ID] = view
	n.replays[[2]uuid.UUID{hold.Request.Scope, hold.Request.Key}] = Replay{Found: true, Fingerprint: hold.Request.Fingerprint, Hold: hold.ID}
	return stock.Answer{Code: stock.CodeOK, Hold: &view}, nil
}

func (n *stubNode) free(legs []stock.Command, now int64) {
	for _, cmd := range legs {
		cmd.Kind = stock.KindUnleg
		seg := n.segments[soldKey{cmd.Event, cmd.Segment}]
		n.settle(seg, seg.Apply(cmd, now), now)
	}
}

func (n *stubNode) ExtendWide(_ context.Context, view stock.HoldView, _ stock.Request, ttl time.Duration) (stock.Answer, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	view.Deadline = min(n.now().Add(ttl).UnixMilli(), view.MaxExpires)
	n.wides[view.ID] = view
	return stock.Answer{Code: stock.CodeOK, Hold: &view}, nil
}

func (n *stubNode) EndWide(_ context.Context, view stock.HoldView, _ stock.Request) (stock.Answer, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var legs []stock.Command
	for _, no := range view.Segments() {
		legs = append(legs, stock.Command{Event: view.Event, Segment: no, Hold: view.ID})
	}
	n.free(legs, n.now().UnixMilli())
	delete(n.wides, view.ID)
	return stock.Answer{Code: stock.CodeOK}, nil
}
