package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"ticketrush/room"
	"ticketrush/room/host"
)

func init() {
	caddy.RegisterModule(new(Admin))
}

// Admin is the waiting rooms' part of Caddy's admin API. What it changes is stored before it answers, and holds over restarts and reloads:
// a rate or max_active stays until the Caddyfile's own value for it changes. Where stockd owns the room every call goes to it, and any edge may be asked.
//
//	GET  /waiting_room/rooms               all rooms
//	GET  /waiting_room/rooms/{room}          its state, who owns it, and what is wrong
//	POST /waiting_room/rooms/{room}/pause    {"reason":"…"}
//	POST /waiting_room/rooms/{room}/resume   {"reason":"…"}
//	POST /waiting_room/rooms/{room}/passthrough {"reason":"…"}                           holds nobody back
//	POST /waiting_room/rooms/{room}/enforce  {"reason":"…"}                              ends that; the configuration's mode holds again
//	POST /waiting_room/rooms/{room}/rate     {"rate":80,"max_active":500,"reason":"…"}   a member left out stays
//	POST /waiting_room/rooms/{room}/frontier {"open":50,"reason":"…"}                    lets 50 more claim
//	POST /waiting_room/rooms/{room}/edition  {"reason":"…"}                              voids every place and pass
//	POST /waiting_room/rooms/{room}/beacon   {"beacon":"…","reason":"…"}                 the draw's public value, once the list is sealed
//	POST /waiting_room/rooms/{room}/codes    {"count":100,"uses":1,"reason":"…"}         answers with that many access codes
//	POST /waiting_room/rooms/{room}/revoke_code {"code":"…","reason":"…"}                the code opens no more places
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
	Edge      string            `json:"edge"`  // this edge's name
	Owner     string            `json:"owner"` // who decides: edge (this one) or stockd
	Ready     bool              `json:"ready"`
	Error     string            `json:"error,omitempty"`
	DrawWaits string            `json:"draw_waits,omitempty"` // for what the draw of the lobby waits; of a room at stockd its owner says it
	State     room.Phase        `json:"state,omitempty"`
	Through   bool              `json:"passthrough"` // by ops: nobody is held back
	Edition   uint16            `json:"edition,omitempty"`
	Rate      float64           `json:"rate"`
	ShowRate  float64           `json:"show_rate"`
	Inside    int               `json:"inside"`
	MaxActive int               `json:"max_active"`
	Waiting   uint64            `json:"waiting"`
	Joined    uint64            `json:"joined"`
	Granted   uint64            `json:"granted"`
	Lobby     uint64            `json:"lobby"`
	Frontier  map[string]string `json:"frontier,omitempty"`
}

// describePatience bounds how long ops wait for the owner's last word; beyond, they see the one before.
const describePatience = time.Second

func (k *keeper) describe(ctx context.Context) roomJSON {
	ctx, cancel := context.WithTimeout(ctx, describePatience)
	defer cancel()
	k.refresh(ctx)
	out := roomJSON{Room: k.name, Edge: k.named, Owner: "edge"}
	k.mu.RLock()
	owner, failed, d := k.owner, k.failed, k.edge.Document()
	k.mu.RUnlock()
	if owner != nil && !owner.here() {
		out.Owner = "stockd"
	}
	if owner != nil {
		if why := owner.describe(); why != nil {
			failed = why
		}
	}
	out.Ready = failed == nil && d != nil
	if failed != nil {
		out.Error = failed.Error()
	}
	if d == nil {
		return out
	}
	out.State, out.Edition, out.Rate, out.ShowRate, out.Inside, out.MaxActive = d.Phase, d.Edition, d.Rate, d.ShowRate, d.Inside, d.MaxActive
	out.Through, out.DrawWaits = d.Through, k.drawWaits()
	out.Waiting, out.Joined, out.Granted, out.Lobby = d.Waiting, d.Joined, d.Granted, d.Lobby
	out.Frontier = map[string]string{"main": fmt.Sprint(d.Frontier[room.GroupMain]), "slow": fmt.Sprint(d.Frontier[room.GroupSlow])}
	return out
}

