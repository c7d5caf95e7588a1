package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func init() {
	httpcaddyfile.RegisterDirective("stockd", parseStockd)
	httpcaddyfile.RegisterDirective("stock_counts", parseStockCounts)
	// Both are behind the room and before what the site does by itself; the cache comes before what it keeps.
	httpcaddyfile.RegisterDirectiveOrder("stock_counts", httpcaddyfile.Before, "reverse_proxy")
	httpcaddyfile.RegisterDirectiveOrder("stockd", httpcaddyfile.Before, "reverse_proxy")
}

// parseStockd reads the directive:
//
//	stockd [<matcher>] [<url...>] {
//		key       <path|placeholder>
//		admission required|stockd
//	}
//
// Without URLs the nodes of the global option hold. It becomes a gate and a `reverse_proxy` with the transport "stockd".
func parseStockd(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next()
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	gate, transport := new(Gate), new(StockdTransport)
	h.Next()
	if err := parseStockdBlock(h.Dispenser, gate, transport); err != nil {
		return nil, err
	}
	proxy := reverseproxy.Handler{
		TransportRaw: caddyconfig.JSONModuleObject(transport, "protocol", "stockd", nil),
		// The transport chooses the node; reverse_proxy wants to see one upstream.
		Upstreams: reverseproxy.UpstreamPool{{Dial: "stockd:80"}},
	}
	route := caddyhttp.Route{HandlersRaw: []json.RawMessage{
		caddyconfig.JSONModuleObject(gate, "handler", "stockd_gate", nil),
		caddyconfig.JSONModuleObject(proxy, "handler", "reverse_proxy", nil),
	}}
	if matcher != nil {
		route.MatcherSetsRaw = []caddy.ModuleMap{matcher}
	}
	return []httpcaddyfile.ConfigValue{{Class: "route", Value: route}}, nil
}

func parseStockdBlock(d *caddyfile.Dispenser, gate *Gate, t *StockdTransport) error {
	t.Nodes = d.RemainingArgs()
	seen := once{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := seen.add(d); err != nil {
			return err
		}
		var text string
		name := d.Val()
		switch name {
		case "key", "admission":
		default:
			return d.Errf("unrecognized subdirective of stockd: %q", name)
		}
		if err := oneArg(d, &text); err != nil {
			return err
		}
		switch {
		case name == "key":
			t.Key = text
		case name == "admission" && (text == "required" || text == "stockd"):
			gate.Open = text == "stockd"
		default:
			return d.Errf("admission %q: want required or stockd", text)
		}
	}
	return nil
}

// parseStockCounts makes a route of the directive. Its path is no request matcher that Caddy could take out: the handler needs to know which part
// of it names the event.
func parseStockCounts(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	c := new(StockCounts)
	if err := c.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	route := caddyhttp.Route{HandlersRaw: []json.RawMessage{caddyconfig.JSONModuleObject(c, "handler", "stock_counts", nil)}}
	return []httpcaddyfile.ConfigValue{{Class: "route", Value: route}}, nil
}

// UnmarshalCaddyfile reads the directive; the path may be left out:
//
//	stock_counts [<path with * for the event>] [<how long>]
func (c *StockCounts) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	args := d.RemainingArgs()
	if len(args) > 0 {
		if v, err := caddy.ParseDuration(args[len(args)-1]); err == nil {
			if v <= 0 {
				return d.Errf("stock_counts %q: want a duration such as 2s", args[len(args)-1])
			}
			c.For = caddy.Duration(v)
			args = args[:len(args)-1]
		}
	}
	if len(args) > 1 {
		return d.Errf("stock_counts: %q is no duration such as 2s", args[1])
	}
	if len(args) == 1 {
		c.Paths = caddyhttp.MatchPath(args)
	}
	if d.NextBlock(d.Nesting()) {
		return d.Err("stock_counts has no block")
	}
	return nil
}
