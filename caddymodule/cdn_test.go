package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// cacheConfig makes nginx a shared cache that does what the answers' Cache-Control says, stale-while-revalidate and stale-if-error among it, and
// fetches a thing once at a time. It has no rules of its own about what is fresh.
const cacheConfig = `
daemon off;
master_process off;
pid DIR/pid;
error_log DIR/error.log;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	keepalive_requests 1000000;
	proxy_cache_path DIR/cache keys_zone=room:1m;
	upstream edge { server EDGE; keepalive 8; }
	server {
		listen CACHE;
		location / {
			proxy_pass http://edge;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_cache room;
			proxy_cache_lock on;
			proxy_cache_revalidate on;
			proxy_cache_background_update on;
			add_header Cache-State $upstream_cache_status always;
		}
	}
}
`

// nginx finds the server that scripts/need-nginx.sh makes sure of.
func nginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx", "../bin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no nginx in PATH, in /usr/sbin, nor in bin: run scripts/need-nginx.sh")
	return ""
}

// cached starts a cache in front of the edge, and gives it as an edge to ask.
func (e *edge) cached(t *testing.T) *edge {
	t.Helper()
	dir := t.TempDir()
	front := &edge{t: t, dir: dir, http: fmt.Sprintf("http://127.0.0.1:%d", freePort(t))}
	at := func(url string) string { return strings.TrimPrefix(url, "http://") }
	path := front.write("nginx.conf", strings.NewReplacer("DIR", dir, "EDGE", at(e.http), "CACHE", at(front.http)).Replace(cacheConfig))
	ctx, stop := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, nginx(t), "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", path)
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 5 * time.Second
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = server.Wait()
	})
	front.until("the cache is there", func() bool {
		resp, err := http.Get(front.http + "/")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return front
}

// asked counts the requests for the frontier that have reached the edge.
func (e *edge) asked(t *testing.T) int {
	return strings.Count(read(t, filepath.Join(e.dir, "access.log")), `/.wr/v1/demo/frontier"`)
}

// polls is how many people look at the frontier behind the cache, one after the other on each of pollers connections.
const (
	polls   = 100_000
	pollers = 64
)

// TestACacheTakesThePolls puts nginx in front of an edge. What 100,000 pollers cost the edge does not depend on how many they are: the document is
// fetched once a second and encoding. When the edge is away the cache goes on for the minute that it may.
func TestACacheTakesThePolls(t *testing.T) {
	e := newEdge(t)
	site := "log {\noutput file DIR/access.log\n}\n" + shop
	e.mustLoad("", site)
	front := e.cached(t)
	front.kept()
	before, began := e.asked(t), time.Now()
	var answered atomic.Int64
	var people sync.WaitGroup
	for i := range pollers {
		r := &rival{head: "GET /.wr/v1/demo/frontier HTTP/1.1\r\n", status: 200}
		if i%2 == 0 {
			r.head += "Accept-Encoding: gzip\r\n"
		}
		c := dial(t, front.http, r)
		people.Go(func() {
			for range polls/pollers + 1 {
				if status, size := c.answer(); status != 200 || size == 0 {
					return
				}
				answered.Add(1)
			}
		})
	}
	people.Wait()
	took := time.Since(began).Seconds()
	asked := e.asked(t) - before
	t.Logf("%d polls in %.1f s: the edge was asked %d times, %.2f a second", answered.Load(), took, asked, float64(asked)/took)
	if answered.Load() < polls || float64(asked) > 5*took {
		t.Errorf("%d of %d polls were answered; the edge was asked %d times in %.1f s, at most 5 a second", answered.Load(), polls, asked, took)
	}
	personal(t, front)

	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	states := map[string]bool{}
	gone := time.Now()
	front.until("the cache has nothing but stale-if-error to go by", func() bool { // after s-maxage and stale-while-revalidate
		a := front.fan().get("/.wr/v1/demo/frontier")
		states[a.Header.Get("Cache-State")] = true
		if a.StatusCode != http.StatusOK || !strings.Contains(a.text, `"frontier`) {
			t.Fatalf("with the edge away for %v: %d %s", time.Since(gone), a.StatusCode, a.text)
		}
		return time.Since(gone) > 8*time.Second
	})
	if !states["STALE"] {
		t.Errorf("with the edge away the cache said %v, and never STALE", states)
	}
	e.mustLoad("", site)
	front.until("the cache is fresh again", func() bool {
		a := front.fan().get("/.wr/v1/demo/frontier")
		return a.Header.Get("Cache-State") == "HIT"
	})
}

// personal checks that no answer that is somebody's own comes out of the cache.
func personal(t *testing.T, front *edge) {
	t.Helper()
	seen := map[string]bool{}
	for range 2 {
		f := front.fan()
		place := f.join()
		seen[fmt.Sprint(place.json(t)["tid"])] = true
		for _, a := range []answer{place, f.navigate("/buy/"), f.get("/buy/"), f.get("/.wr/v1/demo/place"), f.navigate("/.wr/v1/demo/page")} {
			if state := a.Header.Get("Cache-State"); state == "HIT" || state == "STALE" || state == "UPDATING" {
				t.Errorf("%s comes out of the cache: %s", a.Request.URL, state)
			}
		}
	}
	if len(seen) != 2 {
		t.Error("two visitors behind the cache got one place")
	}
}
