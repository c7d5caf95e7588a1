package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(MatchAdmitted))
}

// MatchAdmitted matches requests with a living pass of a room. The room has to be in the configuration by a `waiting_room` directive.
//
//	@in admitted spring-tour
type MatchAdmitted struct {
	// Room names the room.
	Room string `json:"room,omitempty"`

	app *App
}

// CaddyModule returns the Caddy module information.
func (*MatchAdmitted) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.admitted", New: func() caddy.Module { return new(MatchAdmitted) }}
}

// UnmarshalCaddyfile reads `admitted <room>`.
func (m *MatchAdmitted) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		if m.Room != "" {
			return d.Err("admitted names one room")
		}
		if !d.NextArg() {
			return d.ArgErr()
		}
		m.Room = d.Val()
		if d.NextArg() {
			return d.ArgErr()
		}
		if d.NextBlock(d.Nesting()) {
			return d.Err("admitted has no block")
		}
	}
	return nil
}

// Provision finds the app; the room itself may be provisioned later.
func (m *MatchAdmitted) Provision(ctx caddy.Context) error {
	app, err := ctx.App("waiting_room")
	if err != nil {
		return err
	}
	m.app = app.(*App)
	return nil
}

// MatchWithError says whether the request carries a living pass.
func (m *MatchAdmitted) MatchWithError(r *http.Request) (bool, error) {
	if admitted, _ := caddyhttp.GetVar(r.Context(), admittedVar(m.Room)).(bool); admitted {
		return true, nil
	}
	use := m.app.rooms[m.Room]
	if use == nil {
		return false, nil
	}
	h := Handler{Room: m.Room, names: use.names, keeper: use.keeper}
	return h.visit(r).pass != "", nil
}

var (
	_ caddy.Provisioner                 = (*MatchAdmitted)(nil)
	_ caddyfile.Unmarshaler             = (*MatchAdmitted)(nil)
	_ caddyhttp.RequestMatcherWithError = (*MatchAdmitted)(nil)
)