func (a *Admin) list(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return adminError(http.StatusMethodNotAllowed, "use GET")
	}
	rooms := []roomJSON{}
	keepers.Range(func(_, value any) bool {
		rooms = append(rooms, value.(*keeper).describe(r.Context()))
		return true
	})
	slices.SortFunc(rooms, func(a, b roomJSON) int { return strings.Compare(a.Room, b.Room) })
	writeJSON(w, http.StatusOK, map[string]any{"rooms": rooms})
	return nil
}

// misread says in words of the body what encoding/json says in words of Go.
func misread(err error) string {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the JSON ends too early"
	case !errors.As(err, &wrong):
		return strings.TrimPrefix(err.Error(), "json: ")
	case wrong.Field == "":
		return "one JSON object is wanted, not a JSON " + wrong.Value
	}
	want := "text"
	switch wrong.Type.Kind() {
	case reflect.Bool:
		want = "true or false"
	case reflect.Float32, reflect.Float64, reflect.Int, reflect.Int64:
		want = "a number"
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		want = fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<wrong.Type.Bits()-1)
	}
	return fmt.Sprintf("%q is wanted as %s, not as a JSON %s", wrong.Field[strings.LastIndex(wrong.Field, ".")+1:], want, wrong.Value)
}

// roomChange is the body of an admin call.
type roomChange struct {
	host.Change
	Count uint32 `json:"count"` // codes: how many
	Uses  uint8  `json:"uses"`  // codes: how often each may be used; 1 when left out
	Code  string `json:"code"`  // revoke_code
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
		writeJSON(w, http.StatusOK, k.describe(r.Context()))
		return nil
	}
	if r.Method != http.MethodPost {
		return adminError(http.StatusMethodNotAllowed, "use POST")
	}
	var c roomChange
	if r.ContentLength != 0 {
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyMax))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			return adminError(http.StatusBadRequest, "the body: %s", misread(err))
		}
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return adminError(http.StatusBadRequest, "the body: one JSON object is wanted, and there is more")
		}
	}
	if c.Action = action; c.Reason == "" {
		c.Reason = "admin API"
	}
	if action == "codes" {
		return k.issueCodes(w, r, c)
	}
	if c.Code != "" {
		if err := k.nameCode(&c); err != nil {
			return err
		}
	}
	if err := k.change(r.Context(), c.Change); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, k.describe(r.Context()))
	return nil
}

// changePatience bounds an admin call.
const changePatience = 10 * time.Second

// change carries out an admin call, and waits until it is stored and this edge knows of it.
func (k *keeper) change(ctx context.Context, c host.Change) error {
	ctx, cancel := context.WithTimeout(ctx, changePatience)
	defer cancel()
	k.mu.RLock()
	owner := k.owner
	k.mu.RUnlock()
	if owner == nil {
		return adminError(http.StatusServiceUnavailable, "the room is not kept here yet")
	}
	if err := owner.Change(ctx, c); err != nil {
		return ownerError(err)
	}
	k.logger().Info("changed by the admin API", zap.String("action", c.Action), zap.String("reason", c.Reason))
	k.refresh(ctx)
	return nil
}

// ownerError turns an owner's error into an answer of the admin API.
func ownerError(err error) error {
	var invalid *host.InvalidChange
	switch {
	case errors.As(err, &invalid) && invalid.Unknown:
		return adminError(http.StatusNotFound, "%v", err)
	case errors.As(err, &invalid):
		return adminError(http.StatusBadRequest, "%v", err)
	}
	return adminError(http.StatusServiceUnavailable, "there is no word that the change is stored: %v; look at the room before you ask for it again", err)
}

func adminError(status int, format string, args ...any) error {
	return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf(format, args...)}
}

var _ caddy.AdminRouter = (*Admin)(nil)
