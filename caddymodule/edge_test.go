package caddymodule

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// shop is a room in front of a plain file server, with no stockd and no global block.
const shop = `
	root DIR/site
	waiting_room demo {
		protect /buy/*
		rate 200
		max_active 3
		pass 1m
		grace 1s
	}
	file_server
`

func TestAloneInFrontOfAFileServer(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	f := e.fan()
	if a := f.navigate("/"); a.StatusCode != 200 || a.text != "the front page" {
		t.Errorf("a page that is not protected: %d %q", a.StatusCode, a.text)
	}
	if a := f.do("OPTIONS", "/buy/", ""); a.StatusCode == http.StatusForbidden || a.StatusCode == http.StatusAccepted {
		t.Errorf("OPTIONS is kept waiting: %d", a.StatusCode)
	}
	a := f.do("POST", "/buy/", "{}")
	if a.StatusCode != 403 || a.json(t)["type"] != "/problems/admission-required" || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("POST without a pass: %d %s", a.StatusCode, a.text)
	}
	a = f.get("/buy/")
	if p := a.json(t); a.StatusCode != 429 || p["type"] != "/problems/queued" || p["join"] != "/.wr/v1/demo/join" || p["next_poll_ms"] == nil || p["rank"] != nil {
		t.Errorf("an API client without a place: %d %s", a.StatusCode, a.text)
	}
	if a.Header.Get("Retry-After") == "" || a.Header.Get("Wr-State") != "new" || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("headers %v", a.Header)
	}
	a = f.join()
	place := a.json(t)
	if a.StatusCode != 200 || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(place["tid"].(string)) || len(place["place"].(string)) != 104 || place["class"] != 2.0 {
		t.Fatalf("join: %d %s", a.StatusCode, a.text)
	}
	if again := f.join().json(t); again["tid"] != place["tid"] || again["rank"] != place["rank"] {
		t.Errorf("a second join gave %v after %v", again, place)
	}
	if f.cookie("wr_demo_place") != place["place"] || f.cookie("wr_demo_pub") != "2."+place["rank"].(string)+"."+place["tid"].(string) {
		t.Error("the cookies of the place are not there")
	}
	passed := f.enter()
	if passed["state"] != "admitted" || passed["return"] != "/buy/" || passed["renewal"] != 0.0 || f.cookie("wr_demo_pass") != passed["pass"] {
		t.Errorf("the pass: %v", passed)
	}
	if a := f.navigate("/buy/"); a.StatusCode != 200 || a.text != "the shop" {
		t.Errorf("inside: %d %q", a.StatusCode, a.text)
	}
	if again := f.claim().json(t); again["pass"] != passed["pass"] {
		t.Error("a second claim gave another pass")
	}
	if a := f.get("/.wr/v1/demo/place"); a.json(t)["state"] != "admitted" {
		t.Errorf("place: %s", a.text)
	}
	renewed := f.do("POST", "/.wr/v1/demo/renew", "{}").json(t)
	if renewed["renewal"] != 1.0 || renewed["pass"] == passed["pass"] {
		t.Errorf("renewed: %v", renewed)
	}
	if a := f.do("POST", "/.wr/v1/demo/leave", ""); a.StatusCode != 204 {
		t.Errorf("leave: %d %s", a.StatusCode, a.text)
	}
	if f.cookie("wr_demo_pass") != "" || f.cookie("wr_demo_place") != "" {
		t.Error("leave left cookies behind")
	}
	f.setCookie("wr_demo_pass", renewed["pass"].(string))
	if a := f.get("/buy/"); a.StatusCode != 429 {
		t.Errorf("a pass that was left: %d", a.StatusCode)
	}
	if a := f.get("/.wr/v1/demo/place"); a.StatusCode != 401 || a.json(t)["type"] != "/problems/no-place" {
		t.Errorf("place after leave: %d %s", a.StatusCode, a.text)
	}
}

