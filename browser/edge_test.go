//go:build browser

package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// edge is the Caddy that was built, with one room in front of two plain answers, and no stockd.
type edge struct {
	t          *testing.T
	url, admin string
}

// roomFile is its Caddyfile. The shop answers in words; availability is what a site that sells would say of its stock.
const roomFile = `{
	admin unix/%[1]s/admin.sock
	persist_config off
	storage file_system %[1]s/storage
	grace_period 1s
	log {
		level ERROR
	}
}
http://127.0.0.1:%[2]d {
	encode
	waiting_room demo {
		title "Spring tour"
		protect /buy/*
		rate 50
		max_active 1
		grace 1s
		event spring
		%[3]s
	}
	route /stock/* {
		stock_counts /stock/*/counts 1s
		header Content-Type application/json
		respond ` + "`%[4]s`" + `
	}
	header Content-Type "text/html; charset=utf-8"
	respond "<!doctype html><html lang=en><title>Shop</title><main><h1>The shop</h1></main>"
}
`

// startEdge runs the room with some more of its settings, and what is left of its event.
func startEdge(t *testing.T, settings, stock string) *edge {
	t.Helper()
	caddy, err := filepath.Abs(filepath.Join("..", "bin", "caddy"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "room") // short: the path of a socket has 107 characters at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := freePort(t)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, fmt.Appendf(nil, roomFile, dir, port, settings, stock), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, caddy, "run", "--config", file, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run `make browser`, which builds what this test runs", err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Caddy said: %s", said.String())
		}
	})
	e := &edge{t, fmt.Sprintf("http://127.0.0.1:%d", port), filepath.Join(dir, "admin.sock")}
	e.until("the room is kept", func() bool { return e.visitor().try("GET", "/.wr/v1/demo/frontier", "") == http.StatusOK })
	return e
}

func (e *edge) until(what string, ok func() bool) {
	e.t.Helper()
	end := time.After(stepMax)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			e.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// ops does an act of ops.
func (e *edge) ops(act string) {
	e.t.Helper()
	client := &http.Client{Timeout: stepMax, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", e.admin)
	}}}
	answer, err := client.Post("http://localhost/waiting_room/rooms/demo/"+act, "application/json", strings.NewReader(`{"reason":"a test"}`))
	if err != nil {
		e.t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK {
		e.t.Fatalf("%s: %d %s", act, answer.StatusCode, text)
	}
}

// visitor is somebody who speaks to the room without a browser.
type visitor struct {
	*edge
	client *http.Client
	pass   string // another one's, instead of cookies
	text   []byte
}

func (e *edge) visitor() *visitor {
	jar, _ := cookiejar.New(nil)
	return &visitor{edge: e, client: &http.Client{Jar: jar, Timeout: stepMax}}
}

// try sends a request and gives the status; 0 when there is no answer.
func (v *visitor) try(method, path, body string) int {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	if v.pass != "" {
		r.Header.Set("Authorization", "WaitingRoom "+v.pass)
	}
	answer, err := v.client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	v.text, _ = io.ReadAll(answer.Body)
	return answer.StatusCode
}

func (v *visitor) join() map[string]any {
	v.t.Helper()
	if status := v.try("POST", "/.wr/v1/demo/join", "{}"); status != http.StatusOK {
		v.t.Fatalf("join: %d %s", status, v.text)
	}
	var place map[string]any
	if err := json.Unmarshal(v.text, &place); err != nil {
		v.t.Fatal(err)
	}
	return place
}

// enter takes the only slot.
func (v *visitor) enter() {
	v.t.Helper()
	v.join()
	v.until("the slot is taken", func() bool { return v.try("POST", "/.wr/v1/demo/claim", "{}") == http.StatusCreated })
}

func (v *visitor) leave() {
	v.t.Helper()
	if status := v.try("POST", "/.wr/v1/demo/leave", "{}"); status != http.StatusNoContent {
		v.t.Fatalf("leave: %d %s", status, v.text)
	}
}
