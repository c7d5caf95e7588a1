package caddymodule

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"ticketrush/caddymodule/page"
	"ticketrush/room"
	"ticketrush/room/draw"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler puts a waiting room in front of the handlers after it. Visitors with a living pass go through; navigations to a protected path get
// the waiting-room page (202), API clients a problem document (429), other methods without a pass 403. OPTIONS and paths that are not
// protected go through. The room's own endpoints are under `/.wr/v1/{room}/`.
type Handler struct {
	// Room names the room: 1 to 32 of a-z, 0-9 and "-". Sites that name the same room share its line.
	Room string `json:"room"`
	// Protect lists the paths that need a pass, matched as by Caddy's path matcher (`/buy/*` does not match `/buy`). Default: every path.
	Protect caddyhttp.MatchPath `json:"protect,omitempty"`
	// Title is what people read on the page. Default: the room's name.
	Title string `json:"title,omitempty"`
	// Opens is when people are let in (RFC 3339); before it they are in the lobby. Default: at once.
	Opens *time.Time `json:"opens,omitempty"`
	// Lobby is how long before Opens the lobby opens; nobody can join before it does. Needs Opens. Default: from the start.
	Lobby caddy.Duration `json:"lobby,omitempty"`
	// Beacon is the public source whose value is part of the lobby's draw: the URLs of relays of drand, such as `https://api.drand.sh`, with a space between two, or the name of a
	// source whose value ops enter by the admin API once the list is sealed. Default: none; the draw rests on the room's secret, to which it
	// commits before anybody joins.
	Beacon string `json:"beacon,omitempty"`
	// Ends is when the sale is over (RFC 3339). Default: never by itself.
	Ends *time.Time `json:"ends,omitempty"`
	// Every repeats Opens, Lobby and Ends, which it needs: `24h`, `168h`. Each time is an edition of its own: places and passes of the one before
	// are void when its lobby opens. Default: once.
	Every caddy.Duration `json:"every,omitempty"`
	// Rate is how many people are let in per second. Set it to what the site can bear. Default: 50.
	Rate float64 `json:"rate,omitempty"`
	// RateMin and RateMax, when set, let the rate move between them: up while people wait, down while the site's `Wr-Pressure` is 0.8 or more, or
	// Latency is exceeded.
	RateMin float64 `json:"rate_min,omitempty"`
	RateMax float64 `json:"rate_max,omitempty"`
	// Latency is what 99 of 100 answers to admitted visitors should take at most, from the request to the answer's headers, over the last 5 s. While
	// they take longer the rate goes down. Needs RateMin and RateMax. Default: not looked at.
	Latency caddy.Duration `json:"latency,omitempty"`
	// SlowShare of what is opened goes to the slow lane while somebody waits there, from 0 to 0.5. Default: 0.05.
	SlowShare float64 `json:"slow_share,omitempty"`
	// MaxActive is the most people inside at once. Default: 1000.
	MaxActive int `json:"max_active,omitempty"`
	// Pass is the life of a pass and of each renewal. Default: 10m.
	Pass caddy.Duration `json:"pass,omitempty"`
	// Stay bounds how long somebody may stay by renewing. Default: no bound.
	Stay caddy.Duration `json:"stay,omitempty"`
	// Grace is how long the slot of a pass that ended, or was left, stays taken: for requests that are still under way. Default: 5s.
	Grace caddy.Duration `json:"grace,omitempty"`
	// Place is the life of a place in the line, when the room has no end. Default: 24h.
	Place caddy.Duration `json:"place,omitempty"`
	// Status is what a queued navigation is answered with: 200, 202, 429 or 503. Default: 202.
	Status int `json:"status,omitempty"`
	// PageDir has files that replace those of the page: page.html, brand.css, logo.svg, locales. Default: the page as shipped.
	PageDir string `json:"page_dir,omitempty"`
	// Event is the event whose remaining tickets the page shows, as `stock_counts` learns them. Default: none.
	Event string `json:"event,omitempty"`
	// Return is where a pass leads when the visitor came without a path in mind. Default: the first protected path.
	Return string `json:"return,omitempty"`
	// Mode is what becomes of those whose turn it is not. `enforce`: they wait. `shadow`: nobody waits, but everything is decided, counted and logged
	// as if, with places for navigations; to see what a room would do. `passthrough`: nobody waits, and nothing is decided; the room's endpoints
	// answer. Ops can let everybody through without a reload, by the admin API. Default: `enforce`.
	Mode string `json:"mode,omitempty"`
	// Bypass are requests that never meet the room: sets of request matchers, of which one has to match. They get no pass, so a site or an API that asks
	// for one still does. Default: none.
	Bypass caddyhttp.RawMatcherSets `json:"bypass,omitempty" caddy:"namespace=http.matchers"`
	// CookieDomain makes places and passes those of a domain and all hosts below it, so that a sale may go over several: cookies are named `__Secure-wr_…`
	// with this Domain, instead of `__Host-wr_…`. Every host below can read and set them, so all of them have to be trusted. Requests to other
	// hosts are answered with 421. Default: the host alone.
	CookieDomain string `json:"cookie_domain,omitempty"`

	named  named // matchers by name; nil outside of a Caddyfile's site
	bypass caddyhttp.MatcherSets
	base   string // "/.wr/v1/‹room›"
	names  cookieNames
	app    *App
	use    *roomUse
	keeper *keeper
	page   *page.Page
	log    *zap.Logger
	cross  *http.CrossOriginProtection
	lines  *cookieLines

	// Made once, for what each request of somebody inside costs.
	admitted    prometheus.Counter
	roomName    any    // Room
	admittedVar string // admittedVar(Room)
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.waiting_room", New: func() caddy.Module { return new(Handler) }}
}

