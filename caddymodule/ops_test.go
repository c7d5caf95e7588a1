package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ticketrush/pass"
	"ticketrush/room/openlog"
)

func TestAdminAPI(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	f := e.fan()
	f.enter()
	const base = "/waiting_room/rooms/demo"
	if a := e.ops("POST", base+"/pause", `{"reason":"the stage is not ready"}`); a.StatusCode != 200 || a.json(t)["state"] != "paused" {
		t.Errorf("pause: %d %s", a.StatusCode, a.text)
	}
	g := e.fan()
	if a := g.get("/buy/"); a.StatusCode != 503 || a.json(t)["type"] != "/problems/room-paused" || a.Header.Get("Retry-After") == "" {
		t.Errorf("an API client of a paused room: %d %s", a.StatusCode, a.text)
	}
	if a := g.navigate("/buy/"); a.StatusCode != 503 {
		t.Errorf("a navigation to a paused room: %d", a.StatusCode)
	}
	if a := f.get("/buy/"); a.StatusCode != 200 {
		t.Errorf("somebody inside a paused room: %d", a.StatusCode)
	}
	if a := e.ops("POST", base+"/resume", ""); a.StatusCode != 200 || a.json(t)["state"] != "open" {
		t.Errorf("resume: %d %s", a.StatusCode, a.text)
	}
	if a := e.ops("POST", base+"/rate", `{"rate":12.5,"max_active":9}`); a.json(t)["rate"] != 12.5 || a.json(t)["max_active"] != 9.0 {
		t.Errorf("rate: %s", a.text)
	}
	if a := e.ops("POST", base+"/frontier", `{"open":5}`); a.StatusCode != 200 {
		t.Errorf("frontier: %d %s", a.StatusCode, a.text)
	}
	if a := e.ops("POST", base+"/edition", `{}`); a.json(t)["edition"] != 2.0 || a.json(t)["inside"] != 0.0 {
		t.Errorf("edition: %s", a.text)
	}
	if a := f.get("/buy/"); a.StatusCode != 429 {
		t.Errorf("a pass of the old edition: %d", a.StatusCode)
	}
	if a := f.claim(); a.StatusCode != 401 {
		t.Errorf("a claim with a place of the old edition: %d %s", a.StatusCode, a.text)
	}
	f.enter()
	if a := e.ops("POST", base+"/end", ""); a.json(t)["state"] != "ended" {
		t.Errorf("end: %s", a.text)
	}
	if a := e.fan().get("/buy/"); a.StatusCode != 403 || a.json(t)["type"] != "/problems/room-ended" {
		t.Errorf("after the end: %d %s", a.StatusCode, a.text)
	}
	if a := e.ops("GET", "/waiting_room/rooms", ""); !strings.Contains(a.text, `"room":"demo"`) {
		t.Errorf("list: %s", a.text)
	}
	for path, status := range map[string]int{base + "/rate": 400, base + "/frontier": 400, base + "/dance": 404, "/waiting_room/rooms/none/pause": 404} {
		if a := e.ops("POST", path, "{}"); a.StatusCode != status {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.text)
		}
	}
	for body, says := range map[string]string{
		`{"rate":-3}`:               "rate -3: must be over 0",
		`{"speed":3}`:               `the body: unknown field "speed"`,
		`{`:                         "the body: the JSON ends too early",
		`{"rate":5}{"rate":6}`:      "there is more",
		`[]`:                        "one JSON object is wanted, not a JSON array",
		`{"rate":"fast"}`:           `"rate" is wanted as a number, not as a JSON string`,
		`{"open":-1}`:               `"open" is wanted as a whole number from 0 to 18446744073709551615, not as a JSON number -1`,
		`{"uses":300}`:              `"uses" is wanted as a whole number from 0 to 255, not as a JSON number 300`,
		`{"reason":{"why":"fire"}}`: `"reason" is wanted as text, not as a JSON object`,
	} {
		if a := e.ops("POST", base+"/rate", body); a.StatusCode != 400 || !strings.Contains(a.json(t)["error"].(string), says) {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.text)
		}
	}
}

