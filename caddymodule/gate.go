package caddymodule

import (
	"net/http"
	"path"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(Gate))
}

// Gate stands between a waiting room and stockd's API. It asks for a pass only where the API needs one: to make a hold, and to enter a waiting
// list. Webhooks, orders, payments, tickets and calls with an API key go through: somebody who pays is never sent back to the room. Where no
// `waiting_room` ran before it, stockd alone decides.
type Gate struct {
	// Open lets everything through; stockd then checks passes by itself.
	Open bool `json:"open,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Gate) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.stockd_gate", New: func() caddy.Module { return new(Gate) }}
}

// ServeHTTP lets a request through, or asks for a pass.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	stripIncoming(r, varsOf(r))
	name, _ := caddyhttp.GetVar(r.Context(), roomVar).(string)
	if g.Open || name == "" || !needsPass(r) {
		return next.ServeHTTP(w, r)
	}
	if _, let := caddyhttp.GetVar(r.Context(), modeVar).(string); let {
		return next.ServeHTTP(w, r) // nobody is held back
	}
	if admitted, _ := caddyhttp.GetVar(r.Context(), admittedVar(name)).(bool); admitted {
		return next.ServeHTTP(w, r)
	}
	metrics.requests.WithLabelValues(name, "refused").Inc()
	problem{
		Type: "/problems/admission-required", Title: "You need to pass the waiting room first", Status: http.StatusForbidden,
		Detail: "Join the line, wait for your turn, claim a pass, and send the request again with it.", Join: "/.wr/v1/" + name + "/join",
	}.write(w)
	return nil
}

// needsPass says whether the API wants a pass: POST /v1/events/{ev}/holds and …/waitlist, unless an API key speaks.
func needsPass(r *http.Request) bool {
	if r.Method != http.MethodPost || strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		return false
	}
	// Cleaned as stockd's own router does, so that a detour of slashes and dots is no way around.
	parts := strings.Split(strings.Trim(path.Clean("/"+strings.ToLower(r.URL.Path)), "/"), "/")
	return len(parts) == 4 && parts[0] == "v1" && parts[1] == "events" && (parts[3] == "holds" || parts[3] == "waitlist")
}

var _ caddyhttp.MiddlewareHandler = (*Gate)(nil)
