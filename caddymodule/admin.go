package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"ticketrush/room"
)

func init() {
	caddy.RegisterModule(new(Admin))
}

// Admin is the waiting rooms' part of Caddy's admin API. What it changes is stored before it answers, and holds over restarts and reloads:
// a rate or max_active stays until the Caddyfile's own value for it changes.
//
//	GET  /waiting_room/rooms               all rooms
//	GET  /waiting_room/rooms/{room}
//	POST /waiting_room/rooms/{room}/pause    {"reason":"…"}
//	POST /waiting_room/rooms/{room}/resume   {"reason":"…"}
//	POST /waiting_room/rooms/{room}/rate     {"rate":80,"max_active":500,"reason":"…"}   a member left out stays
//	POST /waiting_room/rooms/{room}/frontier {"open":50,"reason":"…"}                    lets 50 more claim
//	POST /waiting_room/rooms/{room}/edition  {"reason":"…"}                              voids every place and pass
//	POST /waiting_room/rooms/{room}/end      {"reason":"…"}                              nobody is let in any more
type Admin struct{}

// CaddyModule returns the Caddy module information.
func (*Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.waiting_room", New: func() caddy.Module { return new(Admin) }}
}

const adminBase = "/waiting_room/rooms"

// Routes returns the routes.
func (a *Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: adminBase, Handler: caddy.AdminHandlerFunc(a.list)},
		{Pattern: adminBase + "/", Handler: caddy.AdminHandlerFunc(a.one)},
	}
}

// roomJSON is a room as ops see it.
type roomJSON struct {
	Room      string            `json:"room"`
	Ready     bool              `json:"ready"`
	Error     string            `json:"error,omitempty"`
	State     room.Phase        `json:"state,omitempty"`
	Edition   uint16            `json:"edition,omitempty"`
	Rate      float64           `json:"rate"`
	ShowRate  float64           `json:"show_rate"`
	Inside    int               `json:"inside"`
	MaxActive int               `json:"max_active"`
	Waiting   uint64            `json:"waiting"`
	Joined    uint64            `json:"joined"`
	Granted   uint64            `json:"granted"`
	Frontier  map[string]string `json:"frontier,omitempty"`
}

func (k *keeper) describe(now time.Time) roomJSON {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := roomJSON{Room: k.name, Ready: k.room != nil && k.failed == nil}
	if k.failed != nil {
		out.Error = k.failed.Error()
	}
	if k.room == nil {
		return out
	}
	d := k.room.Document(now)
	out.State, out.Edition, out.Rate, out.ShowRate, out.Inside, out.MaxActive = d.Phase, d.Edition, d.Rate, d.ShowRate, d.Inside, d.MaxActive
	out.Waiting, out.Joined, out.Granted = d.Waiting, d.Joined, d.Granted
	out.Frontier = map[string]string{"main": fmt.Sprint(d.Frontier[room.GroupMain]), "slow": fmt.Sprint(d.Frontier[room.GroupSlow])}
	return out
}

func (a *Admin) list(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return adminError(http.StatusMethodNotAllowed, "use GET")
	}
	rooms := []roomJSON{}
	keepers.Range(func(_, value any) bool {
		rooms = append(rooms, value.(*keeper).describe(time.Now()))
		return true
	})
	slices.SortFunc(rooms, func(a, b roomJSON) int { return strings.Compare(a.Room, b.Room) })
	writeJSON(w, http.StatusOK, map[string]any{"rooms": rooms})
	return nil
}

// change is the body of an admin call.
type change struct {
	Reason    string  `json:"reason"`
	Rate      float64 `json:"rate"`
	MaxActive int     `json:"max_active"`
	Open      uint64  `json:"open"`
}

func (a *Admin) one(w http.ResponseWriter, r *http.Request) error {
	name, action, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, adminBase+"/"), "/")
	var k *keeper
	keepers.Range(func(key, value any) bool {
		if key == name {
			k = value.(*keeper)
		}
		return k == nil
	})
	if k == nil {
		return adminError(http.StatusNotFound, "no room %q here", name)
	}
	if action == "" && r.Method == http.MethodGet {
		writeJSON(w, http.StatusOK, k.describe(time.Now()))
		return nil
	}
	if r.Method != http.MethodPost {
		return adminError(http.StatusMethodNotAllowed, "use POST")
	}
	var c change
	if r.ContentLength != 0 {
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyMax))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			return adminError(http.StatusBadRequest, "the body: %v", err)
		}
	}
	if c.Reason == "" {
		c.Reason = "admin API"
	}
	if err := k.change(r.Context(), action, c); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, k.describe(time.Now()))
	return nil
}

// change carries out an admin call and waits until it is stored.
func (k *keeper) change(ctx context.Context, action string, c change) error {
	rm, err := k.ready()
	if err != nil {
		return adminError(http.StatusServiceUnavailable, "the room is not kept here yet: %v", err)
	}
	refuse := func(status int, format string, args ...any) error {
		k.mu.Unlock()
		return adminError(status, format, args...)
	}
	now := time.Now()
	switch action {
	case "pause":
		rm.Pause(now, c.Reason)
	case "resume":
		rm.Resume(now, c.Reason)
	case "end":
		rm.End(now, c.Reason)
	case "edition":
		rm.NewEdition(now, c.Reason)
	case "rate":
		if c.Rate == 0 && c.MaxActive == 0 {
			return refuse(http.StatusBadRequest, `give "rate" or "max_active"`)
		}
		if err := rm.SetLimits(now, room.Limits{Rate: c.Rate, MaxActive: c.MaxActive}, c.Reason); err != nil {
			return refuse(http.StatusBadRequest, "%v", err)
		}
	case "frontier":
		if c.Open == 0 {
			return refuse(http.StatusBadRequest, `give "open", the number of people to let claim`)
		}
		rm.OpenPlaces(now, c.Open, c.Reason)
	default:
		return refuse(http.StatusNotFound, "no action %q: pause, resume, rate, frontier, edition, end", action)
	}
	k.log.Info("changed by the admin API", zap.String("action", action), zap.String("reason", c.Reason))
	if err := k.whenStored(ctx); err != nil {
		return adminError(http.StatusServiceUnavailable, "the change is not stored yet: %v", err)
	}
	return nil
}

func adminError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

var _ caddy.AdminRouter = (*Admin)(nil)
