package caddymodule

import (
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"ticketrush/room"
	"ticketrush/room/draw"
)

// drandRelays are the relays that `beacon drand` asks when none is named: drand's own, and one that somebody else runs.
const drandRelays = "https://api.drand.sh https://api2.drand.sh https://drand.cloudflare.com"

// parseBeacon reads `beacon operator`, `beacon drand [<relay>...]` or `beacon entered <name of the source>`.
func (h *Handler) parseBeacon(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	kind, rest := "", []string(nil)
	if len(args) > 0 {
		kind, rest = args[0], args[1:]
	}
	switch {
	case kind == "operator" && len(rest) == 0:
		h.Beacon = ""
	case kind == "drand" && len(rest) == 0:
		h.Beacon = drandRelays
	case kind == "drand":
		for _, relay := range rest {
			if !room.IsRelay(relay) || len(room.Relays(relay)) != 1 {
				return d.Errf("beacon drand %q: want the URL of a relay, such as https://api.drand.sh", relay)
			}
		}
		h.Beacon = strings.Join(rest, " ")
	case kind == "entered" && len(rest) == 1:
		if room.IsRelay(rest[0]) {
			return d.Errf("beacon entered %q: want the name of a source whose value people enter, not a URL", rest[0])
		}
		if err := draw.CheckSource(rest[0]); err != nil {
			return d.Errf("beacon entered: %v", err)
		}
		h.Beacon = rest[0]
	default:
		return d.Err(`beacon takes operator, or drand and perhaps the URLs of relays, or entered and the source's name in quotes: beacon entered "lotto of 2026-12-01"`)
	}
	return nil
}

// parseSlowShare reads `slow_share 5%`.
func (h *Handler) parseSlowShare(d *caddyfile.Dispenser) error {
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(v > 0 && v <= 50) {
		return d.Errf("slow_share %q: want a percentage over 0%% and at most 50%%, such as 5%%", text)
	}
	h.SlowShare = v / 100
	return nil
}

func (h *Handler) parseMode(d *caddyfile.Dispenser) error {
	if err := oneArg(d, &h.Mode); err != nil {
		return err
	}
	if !isMode(h.Mode) {
		return d.Errf("mode %q: want enforce, shadow or passthrough", h.Mode)
	}
	return nil
}

func isMode(mode string) bool {
	return mode == modeEnforce || mode == modeShadow || mode == modePassthrough
}

func (h *Handler) parseCookieDomain(d *caddyfile.Dispenser) error {
	if err := oneArg(d, &h.CookieDomain); err != nil {
		return err
	}
	if err := checkCookieDomain(h.CookieDomain); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// named finds the set of a matcher token: a path, or @name.
type named func(d *caddyfile.Dispenser) (set caddy.ModuleMap, ok bool, err error)

// namedIn gives what a Caddyfile's matcher tokens stand for.
func namedIn(helper httpcaddyfile.Helper) named {
	return func(d *caddyfile.Dispenser) (caddy.ModuleMap, bool, error) {
		return helper.WithDispenser(d).MatcherToken()
	}
}

// parseBypass reads `bypass @name`, `bypass /path`, or a block of matchers that all have to match. It may be there several times.
func (h *Handler) parseBypass(d *caddyfile.Dispenser) error {
	sets := len(h.Bypass)
	for left := d.CountRemainingArgs(); left > 0; left-- {
		if h.named == nil {
			return d.Err("bypass @name or bypass /path: only within a site; use a block of matchers")
		}
		set, ok, err := h.named(d)
		if err != nil {
			return d.Errf("bypass: %v", err)
		}
		if !ok || len(set) == 0 {
			return d.Errf("bypass %q: want @ and the name of a matcher, a path, or a block of matchers; everybody is let through by `mode passthrough`", d.Val())
		}
		h.Bypass = append(h.Bypass, set)
	}
	if len(h.Bypass) > sets {
		if d.NextBlock(d.Nesting()) {
			return d.Err("bypass takes matchers by name, or a block, not both: write it twice")
		}
		return nil
	}
	set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(d)
	if err != nil {
		return d.Errf("bypass: %v", err)
	}
	if len(set) == 0 {
		return d.Err("bypass names nothing: want @ and the name of a matcher, a path, or a block of matchers")
	}
	h.Bypass = append(h.Bypass, set)
	return nil
}