var roomName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Provision joins the room of the app.
func (h *Handler) Provision(ctx caddy.Context) error {
	if !roomName.MatchString(h.Room) {
		return fmt.Errorf("waiting_room %q: a name is 1 to 32 of a-z, 0-9 and -", h.Room)
	}
	h.admitted, h.roomName, h.admittedVar = metrics.requests.WithLabelValues(h.Room, "admitted"), h.Room, admittedVar(h.Room)
	h.log, h.base, h.names = ctx.Logger(), "/.wr/v1/"+h.Room, namesOf(h.Room, h.CookieDomain)
	h.cross, h.lines = http.NewCrossOriginProtection(), newCookieLines()
	if len(h.Protect) == 0 {
		h.Protect = caddyhttp.MatchPath{"/*"}
	}
	if err := h.Protect.Provision(ctx); err != nil {
		return err
	}
	if h.Return == "" {
		h.Return = strings.TrimRight(h.Protect[0], "*")
	}
	if h.Status == 0 {
		h.Status = http.StatusAccepted
	}
	if h.Place == 0 {
		h.Place = caddy.Duration(24 * time.Hour)
	}
	if h.Mode == "" {
		h.Mode = modeEnforce
	}
	if err := h.provisionBypass(ctx); err != nil {
		return fmt.Errorf("waiting_room %s: bypass: %w", h.Room, err)
	}
	var err error
	if h.page, err = page.New(h.PageDir, draw.VerifyScript); err != nil {
		return fmt.Errorf("waiting_room %s: the page: %w", h.Room, err)
	}
	set, given := h.settings()
	if err := set.Validate(); err != nil {
		return fmt.Errorf("waiting_room %s: %w", h.Room, err)
	}
	app, err := ctx.App("waiting_room")
	if err != nil {
		return err
	}
	h.app = app.(*App)
	if h.use, err = h.app.use(h.Room, set, h.Event, given); err != nil {
		return err
	}
	h.keeper = h.use.keeper
	if h.CookieDomain != "" {
		h.use.names = h.names
	}
	return nil
}

// settings gives what concerns the room itself, and whether the configuration says anything about that.
func (h *Handler) settings() (set room.Settings, given bool) {
	set = room.Settings{
		Rate: h.Rate, RateMin: h.RateMin, RateMax: h.RateMax, Auto: h.RateMin != 0 || h.RateMax != 0, MaxActive: h.MaxActive,
		PassLife: time.Duration(h.Pass), StayMax: time.Duration(h.Stay), Grace: time.Duration(h.Grace),
		Lobby: time.Duration(h.Lobby), Beacon: h.Beacon, Every: time.Duration(h.Every), Latency: time.Duration(h.Latency), SlowShare: h.SlowShare,
	}
	if h.Opens != nil {
		set.OpensAt = h.Opens.UTC()
	}
	if h.Ends != nil {
		set.EndsAt = h.Ends.UTC()
	}
	given = set != room.Settings{} || h.Event != ""
	return set.WithDefaults(), given
}

