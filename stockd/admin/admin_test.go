package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

// TestEveryReferenceIsServed follows what the page and its modules name.
func TestEveryReferenceIsServed(t *testing.T) {
	t.Parallel()
	reference := regexp.MustCompile(`(?:(?:src|href)="(/admin/[^"]+)"|from '\./([^']+)')`)
	todo, seen := []string{"/admin", "/admin/"}, map[string]bool{}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		res, body := get(t, path)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") == "" || res.Header.Get("Content-Security-Policy") != csp {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
		for _, m := range reference.FindAllStringSubmatch(body, -1) {
			if m[2] != "" {
				m[1] = "/admin/assets/" + m[2]
			}
			todo = append(todo, m[1])
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d files are reached: %v", len(seen), seen)
	}
}

func TestWorksUnderCSP(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"/admin", "/admin/finance"} {
		underCSP(t, page)
	}
}

func underCSP(t *testing.T, page string) {
	t.Helper()
	_, body := get(t, page)
	if found := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script(?: type="module")?>|="(?:https?:)?//`).FindString(body); found != "" {
		t.Errorf("the page holds %q, which the policy blocks", found)
	}
}

func TestKnownETagIsNotSentAgain(t *testing.T) {
	t.Parallel()
	res, _ := get(t, "/admin/assets/admin.js")
	if again, _ := get(t, "/admin/assets/admin.js", "If-None-Match", res.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("status %d", again.StatusCode)
	}
}

// TestPageReadsWhatStatusSays holds the two ends of the JSON together: every field that the scripts name exists in Status.
func TestPageReadsWhatStatusSays(t *testing.T) {
	t.Parallel()
	full := Status{Rooms: []Room{{Why: "x", Owner: "x"}}, Nodes: []Node{{}}, Events: []Event{{Sections: []Section{{}}}}, Alarms: []Alarm{{Do: "x"}}, Calls: []Call{{DeadAt: &time.Time{}, Error: "x"}}, History: []Sample{{}}, Version: "x"}
	text, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var scripts strings.Builder
	for _, name := range []string{"static/admin.js", "static/parts.js"} {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(body)
	}
	for _, field := range []string{
		"now", "node", "version", "rooms", "nodes", "events", "alarms", "history", "waiting", "inside", "max_active", "rate", "admitted", "why", "alive", "partitions",
		"flush_p50_ms", "flush_p99_ms", "batch_mean", "queue", "queue_max", "ops_per_second", "sections", "capacity", "free", "held", "paying", "sold", "gross", "currency", "stale",
		"calls", "calls_dead", "topic", "about", "attempts", "dead_at", "error", "state", "owner", "slug", "level", "since", "do", "at", "addr", "area",
	} {
		if !strings.Contains(string(text), `"`+field+`":`) {
			t.Errorf("Status has no %s", field)
		}
		if !regexp.MustCompile(`[.']` + field + `\b`).MatchString(scripts.String()) {
			t.Errorf("the page does not read %s", field)
		}
	}
}
