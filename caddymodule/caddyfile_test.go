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
