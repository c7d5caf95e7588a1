package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// TestShadowHoldsNobodyBack: the room decides, counts and logs as if, gives places, and fills its slots; the site answers all the same.
func TestShadowHoldsNobodyBack(t *testing.T) {
	e := newEdge(t)
	log := e.dir + "/access.log"
	e.mustLoad("", "log {\n output file "+log+"\n}\n"+strings.Replace(shop, "max_active 3", "max_active 1\n\t\tmode shadow", 1))
	fans := []*fan{e.fan(), e.fan(), e.fan()}
	for i, f := range fans {
		a := f.navigate("/buy/")
		if a.StatusCode != 200 || a.text != "the shop" || f.cookie("wr_demo_place") == "" {
			t.Fatalf("visitor %d: %d %q", i, a.StatusCode, a.text)
		}
		if c := a.Header.Get("Cache-Control"); !strings.Contains(c, "private") {
			t.Errorf("an answer with a place may be cached: %q", c)
		}
		if a := f.get("/buy/"); a.StatusCode != 200 || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("visitor %d: %d %v", i, a.StatusCode, a.Header)
		}
	}
	if a := e.fan().do("POST", "/buy/", "{}"); a.StatusCode == http.StatusForbidden {
		t.Error("a POST without a place is held back")
	}
	e.until("one of them would be inside, and the others would wait", func() bool {
		for _, f := range fans {
			f.navigate("/buy/")
		}
		r := e.ops("GET", "/waiting_room/rooms/demo", "").json(t)
		return r["joined"] == 3.0 && r["inside"] == 1.0
	})
	metrics := e.ops("GET", "/metrics", "").text
	for _, want := range []string{"shadow_queued", "shadow_admitted", "shadow_refused"} {
		if !strings.Contains(metrics, `decision="`+want+`",room="demo"`) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if text := read(t, log); !strings.Contains(text, `"waiting_room":"demo","waiting_room_decision":"shadow_queued"`) {
		t.Errorf("the access log does not say what was decided: %s", text)
	}
	e.mustLoad("", strings.Replace(shop, "max_active 3", "max_active 1", 1))
	if a := e.fan().navigate("/buy/"); a.StatusCode != http.StatusAccepted {
		t.Errorf("enforced after a reload: %d", a.StatusCode)
	}
}

// TestPassthroughByConfiguration lets everybody through; the room's own endpoints answer.
func TestPassthroughByConfiguration(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", strings.Replace(shop, "max_active 3", "mode passthrough", 1))
	f := e.fan()
	if a := f.navigate("/buy/"); a.StatusCode != 200 || a.text != "the shop" || f.cookie("wr_demo_place") != "" {
		t.Errorf("a navigation: %d %q", a.StatusCode, a.text)
	}
	if a := f.navigate("/.wr/v1/demo/page"); a.StatusCode != http.StatusAccepted {
		t.Errorf("the page: %d", a.StatusCode)
	}
	if a := f.join(); a.StatusCode != 200 {
		t.Errorf("a join: %d %s", a.StatusCode, a.text)
	}
}

