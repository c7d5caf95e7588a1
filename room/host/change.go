package host

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"ticketrush/room"
)

// Change is an act of ops. Only the members that its action names are looked at.
type Change struct {
	Action    string  `json:"action"`               // pause, resume, passthrough, enforce, rate, frontier, edition, end, beacon, revoke_code
	Reason    string  `json:"reason"`               // kept with the change, and published
	Rate      float64 `json:"rate,omitempty"`       // rate: passes per second; 0 leaves it
	MaxActive int     `json:"max_active,omitempty"` // rate: people inside; 0 leaves it
	Open      uint64  `json:"open,omitempty"`       // frontier: so many more may claim
	Serial    uint32  `json:"serial,omitempty"`     // revoke_code: the code's serial number
	Beacon    string  `json:"beacon,omitempty"`     // beacon: the agreed source's value, after the seal
}

// InvalidChange says what is wrong with a change.
type InvalidChange struct {
	Text    string
	Unknown bool // there is no such action
}

func (e *InvalidChange) Error() string { return e.Text }

func invalid(format string, args ...any) error {
	return &InvalidChange{Text: fmt.Sprintf(format, args...)}
}

// actions that a change may name.
const actions = "pause, resume, passthrough, enforce, rate, frontier, edition, end, beacon, revoke_code"

// Change carries out an act of ops, and waits until it is stored.
func (h *Host) Change(ctx context.Context, c Change) error {
	if c.Reason == "" {
		return invalid(`give a "reason": it is kept with the change, and published`)
	}
	if len(c.Reason) > whyMax {
		return invalid(`"reason" has %d bytes, at most %d`, len(c.Reason), whyMax)
	}
	seq, err := h.act(func(rm *room.Room) error {
		if c.Action == "beacon" {
			return h.enter(c.Beacon)
		}
		return apply(rm, c, h.now())
	})
	if err != nil {
		return err
	}
	h.log.Info("changed by ops", zap.String("action", c.Action), zap.String("reason", c.Reason))
	return h.whenStored(ctx, seq)
}

func apply(rm *room.Room, c Change, now time.Time) error {
	switch c.Action {
	case "pause":
		rm.Pause(now, c.Reason)
	case "resume":
		rm.Resume(now, c.Reason)
	case "passthrough":
		rm.Passthrough(now, c.Reason)
	case "enforce":
		rm.Enforce(now, c.Reason)
	case "end":
		rm.End(now, c.Reason)
	case "edition":
		rm.NewEdition(now, c.Reason)
	case "rate":
		if c.Rate == 0 && c.MaxActive == 0 {
			return invalid(`give "rate" or "max_active"`)
		}
		if err := rm.SetLimits(now, room.Limits{Rate: c.Rate, MaxActive: c.MaxActive}, c.Reason); err != nil {
			return invalid("%v", err)
		}
	case "frontier":
		if c.Open == 0 {
			return invalid(`give "open", the number of people to let claim`)
		}
		rm.OpenPlaces(now, c.Open, c.Reason)
	case "revoke_code":
		if err := rm.RevokeCode(now, c.Serial, c.Reason); err != nil {
			return invalid("%v", err)
		}
	default:
		return &InvalidChange{Text: fmt.Sprintf("no action %q: %s", c.Action, actions), Unknown: true}
	}
	return nil
}
