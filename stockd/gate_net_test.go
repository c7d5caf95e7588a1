package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/gate"
)

// gateAPI plays a node for gates: answer is called with the path and the body of each call.
func gateAPI(t *testing.T, answer func(path string, body []byte) (status int, text string)) []string {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer door" {
			t.Errorf("%s: %q, %v", r.URL.Path, r.Header.Get("Authorization"), err)
		}
		status, text := answer(r.URL.Path, body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) // the command went away: it tells so itself
	}))
	t.Cleanup(api.Close)
	return []string{"--url", api.URL, "--api-key-file", write(t, "key", "door\n")}
}

// TestGateFetch: what can be used is written, and never over by what cannot.
func TestGateFetch(t *testing.T) {
	t.Parallel()
	bundle, codes := gateBundle(t, 1)
	good, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	status, text := http.StatusOK, string(good)
	at := gateAPI(t, func(path string, _ []byte) (int, string) {
		if path != "/v1/events/night/gate-bundle" {
			t.Errorf("it asks for %s", path)
		}
		return status, text
	})
	out := filepath.Join(t.TempDir(), "fetched.json")
	fetch := append([]string{"gate", "fetch", "night", "--out", out}, at...)
	if code, said, errs := stockd(t, fetch...); code != 0 || !strings.Contains(said, "Night, 1 tickets sold, 0 void") {
		t.Fatalf("%d %s %s", code, said, errs)
	}
	for name, answer := range map[string]struct {
		status int
		text   string
		code   int
		says   string
	}{
		"another format": {200, strings.Replace(string(good), "ticketrush-gate/1", "ticketrush-gate/9", 1), 1, "fetch it again"},
		"no keys":        {200, strings.Replace(string(good), `"keys":{"1":`, `"keys":{"x":`, 1), 1, "fetch it again"},
		"half of it":     {200, string(good[:len(good)/2]), 1, "unexpected end"},
		"no such scope":  {403, `{"type":"/problems/forbidden","title":"Not allowed","status":403,"detail":"The API key door lacks the scope gate."}`, 1, "lacks the scope gate"},
	} {
		status, text = answer.status, answer.text
		if code, _, errs := stockd(t, fetch...); code != answer.code || !strings.Contains(errs, answer.says) {
			t.Errorf("%s: %d %s", name, code, errs)
		}
	}
	if code, said, errs := stockd(t, "gate", "check", "--bundle", out, "--log", filepath.Join(t.TempDir(), "scans.log"), "--gate", "north", codes[0]); code != 0 {
		t.Errorf("the bundle that was there cannot be used any more: %d %s %s", code, said, errs)
	}
}