// Validate checks what the room's settings do not.
func (h *Handler) Validate() error {
	switch h.Status {
	case 200, 202, 429, 503:
	default:
		return fmt.Errorf("waiting_room %s: status %d: want 200, 202, 429 or 503", h.Room, h.Status)
	}
	if !isMode(h.Mode) {
		return fmt.Errorf("waiting_room %s: mode %q: want enforce, shadow or passthrough", h.Room, h.Mode)
	}
	if h.CookieDomain != "" {
		if err := checkCookieDomain(h.CookieDomain); err != nil {
			return fmt.Errorf("waiting_room %s: %w", h.Room, err)
		}
	}
	if time.Duration(h.Place) < time.Minute || time.Duration(h.Place) > 30*24*time.Hour {
		return fmt.Errorf("waiting_room %s: place %v: want 1m to 720h", h.Room, time.Duration(h.Place))
	}
	if h.Return != localPath(h.Return) {
		return fmt.Errorf("waiting_room %s: return %q: want a path of this site", h.Room, h.Return)
	}
	return nil
}

// ServeHTTP decides, then acts. What is not granted by a living pass is refused.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	vars := varsOf(r)
	stripIncoming(r, vars)
	if rest, ok := strings.CutPrefix(r.URL.Path, h.base); ok && strings.HasPrefix(rest, "/") {
		if !h.foreign(w, r) {
			h.serveEndpoint(w, r, rest[1:])
		}
		return nil
	}
	if bypasses, err := h.bypasses(r); err != nil || bypasses {
		if err != nil {
			return err
		}
		h.decided(r, "bypassed")
		h.hideCookies(r)
		return next.ServeHTTP(w, r)
	}
	v := h.admission(r)
	vars[roomVar] = h.roomName
	if v.pass != "" {
		if v.renewed != nil {
			h.setPass(w, r, v, *v.renewed)
		}
		h.admitted.Inc()
		return h.forward(w, r, next, v, vars)
	}
	vars["waiting_room.state"] = "none"
	h.readPlace(r, &v)
	mode := h.present()
	if mode != modeEnforce {
		vars[modeVar] = mode
	}
	cookies := h.hideCookies(r)
	protected, err := h.Protect.MatchWithError(r)
	if err != nil {
		return err
	}
	if r.Method == http.MethodOptions || !protected {
		return next.ServeHTTP(newSiteWriter(w, r, h, v), r)
	}
	if mode != modeEnforce {
		return h.letPass(w, r, next, v, mode)
	}
	if h.foreign(w, r) {
		return nil
	}
	if cookies != nil {
		r.Header["Cookie"] = cookies
	}
	h.keepWaiting(w, r, v)
	return nil
}

func (h *Handler) count(decision string) { metrics.requests.WithLabelValues(h.Room, decision).Inc() }

// forward lets an admitted visitor through, and listens to what the site says about them.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, v visit, vars map[string]any) error {
	h.introduce(r, &v, vars)
	site := newSiteWriter(w, r, h, v)
	defer h.timed(site)()
	return next.ServeHTTP(site, r)
}

// introduce tells the site who comes in, and hides from it what only the room has to know.
func (h *Handler) introduce(r *http.Request, v *visit, vars map[string]any) {
	if v.line.tid == nil {
		v.line.finish(h, r, v)
		h.lines.keep(v.line)
	}
	v.line.tell(h, r, vars)
}

// notReady is the answer while the room's log is not read, or cannot be written.
func (h *Handler) notReady(w http.ResponseWriter) {
	w.Header().Set("Wr-State", "paused")
	problem{
		Type: "/problems/room-not-ready", Title: "The waiting room is starting", Status: http.StatusServiceUnavailable,
		Detail: "Nobody is let in for the moment. Your place is kept; ask again.", NextPollMs: 2000,
	}.write(w)
}

// roomVar is the request variable that names the last room that the request went through.
const roomVar = "waiting_room.room"

// varsOf gives the variables of a request. Caddy's servers make them; elsewhere nobody reads them.
func varsOf(r *http.Request) map[string]any {
	if vars, ok := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any); ok {
		return vars
	}
	return map[string]any{}
}

// stripIncoming removes headers that only the edge may set, unless the request went through a room, so that a second one does not undo the first one's.
func stripIncoming(r *http.Request, vars map[string]any) {
	if vars[roomVar] != nil {
		return
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Wr-") || strings.HasPrefix(name, "X-Stockd-") {
			delete(r.Header, name)
		}
	}
}

func admittedVar(name string) string { return "waiting_room.admitted." + name }

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
