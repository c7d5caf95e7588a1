package caddymodule

import (
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// TestOneRoomOverSeveralHosts: a place that was got at one host counts at the other, and a host outside is told so.
func TestOneRoomOverSeveralHosts(t *testing.T) {
	e := newEdge(t)
	port := e.http[strings.LastIndex(e.http, ":"):]
	hosts := "http://www.shop.localhost" + port + ", http://tickets.shop.localhost" + port + ", http://shop.localhost" + port + ", http://other.localhost" + port
	site := strings.Replace(shop, "max_active 3", "max_active 3\n\t\tcookie_domain shop.localhost", 1)
	text, err := e.adapt(strings.Replace(globals, "%s", "", 1) + hosts + " {\n" + site + "\n}\nHTTP {\n waiting_room demo\n}\n")
	if err == nil {
		err = loadConfig(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	e.kept()
	jar, _ := cookiejar.New(nil)
	// Names below localhost are this machine's everywhere but in Go's resolver.
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1"+port)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	at := func(host string) *fan {
		return &fan{&edge{t: t, http: "http://" + host + port}, client}
	}
	www, tickets, bare, other := at("www.shop.localhost"), at("tickets.shop.localhost"), at("shop.localhost"), at("other.localhost")
	place := www.join()
	if c := strings.Join(place.Header.Values("Set-Cookie"), "\n"); strings.Count(c, "Domain=shop.localhost") != 2 {
		t.Errorf("cookies of a place: %s", c)
	}
	www.enter()
	for _, f := range []*fan{www, tickets, bare} {
		if a := f.get("/buy/"); a.StatusCode != 200 {
			t.Errorf("%s: %d %s", f.http, a.StatusCode, a.text)
		}
		if a := f.get("/.wr/v1/demo/place"); a.json(t)["tid"] != place.json(t)["tid"] {
			t.Errorf("%s: %s", f.http, a.text)
		}
	}
	for _, path := range []string{"/buy/", "/.wr/v1/demo/place"} {
		if a := other.get(path); a.StatusCode != http.StatusMisdirectedRequest || a.json(t)["type"] != "/problems/wrong-host" {
			t.Errorf("a host outside: %d %s", a.StatusCode, a.text)
		}
	}
	if a := other.get("/"); a.StatusCode != 200 {
		t.Errorf("an open path of a host outside: %d", a.StatusCode)
	}
	if a := tickets.do("POST", "/.wr/v1/demo/leave", "{}"); a.StatusCode != 204 {
		t.Errorf("leave: %d %s", a.StatusCode, a.text)
	}
	if www.cookie("wr_demo_pass") != "" || www.cookie("wr_demo_place") != "" {
		t.Error("leave at one host left cookies at the other")
	}
}

// TestSecureCookieNames: a browser takes "__Host-" without a Domain only, and "__Secure-" with one.
func TestSecureCookieNames(t *testing.T) {
	t.Parallel()
	if n := namesOf("demo", ""); n.securePlace != "__Host-wr_demo_place" || n.securePass != "__Host-wr_demo_pass" {
		t.Errorf("%+v", n)
	}
	if n := namesOf("demo", "example.com"); n.securePlace != "__Secure-wr_demo_place" || n.securePass != "__Secure-wr_demo_pass" {
		t.Errorf("%+v", n)
	}
	for host, want := range map[string]bool{
		"example.com": true, "www.example.com:443": true, "WWW.Example.Com.": true, "example.com.evil.org": false, "myexample.com": false, "": false,
		"127.0.0.1": false, "[::1]:80": false,
	} {
		if within(host, "example.com") != want {
			t.Errorf("%q within example.com: %v", host, !want)
		}
	}
}

// TestJSONIsCheckedAsTheCaddyfileIs: what no Caddyfile can say is refused when it comes as JSON.
func TestJSONIsCheckedAsTheCaddyfileIs(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]Handler{`mode "off"`: {Mode: "off"}, `cookie_domain "com"`: {Mode: modeShadow, CookieDomain: "com"}} {
		h.Room, h.Status, h.Place, h.Return = "demo", 202, caddy.Duration(time.Hour), "/"
		if err := h.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
