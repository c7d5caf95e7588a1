package caddymodule

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TestShippedCaddyfile formats, adapts and starts the Caddyfile of the repository, with ports and files of its own.
func TestShippedCaddyfile(t *testing.T) {
	e := newEdge(t)
	c := newNodes(t, 1)
	c.start(0)
	port := freePort(t)
	e.http = fmt.Sprintf("http://127.0.0.1:%d", port)
	for name, value := range map[string]string{
		"HTTP_PORT": fmt.Sprint(port), "HTTPS_PORT": fmt.Sprint(freePort(t)), "CADDY_ADMIN": "unix/" + e.admin,
		"ROOM_KEYS_FILE": e.write("room.keys", string(c.keys)), "INTERNAL_KEY_FILE": e.write("internal.key", nodesKey),
		"SITE": fmt.Sprintf("127.0.0.1:%d", freePort(t)), "STOCKD_NODES": "http://" + c.internal[0],
		"XDG_DATA_HOME": e.dir, "XDG_CONFIG_HOME": e.dir,
	} {
		t.Setenv(name, value)
	}
	text, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if formatted := caddyfile.Format(text); !bytes.Equal(formatted, text) {
		t.Errorf("run `caddy fmt --overwrite Caddyfile`; it should be\n%s", formatted)
	}
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": "Caddyfile"})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v", warnings, err)
	}
	// Not the storage of whoever runs the tests.
	config = bytes.Replace(config, []byte(`{`), fmt.Appendf(nil, `{"storage":{"module":"file_system","root":%q},`, e.dir+"/storage"), 1)
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	// Caddy makes its certificates by the side, and does not wait for them when it stops: they would be written while the folder is removed.
	for _, name := range []string{"localhost", "127.0.0.1"} {
		e.until("the certificate of "+name+" is made", func() bool {
			_, err := os.Stat(filepath.Join(e.dir, "storage/certificates/local", name, name+".json"))
			return err == nil
		})
	}
	f := e.fan()
	e.until("the room is kept", func() bool { return f.get("/.wr/v1/demo/frontier").StatusCode == 200 })
	if a := f.navigate("/buy/"); a.StatusCode != 202 {
		t.Errorf("a protected page: %d", a.StatusCode)
	}
	if a := f.do("POST", "/v1/events/arena/holds", "{}"); a.StatusCode != 403 {
		t.Errorf("a hold without a pass: %d", a.StatusCode)
	}
	f.enter()
	if got := e.ops("GET", "/waiting_room/rooms/demo", "").json(t); got["owner"] != "stockd" {
		t.Errorf("the room: %v", got)
	}
	if a := f.get("/buy/"); a.StatusCode != 502 {
		t.Errorf("inside, with the site away: %d", a.StatusCode)
	}
}