func TestNoJavaScript(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	f := e.fan()
	a := f.navigate("/buy/?a=1")
	if a.StatusCode != 202 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || f.cookie("wr_demo_place") == "" {
		t.Fatalf("the first navigation: %d %v", a.StatusCode, a.Header)
	}
	for name, want := range map[string]string{"X-Robots-Tag": "noindex", "Cache-Control": "no-store", "Vary": "Cookie", "Content-Security-Policy": "default-src 'none'"} {
		if got := strings.Join(a.Header.Values(name), ", "); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	// A browser without cookies must not go round in circles, nor use up passes.
	if a := e.fan().navigate("/buy/"); a.StatusCode != 202 {
		t.Errorf("without cookies: %d", a.StatusCode)
	}
	if a := f.do("GET", "/buy/?a=1", "", "Accept", "text/html", "Sec-Purpose", "prefetch"); a.StatusCode != 202 {
		t.Errorf("a prefetch: %d", a.StatusCode)
	}
	e.until("a refresh leads in", func() bool {
		a = f.navigate("/buy/?a=1")
		return a.StatusCode != 202
	})
	if a.StatusCode != 303 || a.Header.Get("Location") != "/buy/?a=1" {
		t.Fatalf("%d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if a := f.navigate("/buy/?a=1"); a.StatusCode != 200 || a.text != "the shop" {
		t.Errorf("inside: %d", a.StatusCode)
	}
	forms := []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"}
	g := e.fan()
	if a := g.do("POST", "/.wr/v1/demo/join", "return=%2Fbuy%2F", forms...); a.StatusCode != 303 || a.Header.Get("Location") != "/buy/" {
		t.Errorf("the form of join: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	if a := g.do("POST", "/.wr/v1/demo/claim", "return=%2F%2Fevil.example%2F", forms...); a.StatusCode != 303 || a.Header.Get("Location") != "/buy/" {
		t.Errorf("a form that leads away: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	if a := g.do("POST", "/.wr/v1/demo/leave", "x=1", forms...); a.StatusCode != 303 || a.Header.Get("Location") != "/.wr/v1/demo/page" {
		t.Errorf("the form of leave: %d %q", a.StatusCode, a.Header.Get("Location"))
	}
	if a := g.navigate("/.wr/v1/demo/page"); a.StatusCode != 202 || !strings.Contains(a.text, "/.wr/v1/demo/join") {
		t.Errorf("the page: %d", a.StatusCode)
	}
}

func TestBadInput(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	f := e.fan()
	f.join()
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		kind                     string
	}{
		{"malformed JSON", "POST", "join", `{"nonce":`, nil, 400, "invalid"},
		{"unknown member", "POST", "join", `{"nonse":"x"}`, nil, 400, "invalid"},
		{"short nonce", "POST", "join", `{"nonce":"x"}`, nil, 400, "invalid"},
		{"large body", "POST", "join", `{"nonce":"` + strings.Repeat("a", 5000) + `"}`, nil, 413, "invalid"},
		{"early data", "POST", "claim", "{}", []string{"Early-Data", "1"}, 425, "too-early"},
		{"another origin", "POST", "join", "{}", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403, "cross-origin"},
		{"wrong method", "GET", "join", "", nil, 405, "method-not-allowed"},
		{"wrong method of frontier", "POST", "frontier", "{}", nil, 405, "method-not-allowed"},
		{"unknown endpoint", "GET", "nothing", "", nil, 404, "not-found"},
		{"unknown asset", "GET", "assets/..%2f..%2fpage.go", "", nil, 404, "not-found"},
		{"renew without a pass", "POST", "renew", "{}", nil, 401, "admission-required"},
	} {
		a := f.do(c.method, "/.wr/v1/demo/"+c.path, c.body, c.header...)
		if a.StatusCode != c.status || a.json(t)["type"] != "/problems/"+c.kind {
			t.Errorf("%s: %d %s", c.name, a.StatusCode, a.text)
		}
	}
	if a := e.fan().claim(); a.StatusCode != 401 || a.json(t)["type"] != "/problems/no-place" {
		t.Errorf("a claim without a place: %d %s", a.StatusCode, a.text)
	}
	nonce := `{"nonce":"` + strings.Repeat("n", 24) + `"}`
	one, two := e.fan().do("POST", "/.wr/v1/demo/join", nonce).json(t), e.fan().do("POST", "/.wr/v1/demo/join", nonce).json(t)
	if one["tid"] != two["tid"] || one["rank"] != two["rank"] {
		t.Errorf("one nonce gave %v and %v", one, two)
	}
}

func TestForgedAndForeignTokens(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", strings.ReplaceAll(shop, "file_server", "waiting_room other {\n protect /other/*\n }\n file_server"))
	f := e.fan()
	good := f.enter()["pass"].(string)
	place := f.cookie("wr_demo_place")
	flipped := []byte(good)
	flipped[50] ^= 1
	for name, text := range map[string]string{
		"forged": string(flipped), "truncated": good[:103], "a place": place, "empty": "", "long": good + "A", "garbage": strings.Repeat("%", 104),
	} {
		g := e.fan()
		g.setCookie("wr_demo_pass", text)
		if a := g.get("/buy/"); a.StatusCode != 429 {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
		if a := g.do("GET", "/buy/", "", "Authorization", "WaitingRoom "+text); text != place && a.StatusCode != 429 {
			t.Errorf("%s by header: %d", name, a.StatusCode)
		}
	}
	g := e.fan()
	g.setCookie("wr_other_pass", good)
	if a := g.get("/other/"); a.StatusCode != 429 {
		t.Errorf("a pass of another room: %d", a.StatusCode)
	}
	if a := e.fan().do("GET", "/buy/", "", "Authorization", "WaitingRoom "+good); a.StatusCode != 200 {
		t.Errorf("a good pass by header: %d", a.StatusCode)
	}
	if a := e.fan().do("GET", "/.wr/v1/demo/place", "", "Authorization", "WaitingRoom "+place); a.StatusCode != 200 {
		t.Errorf("a good place by header: %d", a.StatusCode)
	}
}

func TestFrontierDocument(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	f := e.fan()
	f.enter()
	a := f.get("/.wr/v1/demo/frontier")
	if !strings.Contains(a.Header.Get("Cache-Control"), "s-maxage=1") || len(a.Header.Values("Set-Cookie")) > 0 {
		t.Errorf("headers %v", a.Header)
	}
	var doc struct{ Signature string }
	if err := json.Unmarshal([]byte(a.text), &doc); err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(a.Header.Get("Wr-Frontier-Key"))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(doc.Signature)
	if err != nil {
		t.Fatal(err)
	}
	signed := strings.Replace(a.text, `,"signature":"`+doc.Signature+`"`, "", 1)
	if !ed25519.Verify(key, []byte(signed), signature) {
		t.Error("the signature does not verify")
	}
	m := a.json(t)
	for _, name := range []string{"room", "edition", "state", "opens_at", "frontier", "rate", "inside", "max_active", "waiting", "histogram", "stock", "poll", "now", "as_of_ms"} {
		if _, ok := m[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	if b := f.do("GET", "/.wr/v1/demo/frontier", "", "If-None-Match", a.Header.Get("Etag")); b.StatusCode != 304 && b.Header.Get("Etag") == a.Header.Get("Etag") {
		t.Errorf("the same document again: %d", b.StatusCode)
	}
}

func TestHeadersOfTheClientAreStripped(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", `
	waiting_room demo {
		protect /buy/*
	}
	respond "tid={header.X-Wr-Tid} pass={header.X-Wr-Pass} direct={header.X-Stockd-Direct} cookie={header.Cookie} state={http.vars.waiting_room.state}"
`)
	lies := []string{"X-Wr-Tid", "lie", "X-Wr-Pass", "lie", "X-Stockd-Direct", "lie", "Cookie", "a=1; wr_demo_place=x; b=2"}
	if a := e.fan().do("GET", "/", "", lies...); a.text != "tid= pass= direct= cookie=a=1; b=2 state=none" {
		t.Errorf("outside: %q", a.text)
	}
	f := e.fan()
	passed := f.enter()
	tid := f.get("/.wr/v1/demo/place").json(t)["tid"].(string)
	if a := f.do("GET", "/buy/", "", lies[:6]...); !strings.HasPrefix(a.text, "tid="+tid+" pass="+passed["pass"].(string)+" direct= cookie=wr_demo_pub=") || !strings.HasSuffix(a.text, " state=admitted") {
		t.Errorf("inside: %q", a.text)
	}
}

func TestAdmittedMatcher(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", `
	@in admitted demo
	handle @in {
		waiting_room demo
		respond "in"
	}
	handle {
		waiting_room demo {
			protect /buy/*
		}
		respond "out"
	}
`)
	f := e.fan()
	if a := f.get("/"); a.text != "out" {
		t.Errorf("outside: %q", a.text)
	}
	f.enter()
	if a := f.get("/"); a.text != "in" {
		t.Errorf("inside: %q", a.text)
	}
}

// TestStream reads two documents of the stream, and sees it end with a reload.
func TestStream(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	resp, err := http.Get(e.http + "/.wr/v1/demo/frontier/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v", resp.Header)
	}
	events, retry := 0, false
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "event: frontier") {
			events++
		}
		retry = retry || strings.HasPrefix(lines.Text(), "retry: ")
		if events == 2 {
			events++
			e.mustLoad("", shop)
		}
	}
	if events < 3 || !retry {
		t.Errorf("%d events, told when to come back: %v", events, retry)
	}
}
