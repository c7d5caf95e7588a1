package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

var update = flag.Bool("update", false, "write the golden files of the adaptation anew")

// TestAdapt compares the JSON of each Caddyfile in testdata/adapt: Caddyfile, a line of dashes, JSON.
func TestAdapt(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, want, _ := strings.Cut(string(text), "----------\n")
		out, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", file, warnings, err)
			continue
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, out, "", "\t"); err != nil {
			t.Fatal(err)
		}
		got := strings.TrimSpace(pretty.String()) + "\n"
		if *update {
			if err := os.WriteFile(file, []byte(input+"----------\n"+got), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if got != want {
			t.Errorf("%s: run `go test ./caddymodule -run TestAdapt -update` and look at the difference; got\n%s", file, got)
		}
	}
}

// TestCaddyfileErrors: each names the file, the line, and what to do.
func TestCaddyfileErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"unknown subdirective":   {"localhost\nwaiting_room demo {\n\tprotekt /buy/*\n}", `unrecognized subdirective of waiting_room: "protekt", at Caddyfile:3`},
		"twice":                  {"localhost\nwaiting_room demo {\n\trate 1\n\trate 2\n}", "rate is there twice, at Caddyfile:4"},
		"no name":                {"localhost\nwaiting_room", "needs the name of a room, at Caddyfile:2"},
		"bad name":               {"localhost\nwaiting_room Demo!", `a name is 1 to 32 of a-z, 0-9 and -, at Caddyfile:2`},
		"too many names":         {"localhost\nwaiting_room demo other", `"other" is one too many`},
		"rate of words":          {"localhost\nwaiting_room demo {\n\trate fast\n}", `rate "fast": want a number over 0, at Caddyfile:3`},
		"rate auto":              {"localhost\nwaiting_room demo {\n\trate auto 5\n}", "rate auto 50 400, at Caddyfile:3"},
		"time without zone":      {"localhost\nwaiting_room demo {\n\topens 2026-12-01T10:00:00\n}", "want a time with its zone"},
		"duration":               {"localhost\nwaiting_room demo {\n\tpass 10\n}", `pass "10": want a duration`},
		"lobby":                  {"localhost\nwaiting_room demo {\n\tlobby soon\n}", `lobby "soon": want a duration such as`},
		"every":                  {"localhost\nwaiting_room demo {\n\tevery -1h\n}", `every "-1h": want a duration such as`},
		"latency":                {"localhost\nwaiting_room demo {\n\tlatency 0s\n}", `latency "0s": want a duration such as`},
		"beacon":                 {"localhost\nwaiting_room demo {\n\tbeacon\n}", "beacon takes operator, or drand"},
		"beacon unknown":         {"localhost\nwaiting_room demo {\n\tbeacon dice\n}", "beacon takes operator, or drand"},
		"beacon operator of":     {"localhost\nwaiting_room demo {\n\tbeacon operator x\n}", "beacon takes operator, or drand"},
		"beacon relays":          {"localhost\nwaiting_room demo {\n\tbeacon drand https://api.drand.sh lotto\n}", `beacon drand "lotto": want the URL of a relay, such as https://api.drand.sh, at Caddyfile:3`},
		"beacon relay":           {"localhost\nwaiting_room demo {\n\tbeacon drand api.drand.sh\n}", `beacon drand "api.drand.sh": want the URL of a relay, such as https://api.drand.sh, at Caddyfile:3`},
		"beacon entered URL":     {"localhost\nwaiting_room demo {\n\tbeacon entered https://x\n}", "want the name of a source whose value people enter, not a URL"},
		"beacon entered drand":   {"localhost\nwaiting_room demo {\n\tbeacon entered drand/quicknet\n}", "its value cannot be entered as text"},
		"beacon entered words":   {"localhost\nwaiting_room demo {\n\tbeacon entered lotto of monday\n}", "the source's name in quotes"},
		"slow_share":             {"localhost\nwaiting_room demo {\n\tslow_share 60%\n}", `slow_share "60%": want a percentage over 0% and at most 50%`},
		"slow_share of words":    {"localhost\nwaiting_room demo {\n\tslow_share some\n}", `slow_share "some": want a percentage`},
		"mode":                   {"localhost\nwaiting_room demo {\n\tmode off\n}", `mode "off": want enforce, shadow or passthrough, at Caddyfile:3`},
		"mode twice":             {"localhost\nwaiting_room demo {\n\tmode shadow\n\tmode shadow\n}", "mode is there twice, at Caddyfile:4"},
		"bypass nothing":         {"localhost\nwaiting_room demo {\n\tbypass\n}", "bypass names nothing"},
		"bypass empty block":     {"localhost\nwaiting_room demo {\n\tbypass {\n\t}\n}", "bypass names nothing"},
		"bypass unknown name":    {"localhost\nwaiting_room demo {\n\tbypass @staff\n}", "unrecognized matcher name: @staff"},
		"bypass everybody":       {"localhost\nwaiting_room demo {\n\tbypass *\n}", `bypass "*": want @ and the name of a matcher`},
		"bypass a word":          {"localhost\nwaiting_room demo {\n\tbypass staff\n}", `bypass "staff": want @ and the name of a matcher`},
		"bypass unknown matcher": {"localhost\nwaiting_room demo {\n\tbypass {\n\t\tcolour red\n\t}\n}", "getting matcher module 'colour'"},
		"bypass both":            {"localhost\nwaiting_room demo {\n\tbypass /a {\n\t\tmethod GET\n\t}\n}", "write it twice"},
		"cookie_domain dot":      {"localhost\nwaiting_room demo {\n\tcookie_domain .example.com\n}", "leave the first dot out"},
		"cookie_domain address":  {"localhost\nwaiting_room demo {\n\tcookie_domain 10.0.0.1\n}", "want a domain, such as example.com, not an address"},
		"cookie_domain URL":      {"localhost\nwaiting_room demo {\n\tcookie_domain https://example.com\n}", "want a domain in lower case"},
		"cookie_domain suffix":   {"localhost\nwaiting_room demo {\n\tcookie_domain co.uk\n}", "anybody may have a name below it"},
		"path":                   {"localhost\nwaiting_room demo {\n\tprotect buy\n}", "a path begins with /"},
		"empty argument":         {"localhost\nwaiting_room demo {\n\ttitle \"\"\n}", "may not be empty"},
		"unknown global":         {"{\n\twaiting_room {\n\t\tkey x\n\t}\n}\nlocalhost", `unrecognized subdirective of waiting_room: "key", at Caddyfile:3`},
		"global twice":           {"{\n\twaiting_room\n\twaiting_room\n}\nlocalhost", "is there twice, at Caddyfile:3"},
		"stockd without nodes":   {"{\n\twaiting_room {\n\t\tstockd\n\t}\n}\nlocalhost", "needs the URL of a node"},
		"edge of two":            {"{\n\twaiting_room {\n\t\tedge a b\n\t}\n}\nlocalhost", "edge takes one argument"},
		"stockd node no URL":     {"{\n\twaiting_room {\n\t\tstockd 127.0.0.1:7301\n\t}\n}\nlocalhost", "want a URL"},
		"stock_counts duration":  {"localhost\nstock_counts /v1/*/x 2", `"2" is no duration`},
		"stockd unknown":         {"localhost\nstockd /v1/* {\n\tretries 3\n}", `unrecognized subdirective of stockd: "retries", at Caddyfile:3`},
		"stockd admission":       {"localhost\nstockd /v1/* {\n\tadmission none\n}", "want required or stockd"},
		"admitted without room":  {"localhost\n@in admitted\nrespond @in x", "wrong argument count"},
		"admitted with too much": {"localhost\n@in admitted a b\nrespond @in x", "wrong argument count"},
	} {
		_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(c.text+"\n"), map[string]any{"filename": "Caddyfile"})
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestBadConfigurations adapt, but do not start.
func TestBadConfigurations(t *testing.T) {
	e := newEdge(t)
	for name, c := range map[string]struct{ site, want string }{
		"two settings":   {"waiting_room demo {\n rate 1\n}\n route {\n waiting_room demo {\n rate 2\n}\n}", "configured twice with different settings"},
		"max_active":     {"waiting_room demo {\n max_active 9999999\n}", "max_active 9999999"},
		"pass":           {"waiting_room demo {\n pass 1ms\n}", "pass 1ms"},
		"status":         {"waiting_room demo {\n status 404\n}", "status 404"},
		"return":         {"waiting_room demo {\n return https://evil.example/\n}", "want a path of this site"},
		"lobby alone":    {"waiting_room demo {\n lobby 5m\n}", "lobby 5m0s: needs opens"},
		"lobby":          {"waiting_room demo {\n lobby 1s\n opens 2026-01-01T00:00:00Z\n}", "lobby 1s: must be from 1m to 168h"},
		"every alone":    {"waiting_room demo {\n every 24h\n}", "every 24h0m0s: needs opens, ends and lobby"},
		"latency alone":  {"waiting_room demo {\n latency 1s\n}", "latency 1s: needs rate auto"},
		"page directory": {"waiting_room demo {\n protect /x\n ends 2026-01-01T00:00:00Z\n opens 2026-02-01T00:00:00Z\n}", "must be after opens"},
		"counts":         {"stock_counts 1h", "stock_counts 1h0m0s"},
		"no stockd":      {"stockd /v1/*", "no node is named"},
		"no key":         {"stockd /v1/* http://127.0.0.1:7301", "no key is named"},
		"missing key":    {"stockd /v1/* http://127.0.0.1:7301 {\n key DIR/none.key\n}", "stockd key"},
	} {
		if err := e.load("", c.site); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
