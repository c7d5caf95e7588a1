package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"ticketrush/pass"
	"ticketrush/room"
)

// FuzzCaddyfile: whatever stands in the block of a room, it is refused with an error that says where, or becomes the same JSON each time, which Caddy can
// read, and whose settings are valid or refused.
func FuzzCaddyfile(f *testing.F) {
	for _, block := range []string{
		"protect /buy/*\nrate 100", "rate auto 20 200\nlatency 800ms", "opens 2026-12-01T10:00:00+01:00\nlobby 30m\nends 2026-12-01T12:00:00+01:00\nevery 168h",
		"beacon drand\nslow_share 2.5%", "beacon entered \"lotto\"\nmode shadow", "bypass @staff /x\nbypass {\nmethod POST\npath /a\n}", "cookie_domain example.com",
		"bypass {\nexpression `{method} == \"GET\"`\n}", "bypass {\nnot {\nremote_ip 10.0.0.0/8\n}\n}", "mode", "bypass {", "rate NaN", "every 1ns", "slow_share 1e-320", "pass 9999999h",
		"bypass `{path}.startsWith(\"/x\")`", "title \"\\\"\"\nplace 1d", "max_active 99999999999999999999", "}",
	} {
		f.Add(block)
	}
	adapter := caddyconfig.GetAdapter("caddyfile")
	f.Fuzz(func(t *testing.T, block string) {
		if strings.Contains(block, "import") || len(block) > 4<<10 {
			t.Skip() // that reads other files
		}
		text := []byte("example.com {\n@staff header X-Staff yes\nwaiting_room demo {\n" + block + "\n}\n}\n")
		out, _, err := adapter.Adapt(text, map[string]any{"filename": "Caddyfile"})
		if err != nil {
			// What stands behind a brace that closes the block is not the room's; of a heredoc Caddy itself says the line.
			if !strings.ContainsAny(block, "}") && !strings.Contains(err.Error(), "Caddyfile:") && !strings.Contains(err.Error(), " on line #") {
				t.Errorf("%q: the error does not say where: %v", block, err)
			}
			return
		}
		if again, _, err := adapter.Adapt(text, map[string]any{"filename": "Caddyfile"}); err != nil || !bytes.Equal(out, again) {
			t.Errorf("%q becomes another thing the second time: %v", block, err)
		}
		for _, h := range roomsIn(t, out) {
			if set, _ := h.settings(); set.Validate() == nil {
				if _, err := room.New(set, epoch); err != nil {
					t.Errorf("%q: settings that are valid make no room: %v", block, err)
				}
			}
			_ = h.Validate()
		}
	})
}

// roomsIn finds the waiting rooms of a configuration.
func roomsIn(t *testing.T, config []byte) (all []*Handler) {
	t.Helper()
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if v["handler"] != "waiting_room" {
				for _, x := range v {
					walk(x)
				}
				return
			}
			delete(v, "handler")
			text, _ := json.Marshal(v)
			h := new(Handler)
			if err := caddy.StrictUnmarshalJSON(text, h); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			all = append(all, h)
		}
	}
	walk(tree)
	return all
}

// FuzzAdmin: whatever ops send, it is carried out, or answered with 4xx and what is wrong, and then nothing has changed.
func FuzzAdmin(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "demo/pause", `{"reason":"x"}`}, {"POST", "demo/resume", ""}, {"POST", "demo/rate", `{"rate":1e308}`}, {"POST", "demo/rate", `{"rate":5,"max_active":-1}`},
		{"POST", "demo/passthrough", `{}`}, {"POST", "demo/enforce", `null`}, {"POST", "demo/edition", `[]`}, {"POST", "demo/frontier", `{"open":18446744073709551615}`},
		{"POST", "demo/codes", `{"count":2,"uses":255}`}, {"POST", "demo/codes", `{"count":4294967295}`}, {"POST", "demo/codes", "{}"}, {"POST", "demo/revoke_code", `{"code":"AAAA"}`},
		{"POST", "demo/revoke_code", `{"serial":9}`}, {"POST", "demo/beacon", `{"beacon":"7"}`}, {"POST", "demo/dance", ""}, {"GET", "demo", ""}, {"GET", "", ""}, {"DELETE", "demo", ""},
		{"PUT", "demo/rate", `{"rate":5}`}, {"POST", "none/pause", ""}, {"POST", "demo/pause/again", ""}, {"POST", "demo/", "{"}, {"POST", "demo/rate", `{"rate":5}{"rate":6}`},
		{"POST", "demo/pause", `{"reason":"` + strings.Repeat("x", 5000) + `"}`}, {"POST", "demo/end", `{"reason":"\u0000"}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	text, err := pass.NewKeysFile()
	if err != nil {
		f.Fatal(err)
	}
	keys, err := pass.ParseKeyring(text)
	if err != nil {
		f.Fatal(err)
	}
	value, _, err := keepers.LoadOrNew("demo", func() (caddy.Destructor, error) { return newKeeper("demo", "edge"), nil })
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _, _ = keepers.Delete("demo") })
	k := value.(*keeper)
	k.start(keeping{settings: room.Settings{}.WithDefaults(), storage: &certmagic.FileStorage{Path: f.TempDir()}}, keys, zap.NewNop())
	for !k.describe(f.Context()).Ready {
	}
	admin := new(Admin)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r := httptest.NewRequest("POST", adminBase, strings.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: adminBase + "/" + path}
		before, w := k.describe(t.Context()), httptest.NewRecorder()
		err := admin.one(w, r)
		after := k.describe(t.Context())
		if err == nil {
			if w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %s %q: %d %s", method, path, body, w.Code, w.Body)
			}
			return
		}
		var api caddy.APIError
		if !errors.As(err, &api) || api.HTTPStatus < 400 || api.HTTPStatus > 499 || api.Err.Error() == "" {
			t.Errorf("%s %s %q: %v", method, path, body, err)
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s %s %q is refused, and the room has changed from %+v to %+v", method, path, body, before, after)
		}
	})
}
