package rooms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/room"
	"ticketrush/room/host"
)

var errNotReady = host.ErrNotReady

// withRoom answers for a room that runs here. When none does it is about to, or there is none.
func withRoom(serve serveFunc) serveFunc {
	return func(r *Rooms, w http.ResponseWriter, a *ask) {
		if a.room != nil && (a.room.host.Load() != nil || a.verb == "") {
			serve(r, w, a)
			return
		}
		if a.room == nil {
			switch _, err := r.node.Ledger().RoomByName(a.Context(), a.name); {
			case errors.Is(err, ledger.ErrNotFound):
				refuse(w, client.ErrNoRoom)
				return
			case err == nil:
				r.look()
			}
		}
		again(w)
	}
}

// answer tells what came of a call that may be repeated.
func answer(w http.ResponseWriter, v any, err error) {
	switch {
	case err == nil:
		say(w, http.StatusOK, v)
	case errors.Is(err, errNotReady):
		again(w)
	default:
		refuse(w, err)
	}
}

// owner is the room's host; withRoom has seen one, but it may have ended since.
func (a *ask) owner() (host.Owner, error) {
	if h := a.room.host.Load(); h != nil {
		return h, nil
	}
	return nil, errNotReady
}

func (r *Rooms) serveState(w http.ResponseWriter, a *ask) { say(w, http.StatusOK, a.room.state()) }

// serveSync is the one answer that may come from memory alone: so it is given only while the ledger confirms this node.
func (r *Rooms) serveSync(w http.ResponseWriter, a *ask) {
	var report room.Report
	err := a.read(&report)
	var out *room.Answer
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err == nil {
			out, err = h.Sync(a.Context(), &report)
		}
	}
	r.metrics.syncs.WithLabelValues(a.name, resultOf(err)).Inc()
	if now, served := r.tenancyOf(a.name, a.part); err == nil && (!served || now != a.room) {
		err = errNotReady
	}
	var text []byte
	if err == nil {
		a.room.heard(&report)
		text, err = client.EncodeSynced(out)
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	write(w, http.StatusOK, "application/octet-stream", text)
}

func (r *Rooms) serveClaim(w http.ResponseWriter, a *ask) {
	var in client.RoomClaim
	var out host.Claimed
	err := a.read(&in)
	if err == nil {
		wait := min(max(time.Duration(in.WaitMs)*time.Millisecond, 0), client.RoomWaitMax)
		var h host.Owner
		if h, err = a.owner(); err == nil {
			// The room answers by then; the host may not live so long.
			ctx, cancel := context.WithTimeout(a.Context(), wait+claimSpare)
			defer cancel()
			out, err = h.Claim(ctx, room.Claim{Tid: in.Tid, Rank: in.Rank, Until: r.node.Now().Add(wait), Handed: in.Handed})
		}
	}
	result := resultOf(err)
	switch {
	case err != nil:
	case out.Moved != 0:
		result = "moved"
	case !out.Granted:
		result = "not-yet"
	}
	r.metrics.calls.WithLabelValues(a.name, "claim", result).Inc()
	answer(w, out, err)
}

// claimSpare is how long after its end a claim may be decided: a tick and a commit.
const claimSpare = 500 * time.Millisecond

func (r *Rooms) serveRenew(w http.ResponseWriter, a *ask) {
	var in client.RoomRenew
	var out room.Session
	err := a.read(&in)
	if err == nil && in.LifeMs < 0 {
		err = fmt.Errorf("%w: a life of %d ms", client.ErrRoomRequest, in.LifeMs)
	}
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err == nil {
			out, err = h.Renew(a.Context(), in.Tid, in.Renewal, time.Duration(in.LifeMs)*time.Millisecond)
		}
	}
	r.metrics.calls.WithLabelValues(a.name, "renew", resultOf(err)).Inc()
	answer(w, out, err)
}

func (r *Rooms) serveLeave(w http.ResponseWriter, a *ask) {
	var in client.RoomLeave
	err := a.read(&in)
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err == nil {
			err = h.Leave(a.Context(), in.Tid)
		}
	}
	r.metrics.calls.WithLabelValues(a.name, "leave", resultOf(err)).Inc()
	answer(w, nil, err)
}

func (r *Rooms) serveBan(w http.ResponseWriter, a *ask) {
	var in client.RoomBan
	err := a.read(&in)
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err == nil {
			err = h.Ban(a.Context(), in.Tid, time.UnixMilli(in.Until))
		}
	}
	r.metrics.calls.WithLabelValues(a.name, "ban", resultOf(err)).Inc()
	answer(w, nil, err)
}

// resultOf is what metrics call an outcome.
func resultOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, errNotReady), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "not-ready"
	}
	return "refused"
}