func TestTheSiteCommands(t *testing.T) {
	e := newEdge(t)
	var command atomic.Value
	command.Store("")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := command.Load().(string); c != "" {
			w.Header().Set("Wr-Command", c)
			w.Header().Set("Wr-Pressure", "0.5")
		}
		fmt.Fprint(w, "ok")
	}))
	defer site.Close()
	e.mustLoad("", `
	waiting_room demo {
		protect /buy/*
		rate 200
		pass 1m
		grace 1s
	}
	reverse_proxy `+strings.TrimPrefix(site.URL, "http://"))
	f := e.fan()
	before := f.enter()["pass"]
	command.Store("extend=600")
	extended := time.Now()
	a := f.get("/buy/")
	if a.StatusCode != 200 || a.Header.Get("Wr-Command") != "" || a.Header.Get("Wr-Pressure") != "" {
		t.Errorf("the visitor sees %d %v", a.StatusCode, a.Header)
	}
	if a := e.fan().get("/"); a.Header.Get("Wr-Command") != "" {
		t.Error("a command is shown to somebody outside")
	}
	command.Store("")
	after := f.claim().json(t)
	if left := after["expires_in_s"].(float64); after["pass"] == before || left > 600 || left+time.Since(extended).Seconds() < 598 {
		t.Errorf("extended: %v", after)
	}
	command.Store("dance")
	if a := f.get("/buy/"); a.StatusCode != 200 {
		t.Errorf("an unknown command: %d", a.StatusCode)
	}
	command.Store("release")
	f.get("/buy/")
	command.Store("")
	if a := f.get("/buy/"); a.StatusCode != 429 || f.cookie("wr_demo_pass") != "" {
		t.Errorf("released: %d", a.StatusCode)
	}
	g := e.fan()
	g.enter()
	command.Store("revoke")
	g.get("/buy/")
	command.Store("")
	if a := g.claim(); a.StatusCode != 403 || a.json(t)["type"] != "/problems/admission-revoked" {
		t.Errorf("revoked: %d %s", a.StatusCode, a.text)
	}
	if n := (logFiles{e: e}).verify(openlog.KindBan, openlog.Options{}).Kinds[openlog.KindBan]; n != 1 {
		t.Errorf("the log has %d bans", n)
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	for path, needs := range map[string]bool{
		"/v1/events/arena/holds": true, "/v1/events/arena/waitlist": true, "/v1//events/arena/./holds/": true, "/V1/events/arena/Holds": true,
		"/v1/webhooks/sandbox": false, "/v1/orders/ord_1/payments": false, "/v1/holds/hold_1/order": false, "/v1/events/arena/checkins": false,
	} {
		r := httptest.NewRequest("POST", path, nil)
		if got := needsPass(r); got != needs {
			t.Errorf("POST %s: %v", path, got)
		}
		r.Header.Set("Authorization", "Bearer key")
		if needsPass(r) {
			t.Errorf("POST %s with an API key needs a pass", path)
		}
		if needsPass(httptest.NewRequest("GET", path, nil)) {
			t.Errorf("GET %s needs a pass", path)
		}
	}
}

func TestStockCounts(t *testing.T) {
	e := newEdge(t)
	var asked atomic.Int64
	var broken atomic.Bool
	stockd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch {
		case broken.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case !strings.Contains(r.URL.Path, "arena"):
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"event":"arena","totals":{"free":123}}`)
		}
	}))
	defer stockd.Close()
	keep := func(life string) {
		e.mustLoad("", `
	waiting_room demo {
		protect /buy/*
		event arena
	}
	stock_counts /v1/events/*/availability `+life+`
	reverse_proxy `+strings.TrimPrefix(stockd.URL, "http://"))
	}
	keep("30s")
	f := e.fan()
	const path = "/v1/events/arena/availability"
	for range 20 {
		if a := f.get(path); a.StatusCode != 200 || !strings.Contains(a.text, "123") {
			t.Fatalf("%d %s", a.StatusCode, a.text)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("20 looks cost %d requests", n)
	}
	if a := f.get("/.wr/v1/demo/stock"); a.json(t)["left"] != 123.0 {
		t.Errorf("stock: %s", a.text)
	}
	before := asked.Load()
	f.get("/v1/events/none/availability")
	f.get("/v1/events/none/availability")
	if n := asked.Load() - before; n != 2 {
		t.Errorf("answers about unknown events are kept: %d requests", n)
	}
	broken.Store(true)
	keep("100ms") // the answers are kept over the reload
	e.until("an old answer is marked", func() bool { return f.get(path).Header.Get("Wr-Stale") == "1" })
	if a := f.get("/v1/events/none/availability"); a.StatusCode != 503 {
		t.Errorf("unknown and broken: %d", a.StatusCode)
	}
}

// TestKeys uses a keys file, as stockd does, and refuses to start without one.
func TestKeys(t *testing.T) {
	e := newEdge(t)
	text, err := pass.NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	path := e.write("room.keys", string(text))
	for name, global := range map[string]string{
		"path": "keys DIR/room.keys", "placeholder": "keys {file.DIR/room.keys}",
	} {
		e.mustLoad("waiting_room {\n"+global+"\n}", shop)
		f := e.fan()
		passed := f.enter()["pass"].(string)
		keys, err := pass.LoadKeyring(path)
		if err != nil {
			t.Fatal(err)
		}
		var tok pass.Token
		if err := keys.Verify(passed, pass.Pass, pass.RoomNumber("demo"), time.Now(), &tok); err != nil {
			t.Errorf("%s: a pass does not verify elsewhere: %v", name, err)
		}
		f.do("POST", "/.wr/v1/demo/leave", "{}")
	}
	e.write("empty.keys", "")
	for name, global := range map[string]string{
		"missing file": "keys DIR/none.keys", "missing by placeholder": "keys {file.DIR/none.keys}", "empty": "keys DIR/empty.keys",
		"not a key": "keys DIR/site/index.html", "no variable": "keys {env.TICKETRUSH_NO_SUCH_VARIABLE}",
	} {
		if err := e.load("waiting_room {\n"+global+"\n}", shop); err == nil || !strings.Contains(err.Error(), "waiting_room keys") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if matches, _ := filepath.Glob(filepath.Join(e.dir, "storage/waiting_room/room.keys")); len(matches) > 0 {
		t.Error("a key was made though one is configured")
	}
}