// TestGateUpload: all scans of a log are told, some at a time, and what was not the first of its ticket is named.
func TestGateUpload(t *testing.T) {
	t.Parallel()
	const scans = 2*uploadBatch + 7
	var log []gate.Scan
	for i := range scans {
		log = append(log, gate.Scan{Ticket: uuid.New(), Gate: "north", At: time.Unix(1_800_000_000+int64(i), 0).UTC()})
	}
	path := filepath.Join(t.TempDir(), "scans.log")
	if err := gate.WriteLog(path, log); err != nil {
		t.Fatal(err)
	}
	again := uuid.Nil
	var told []string
	at := gateAPI(t, func(where string, body []byte) (int, string) {
		var sent struct {
			Scans []struct {
				Ticket, Gate string
				At           time.Time
			}
		}
		if err := json.Unmarshal(body, &sent); err != nil || where != "/v1/events/night/checkins" || len(sent.Scans) > uploadBatch {
			t.Errorf("%s: %d scans, %v", where, len(sent.Scans), err)
		}
		var results []map[string]string
		for _, s := range sent.Scans {
			told = append(told, s.Ticket+s.Gate+s.At.Format(time.RFC3339))
			one := map[string]string{"result": "ok", "ticket": s.Ticket, "text": "Written down."}
			if s.Ticket == "tkt_"+again.String() {
				one = map[string]string{"result": "again", "ticket": s.Ticket, "text": "Scanned before: at gate south."}
			}
			results = append(results, one)
		}
		text, err := json.Marshal(map[string]any{"results": results})
		if err != nil {
			t.Error(err)
		}
		return http.StatusOK, string(text)
	})
	upload := append([]string{"gate", "upload", "night", "--log", path}, at...)
	if code, out, errs := stockd(t, upload...); code != 0 || out != "" || !strings.Contains(errs, fmt.Sprintf("told %d scans", scans)) {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if len(told) != scans {
		t.Fatalf("%d scans were told of %d", len(told), scans)
	}
	for i, s := range log {
		if want := "tkt_" + s.Ticket.String() + "north" + s.At.Format(time.RFC3339); told[i] != want {
			t.Fatalf("scan %d was told as %s, want %s", i, told[i], want)
		}
	}
	again = log[uploadBatch+3].Ticket // in the second call
	code, out, _ := stockd(t, upload...)
	if want := fmt.Sprintf("tkt_%s at gate north, %s: Scanned before: at gate south.\n", again, log[uploadBatch+3].At.Format(time.RFC3339)); code != 1 || out != want {
		t.Errorf("%d %q, want %q", code, out, want)
	}
	if code, _, errs := stockd(t, append([]string{"gate", "upload", "night", "--log", path + ".none"}, at...)...); code != 3 || !strings.Contains(errs, ".none") {
		t.Errorf("%d %s", code, errs)
	}
}

// TestGateServe: the page of a gate answers from the command line's files, and all is on the disk when it is told to stop.
func TestGateServe(t *testing.T) {
	t.Parallel()
	bundle, codes := gateBundle(t, 1)
	log := filepath.Join(t.TempDir(), "scans.log")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	in, out := io.Pipe()
	ended := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		ended <- run(ctx, []string{"gate", "serve", "--bundle", bundle, "--log", log, "--gate", "north", "--listen", "127.0.0.1:0"}, console{out: out, err: &errs})
	}()
	line := make([]byte, 256)
	n, err := in.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	said, url, ok := strings.Cut(strings.TrimSpace(string(line[:n])), ": ")
	if !ok || said != "gate north of Night" {
		t.Fatalf("it says %q", line[:n])
	}
	for _, want := range []string{`"result":"ok"`, `"result":"again"`} {
		answer, err := http.Post(url+"/check", "application/json", strings.NewReader(`{"code":"`+codes[0]+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%d %s, want %s", answer.StatusCode, body, want)
		}
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("it ended with %d: %s", code, errs.String())
	}
	if scans, err := gate.ReadLog(log); err != nil || len(scans) != 2 || scans[0].Gate != "north" {
		t.Errorf("%v %v", scans, err)
	}
}

// TestGateSaysWhatItFound: codes and a file together, a torn end of the log, a list of void tickets that is old, and a rehearsal before the doors open.
func TestGateSaysWhatItFound(t *testing.T) {
	t.Parallel()
	bundle, codes := gateBundle(t, 2)
	log := filepath.Join(t.TempDir(), "scans.log")
	check := []string{"gate", "check", "--bundle", bundle, "--log", log, "--gate", "north"}
	if code, out, errs := stockd(t, append(check, "-f", write(t, "codes", codes[1]+"\n"), codes[0])...); code != 0 || strings.Count(out, "GREEN") != 2 || errs != "" {
		t.Errorf("%d %s %s", code, out, errs)
	}
	whole, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, whole[:len(whole)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := stockd(t, append(check, codes[1])...); code != 0 || !strings.Contains(out, "GREEN") || !strings.Contains(errs, "was torn") {
		t.Errorf("the last scan was cut off: %d %s %s", code, out, errs)
	}
	b, err := gate.Load(bundle)
	if err != nil {
		t.Fatal(err)
	}
	b.AsOf, b.ValidFrom = b.AsOf.Add(-7*time.Hour), b.StartsAt
	if err := b.Save(bundle); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := stockd(t, append(check, codes[0])...); code != 1 || !strings.Contains(out, "RED    early") || !strings.Contains(errs, "7h0m0s old") {
		t.Errorf("an hour before the doors: %d %s %s", code, out, errs)
	}
	if _, out, _ := stockd(t, append(check, "--rehearse", codes[0])...); !strings.Contains(out, "AMBER  again") {
		t.Errorf("in a rehearsal: %s", out)
	}
}
