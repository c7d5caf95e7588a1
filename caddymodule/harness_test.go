package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// edge is a real Caddy in this process, with a configuration of its own. There is one at a time: tests that use it are not parallel.
type edge struct {
	t     testing.TB
	dir   string // storage and files
	http  string // http://127.0.0.1:port
	admin string // path of the admin socket
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// newEdge prepares a Caddy whose site is a plain file server; the test starts it by load.
func newEdge(t testing.TB) *edge {
	t.Helper()
	e := &edge{t: t, dir: t.TempDir(), http: fmt.Sprintf("http://127.0.0.1:%d", freePort(t))}
	e.admin = filepath.Join(e.dir, "admin.sock")
	e.write("site/index.html", "the front page")
	e.write("site/buy/index.html", "the shop")
	t.Cleanup(func() { _ = caddy.Stop() })
	return e
}

func (e *edge) write(name, text string) string {
	e.t.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return path
}

// adapt turns a Caddyfile with the marks HTTP, DIR and ADMIN into JSON.
func (e *edge) adapt(text string) ([]byte, error) {
	text = strings.NewReplacer("HTTP", e.http, "DIR", e.dir, "ADMIN", "unix/"+e.admin).Replace(text)
	out, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	for _, w := range warnings {
		if !strings.Contains(w.Message, "not formatted") {
			e.t.Logf("warning: %v", w)
		}
	}
	return out, err
}

func loadConfig(text []byte) error { return caddy.Load(text, true) }

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const globals = `{
	admin ADMIN
	persist_config off
	storage file_system DIR/storage
	grace_period 1s
	log {
		level ERROR
	}
	%s
}
`

// load starts Caddy, or reloads it, with a room named demo in front of the file server.
func (e *edge) load(global, site string) error {
	e.t.Helper()
	text, err := e.adapt(fmt.Sprintf(globals, global) + "HTTP {\n" + site + "\n}\n")
	if err != nil {
		return err
	}
	return caddy.Load(text, true)
}

func (e *edge) mustLoad(global, site string) {
	e.t.Helper()
	if err := e.load(global, site); err != nil {
		e.t.Fatal(err)
	}
	for _, room := range roomsOf.FindAllStringSubmatch(site, -1) {
		e.keptRoom(room[1])
	}
}

var roomsOf = regexp.MustCompile(`(?m)^\s*waiting_room ([a-z][a-z0-9-]*)`)

// kept waits until the room demo is there: it takes its lock and reads its log after the start. A reload may cut the connection of a look.
func (e *edge) kept() { e.t.Helper(); e.keptRoom("demo") }

func (e *edge) keptRoom(name string) {
	e.t.Helper()
	e.until("the room "+name+" is kept", func() bool {
		resp, err := e.fan().client.Get(e.http + "/.wr/v1/" + name + "/frontier") // of a reload the old server may still take a connection, and close it
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// until waits for something that takes a moment, by looking.
func (e *edge) until(what string, ok func() bool) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			e.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// fan is a visitor with a browser's cookies.
type fan struct {
	*edge
	client *http.Client
}

func (e *edge) fan() *fan {
	jar, _ := cookiejar.New(nil)
	return &fan{e, &http.Client{
		Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	text string
}

func (a answer) json(t testing.TB) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.text), &m); err != nil {
		t.Fatalf("%d %q: %v", a.StatusCode, a.text, err)
	}
	return m
}

func (f *fan) do(method, path, body string, header ...string) answer {
	f.t.Helper()
	req, err := http.NewRequest(method, f.http+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := f.client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (f *fan) get(path string) answer { f.t.Helper(); return f.do("GET", path, "") }

// navigate is what a browser does when somebody follows a link.
func (f *fan) navigate(path string) answer {
	f.t.Helper()
	return f.do("GET", path, "", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Dest", "document")
}

func (f *fan) join() answer { f.t.Helper(); return f.do("POST", "/.wr/v1/demo/join", "{}") }

func (f *fan) claim() answer { f.t.Helper(); return f.do("POST", "/.wr/v1/demo/claim", "{}") }

// enter joins and claims until inside.
func (f *fan) enter() (passed map[string]any) {
	f.t.Helper()
	if a := f.join(); a.StatusCode != http.StatusOK {
		f.t.Fatalf("join: %d %s", a.StatusCode, a.text)
	}
	f.until("the visitor is inside", func() bool {
		a := f.claim()
		if a.StatusCode == http.StatusCreated {
			passed = a.json(f.t)
		}
		return passed != nil
	})
	return passed
}

func (f *fan) cookie(name string) string {
	u, _ := url.Parse(f.http)
	for _, c := range f.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (f *fan) setCookie(name, value string) {
	u, _ := url.Parse(f.http)
	f.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// ops calls the admin API.
func (e *edge) ops(method, path, body string) answer {
	e.t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.admin)
		},
	}}
	req, err := http.NewRequest(method, "http://localhost"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		e.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return answer{resp, string(text)}
}
