package caddymodule

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"ticketrush/pass"
	"ticketrush/room"
)

// What a room does with those whose turn it is not.
const (
	modeEnforce     = "enforce"
	modeShadow      = "shadow"
	modePassthrough = "passthrough"
)

// modeVar is the request variable that says that nobody is held back: modeShadow or modePassthrough. It is not set where the room is enforced.
const modeVar = "waiting_room.mode"

// present gives the mode in force: passthrough by ops holds over what the configuration says.
func (h *Handler) present() string {
	if h.keeper.through.Load() {
		return modePassthrough
	}
	return h.Mode
}

// decided counts what became of a request that was not admitted by its pass, and tells it to placeholders and to the access log.
func (h *Handler) decided(r *http.Request, decision string) {
	h.count(decision)
	caddyhttp.SetVar(r.Context(), "waiting_room.decision", decision)
	if fields, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		fields.Set(zap.String("waiting_room", h.Room))
		fields.Set(zap.String("waiting_room_decision", decision))
	}
}

// letPass lets somebody through without a pass.
func (h *Handler) letPass(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, v visit, mode string) error {
	site := newSiteWriter(w, r, h, v)
	decision := "passed"
	if mode == modeShadow {
		decision = h.rehearse(r, site)
	}
	h.decided(r, decision)
	defer h.timed(site)()
	return next.ServeHTTP(site, r)
}

// rehearse decides as the room would, so that its line, rate and slots are those that it would have; nobody waits for it. What a visitor needs for that,
// a place, is set with the site's answer.
func (h *Handler) rehearse(r *http.Request, site *siteWriter) string {
	v := site.visit
	counts := !isPrefetch(r) && !isEarlyData(r)
	if isNavigation(r) && v.place == "" && counts {
		if fresh, err := h.join(over, randomTid(), pass.NoJS); err == nil {
			v, site.fresh = fresh, &fresh
		}
	}
	switch view := h.look(v); {
	case view.Standing == room.StandingEligible:
		if counts {
			h.keeper.rehearseClaim(h.app.ctx, v)
		}
		return "shadow_admitted"
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return "shadow_refused"
	}
	return "shadow_queued"
}

// over has ended: what is done with it waits for nobody.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// rehearsals bounds the claims of a room in shadow mode that are under way.
const rehearsals = 64

// rehearseClaim takes a slot for somebody whom the room would have let in. Nobody waits for it; it ends with the configuration, or when nobody answers.
func (k *keeper) rehearseClaim(ctx context.Context, v visit) {
	if v.rank == 0 || k.rehearsed.Add(1) > rehearsals {
		k.rehearsed.Add(-1)
		return
	}
	go func() {
		defer k.rehearsed.Add(-1)
		ctx, cancel := context.WithTimeout(ctx, claimWait+ownerPatience)
		defer cancel()
		_, _ = k.ask().Claim(ctx, room.Claim{Tid: v.tid, Rank: v.rank, Until: time.Now().Add(claimWait), Handed: v.handed})
	}()
}

// bypasses says whether a request never meets the room.
func (h *Handler) bypasses(r *http.Request) (bool, error) {
	if len(h.bypass) == 0 {
		return false, nil
	}
	return h.bypass.AnyMatchWithError(r)
}

// provisionBypass loads the matchers of Bypass.
func (h *Handler) provisionBypass(ctx caddy.Context) error {
	if len(h.Bypass) == 0 {
		return nil
	}
	sets, err := ctx.LoadModule(h, "Bypass")
	if err != nil {
		return err
	}
	return h.bypass.FromInterface(sets)
}

// foreign answers a request for a host that the room's cookies do not reach: its visitor would lose their place with each answer.
func (h *Handler) foreign(w http.ResponseWriter, r *http.Request) bool {
	if h.CookieDomain == "" || within(r.Host, h.CookieDomain) {
		return false
	}
	h.decided(r, "wrong_host")
	h.log.Warn("cookie_domain does not cover this host", zap.String("host", r.Host), zap.String("cookie_domain", h.CookieDomain))
	problem{
		Type: "/problems/wrong-host", Title: "The waiting room does not serve this host", Status: http.StatusMisdirectedRequest,
		Detail: "Its cookies are those of " + h.CookieDomain + ". Come by a host of that domain.",
	}.write(w)
	return true
}

// within says whether a host, with or without a port, is the domain or one below it.
func within(host, domain string) bool {
	host = strings.ToLower(strings.TrimSuffix(hostName(host), "."))
	return host == domain || strings.HasSuffix(host, "."+domain)
}
