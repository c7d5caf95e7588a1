package caddymodule

import (
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("waiting_room", parseApp)
	httpcaddyfile.RegisterHandlerDirective("waiting_room", parseHandler)
	// After redir: redirects to the canonical host come before a cookie that is bound to it, the site's headers hold for the page too, the path is
	// still the client's own, and nothing that costs much has run.
	httpcaddyfile.RegisterDirectiveOrder("waiting_room", httpcaddyfile.After, "redir")
}

// parseApp reads the global option:
//
//	waiting_room {
//		keys <path|placeholder>
//		edge <name>
//		stockd <url...> {
//			key <path|placeholder>
//		}
//	}
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next()
		return nil, d.Err("the global option waiting_room is there twice")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "waiting_room", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile reads the global option; parseApp shows its syntax.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	seen := once{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.add(d); err != nil {
			return err
		}
		switch d.Val() {
		case "keys":
			if err := oneArg(d, &a.Keys); err != nil {
				return err
			}
		case "edge":
			if err := oneArg(d, &a.Edge); err != nil {
				return err
			}
		case "stockd":
			a.Stockd = new(StockdNodes)
			if err := a.Stockd.unmarshal(d); err != nil {
				return err
			}
		default:
			return d.Errf("unrecognized subdirective of waiting_room: %q", d.Val())
		}
	}
	return nil
}

func (n *StockdNodes) unmarshal(d *caddyfile.Dispenser) error {
	n.Nodes = d.RemainingArgs()
	seen := once{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.add(d); err != nil {
			return err
		}
		if d.Val() != "key" {
			return d.Errf("unrecognized subdirective of stockd: %q", d.Val())
		}
		if err := oneArg(d, &n.Key); err != nil {
			return err
		}
	}
	if len(n.Nodes) == 0 {
		return d.Err("stockd needs the URL of a node, for example http://127.0.0.1:7301")
	}
	for _, node := range n.Nodes {
		if !strings.HasPrefix(node, "http://") && !strings.HasPrefix(node, "https://") && !strings.HasPrefix(node, "{") {
			return d.Errf("stockd node %q: want a URL, for example http://127.0.0.1:7301", node)
		}
	}
	return nil
}

// once refuses a subdirective that is given twice.
type once map[string]bool

func (o once) add(d *caddyfile.Dispenser) error {
	if o[d.Val()] {
		return d.Errf("%s is there twice", d.Val())
	}
	o[d.Val()] = true
	return nil
}

// oneArg reads exactly one argument.
func oneArg(d *caddyfile.Dispenser, into *string) error {
	name := d.Val()
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return d.Errf("%s takes one argument, and it may not be empty; got %d", name, len(args))
	}
	*into = args[0]
	return nil
}