// TestPassthroughByOpsIsKept over a reload, a restart and a new edition, until ops enforce again; also where nobody was let in before.
func TestPassthroughByOpsIsKept(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	const base = "/waiting_room/rooms/demo"
	through := func(when string, want bool) {
		t.Helper()
		a := e.fan().navigate("/buy/")
		if passed := a.StatusCode == 200 && a.text == "the shop"; passed != want {
			t.Errorf("%s: %d %q", when, a.StatusCode, a.text)
		}
		if r := e.ops("GET", base, "").json(t); r["passthrough"] != want {
			t.Errorf("%s: ops see %v", when, r)
		}
		if doc := e.fan().get("/.wr/v1/demo/frontier").json(t); (doc["passthrough"] == true) != want {
			t.Errorf("%s: the page sees %v", when, doc["passthrough"])
		}
	}
	through("at first", false)
	if a := e.ops("POST", base+"/passthrough", `{"reason":"the bank is down"}`); a.StatusCode != 200 {
		t.Fatalf("passthrough: %d %s", a.StatusCode, a.text)
	}
	through("passthrough", true)
	e.ops("POST", base+"/pause", "")
	through("paused as well", true)
	e.ops("POST", base+"/edition", "")
	through("a new edition", true)
	e.mustLoad("", strings.Replace(shop, "max_active 3", "max_active 4", 1))
	through("after a reload", true)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	e.mustLoad("", shop)
	through("after a restart", true)
	if a := e.ops("POST", base+"/enforce", `{"reason":"it is back"}`); a.StatusCode != 200 || a.json(t)["passthrough"] != false {
		t.Errorf("enforce: %d %s", a.StatusCode, a.text)
	}
	if a := e.fan().navigate("/buy/"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("enforced and paused: %d", a.StatusCode)
	}
	e.ops("POST", base+"/resume", "")
	through("enforced", false)
}

// TestTheGateHoldsNobodyBackInPassthrough: a hold reaches stockd, which checks passes itself.
func TestTheGateHoldsNobodyBackInPassthrough(t *testing.T) {
	for mode, status := range map[string]int{"enforce": 403, "shadow": 418, "passthrough": 418} {
		e := newEdge(t) // a reload would cut the connection that the next POST goes over
		text, err := e.adapt(strings.Replace(globals, "%s", "", 1) + "HTTP {\n" + strings.Replace(shop, "max_active 3", "mode "+mode, 1) + "\nrespond /v1/* 418\n}\n")
		if err != nil {
			t.Fatal(err)
		}
		const answer = `{"handler":"static_response","status_code":418}`
		if err := loadConfig([]byte(strings.Replace(string(text), answer, `{"handler":"stockd_gate"},`+answer, 1))); err != nil {
			t.Fatal(err)
		}
		e.kept()
		if a := e.fan().do("POST", "/v1/events/arena/holds", "{}"); a.StatusCode != status {
			t.Errorf("%s: %d %s", mode, a.StatusCode, a.text)
		}
	}
}

// TestBypassedRequestsNeverMeetTheRoom, by a matcher's name, by a path and by a block.
func TestBypassedRequestsNeverMeetTheRoom(t *testing.T) {
	e := newEdge(t)
	e.write("site/buy/status.txt", "up")
	e.mustLoad("", "@staff header X-Staff yes\n"+strings.Replace(shop, "max_active 3", `max_active 3
		bypass @staff
		bypass /buy/status.txt
		bypass {
			query from=partner
			header X-Partner *
		}`, 1)+"\nrespond /buy/seen `{header.Cookie}|{header.X-Wr-Tid}`\n")
	f := e.fan()
	f.join()
	for name, c := range map[string]struct {
		path   string
		header []string
		status int
	}{
		"by name":         {"/buy/", []string{"X-Staff", "yes"}, 200},
		"by path":         {"/buy/status.txt", nil, 200},
		"by block":        {"/buy/?from=partner", []string{"X-Partner", "7"}, 200},
		"half of a block": {"/buy/?from=partner", nil, 429},
		"the other half":  {"/buy/", []string{"X-Partner", "7"}, 429},
		"nothing":         {"/buy/", nil, 429},
		"the endpoints":   {"/.wr/v1/demo/place", []string{"X-Staff", "yes"}, 200},
	} {
		a := f.do("GET", c.path, "", c.header...)
		if a.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.text)
		}
	}
	if a := f.do("GET", "/buy/seen", "", "X-Staff", "yes", "X-Wr-Tid", "forged"); a.StatusCode != 200 || strings.Contains(a.text, "_place=") || strings.Contains(a.text, "forged") {
		t.Errorf("the site sees %d %s", a.StatusCode, a.text)
	}
	if !strings.Contains(e.ops("GET", "/metrics", "").text, `decision="bypassed",room="demo"`) {
		t.Error("bypassed requests are not counted")
	}
}