func parseHandler(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := &Handler{named: namedIn(h)}
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive:
//
//	waiting_room [<matcher>] <room> {
//		protect    <path...>
//		title      <text>
//		opens      <RFC 3339 time>
//		lobby      <duration>
//		beacon     operator | drand [<relay>...] | entered <source>
//		ends       <RFC 3339 time>
//		every      <duration>
//		rate       <per second> | auto <lowest> <highest>
//		latency    <duration>
//		slow_share <percent>
//		max_active <people>
//		pass       <duration>
//		stay       <duration>
//		grace      <duration>
//		place      <duration>
//		status     200|202|429|503
//		page       <directory>
//		event      <event>
//		return     <path>
//		mode       enforce | shadow | passthrough
//		bypass     <@matcher|path...> | { <matchers> }
//		cookie_domain <domain>
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return d.Err("waiting_room needs the name of a room")
	}
	h.Room = d.Val()
	if !roomName.MatchString(h.Room) {
		return d.Errf("waiting_room %q: a name is 1 to 32 of a-z, 0-9 and -", h.Room)
	}
	if d.NextArg() {
		return d.Errf("waiting_room takes one name; %q is one too many (settings go into a block)", d.Val())
	}
	seen := once{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() == "bypass" {
			delete(seen, "bypass") // each adds a set
		}
		if err := seen.add(d); err != nil {
			return err
		}
		parse, ok := h.subdirectives()[d.Val()]
		if !ok {
			return d.Errf("unrecognized subdirective of waiting_room: %q", d.Val())
		}
		if err := parse(d); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) subdirectives() map[string]func(*caddyfile.Dispenser) error {
	return map[string]func(*caddyfile.Dispenser) error{
		"protect": func(d *caddyfile.Dispenser) error {
			for _, path := range d.RemainingArgs() {
				if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "*") {
					return d.Errf("protect %q: a path begins with /", path)
				}
				h.Protect = append(h.Protect, path)
			}
			if len(h.Protect) == 0 {
				return d.ArgErr()
			}
			return nil
		},
		"rate":          h.parseRate,
		"beacon":        h.parseBeacon,
		"slow_share":    h.parseSlowShare,
		"mode":          h.parseMode,
		"bypass":        h.parseBypass,
		"cookie_domain": h.parseCookieDomain,
		"lobby":         func(d *caddyfile.Dispenser) error { return duration(d, &h.Lobby) },
		"every":         func(d *caddyfile.Dispenser) error { return duration(d, &h.Every) },
		"latency":       func(d *caddyfile.Dispenser) error { return duration(d, &h.Latency) },
		"max_active":    func(d *caddyfile.Dispenser) error { return number(d, &h.MaxActive, strconv.Atoi) },
		"status":        func(d *caddyfile.Dispenser) error { return number(d, &h.Status, strconv.Atoi) },
		"title":         func(d *caddyfile.Dispenser) error { return oneArg(d, &h.Title) },
		"page":          func(d *caddyfile.Dispenser) error { return oneArg(d, &h.PageDir) },
		"event":         func(d *caddyfile.Dispenser) error { return oneArg(d, &h.Event) },
		"return":        func(d *caddyfile.Dispenser) error { return oneArg(d, &h.Return) },
		"opens":         func(d *caddyfile.Dispenser) error { return moment(d, &h.Opens) },
		"ends":          func(d *caddyfile.Dispenser) error { return moment(d, &h.Ends) },
		"pass":          func(d *caddyfile.Dispenser) error { return duration(d, &h.Pass) },
		"stay":          func(d *caddyfile.Dispenser) error { return duration(d, &h.Stay) },
		"grace":         func(d *caddyfile.Dispenser) error { return duration(d, &h.Grace) },
		"place":         func(d *caddyfile.Dispenser) error { return duration(d, &h.Place) },
	}
}

func (h *Handler) parseRate(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	into := []*float64{&h.Rate}
	if len(args) > 0 && args[0] == "auto" {
		args, into = args[1:], []*float64{&h.RateMin, &h.RateMax}
	}
	if len(args) != len(into) {
		return d.Err("rate takes a number per second, or auto and two of them: rate 100, rate auto 50 400")
	}
	for i, text := range args {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v > 0) {
			return d.Errf("rate %q: want a number over 0", text)
		}
		*into[i] = v
	}
	return nil
}

func number[V comparable](d *caddyfile.Dispenser, into *V, parse func(string) (V, error)) error {
	var text string
	name := d.Val()
	if err := oneArg(d, &text); err != nil {
		return err
	}
	v, err := parse(text)
	var zero V
	if err != nil || v == zero {
		return d.Errf("%s %q: want a number over 0", name, text)
	}
	*into = v
	return nil
}

func duration(d *caddyfile.Dispenser, into *caddy.Duration) error {
	var text string
	name := d.Val()
	if err := oneArg(d, &text); err != nil {
		return err
	}
	v, err := caddy.ParseDuration(text)
	if err != nil || v <= 0 {
		return d.Errf("%s %q: want a duration such as 90s, 10m or 2h", name, text)
	}
	*into = caddy.Duration(v)
	return nil
}

func moment(d *caddyfile.Dispenser, into **time.Time) error {
	var text string
	name := d.Val()
	if err := oneArg(d, &text); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return d.Errf("%s %q: want a time with its zone, such as 2026-12-01T10:00:00+01:00", name, text)
	}
	*into = &at
	return nil
}
