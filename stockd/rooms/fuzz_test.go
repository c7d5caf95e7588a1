package rooms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ticketrush/client"
	"ticketrush/room"
)

// requests are what the internal listener answers about a room.
var requests = []struct{ method, path, body string }{
	{"PUT", "/spring", `{"settings":{"rate":5,"pass":"10m","opens":"2026-12-01T10:00:00Z"}}`},
	{"GET", "/spring", ""},
	{"POST", "/spring/sync", `{"edge":"a","incarnation":9,"fence":1,"edition":1,"lines":[{},{},{"before":4611686018427387904,"buckets":[{"r":4611686018427387905,"n":1}]},{}],"lobby":{"from":0,"tids":"AAAAAAAAAAAAAAAAAAAAAA=="}}`},
	{"POST", "/spring/claim", `{"tid":"01000000000000000000000000000001","rank":4611686018427387905,"wait_ms":10}`},
	{"POST", "/spring/renew", `{"tid":"01000000000000000000000000000001","renewal":0,"life_ms":1000}`},
	{"POST", "/spring/leave", `{"tid":"01000000000000000000000000000001"}`},
	{"POST", "/spring/ban", `{"tid":"01000000000000000000000000000001","until":1800000000000}`},
	{"POST", "/spring/redeem", `{"tid":"01000000000000000000000000000001","serial":1,"uses":1}`},
	{"POST", "/spring/codes", `{"count":2,"reason":"guests"}`},
	{"POST", "/spring/change", `{"action":"rate","rate":7,"reason":"test"}`},
	{"GET", "/spring/receipt?tid=01000000000000000000000000000001", ""},
	{"GET", "/spring/draw", ""},
	{"GET", "?here=1", ""},
	{"GET", "", ""},
	{"POST", "/spring/dance", "{}"},
	{"DELETE", "/spring", ""},
	{"GET", "/NOT%20A%20NAME", ""},
	{"GET", "/winter", ""},
}

// Whatever is sent, the answer is a document, a refusal has a code that the client knows, and the room goes on.
func FuzzRequests(f *testing.F) {
	g := newGang(f, database(f), 1)
	r := g.enter(g.client(), "spring", room.Settings{Rate: 100, MaxActive: 10})
	handler := g.nodes[0].InternalHandler()
	for i, q := range requests {
		f.Add(uint8(i), []byte(q.body))
		f.Add(uint8(i), []byte(strings.Replace(q.body, ":", ":-", 1)))
		f.Add(uint8(i), []byte(q.body[:len(q.body)/2]))
		f.Add(uint8(i), []byte("[]"))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		q := requests[int(which)%len(requests)]
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		req := httptest.NewRequestWithContext(ctx, q.method, client.RoomsPath+q.path, bytes.NewReader(body))
		req.Header.Set(client.KeyHeader, internalKey)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		switch w.Code {
		case 200, 400, 404, 409, 413, 422, 503:
		default:
			t.Fatalf("%s %s with %q: status %d", q.method, q.path, body, w.Code)
		}
		if w.Header().Get("Content-Type") == "application/octet-stream" {
			if _, err := client.DecodeSynced(w.Body.Bytes()); err != nil || w.Code != 200 {
				t.Fatalf("%s %s with %q: %d %q, %v", q.method, q.path, body, w.Code, w.Body, err)
			}
			return
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %s with %q: %q", q.method, q.path, body, w.Body)
		}
		if w.Code == 200 {
			return
		}
		var p client.RoomProblem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code == "" || p.Detail == "" {
			t.Fatalf("%s %s with %q: %d %s", q.method, q.path, body, w.Code, w.Body)
		}
		if err := p.Err(); errors.Is(err, client.ErrRoomRequest) != (p.Code == "request") {
			t.Fatalf("a code that the client does not know: %s", w.Body)
		}
	})
	f.Cleanup(func() {
		if state, err := r.Describe(context.Background()); err != nil || state.NotReady != "" {
			f.Errorf("after all of it: %+v, %v", state, err)
		}
	})
}

// Bodies have bounds.
func TestBodiesHaveBounds(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	g.enter(g.client(), "spring", room.Settings{})
	handler := g.nodes[0].InternalHandler()
	for path, most := range map[string]int{"/spring/claim": client.RoomBodyMax, "/spring/sync": client.RoomReportMax} {
		for _, c := range []struct{ size, status int }{{most, 400}, {most + 1, 413}} {
			req := httptest.NewRequest(http.MethodPost, client.RoomsPath+path, bytes.NewReader(bytes.Repeat([]byte("x"), c.size)))
			req.Header.Set(client.KeyHeader, internalKey)
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, req); w.Code != c.status {
				t.Errorf("%s with %d bytes: status %d, want %d", path, c.size, w.Code, c.status)
			}
		}
	}
}

// The largest report that an edge makes fits.
func TestTheLargestReportFits(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	r := g.enter(g.client(), "spring", room.Settings{Rate: 1, OpensAt: time.Now().Add(time.Hour)})
	now := time.Now()
	e := room.NewEdge("a", uint64(now.UnixNano()), now)
	sync := func() {
		until(t, "the report is taken", func() bool {
			sent := time.Now()
			report := e.Report(sent)
			if text, err := json.Marshal(report); err != nil || len(text) > client.RoomReportMax {
				t.Fatalf("a report of %d bytes, %v", len(text), err)
			}
			answer, err := r.Sync(t.Context(), &report)
			if err != nil && !errors.Is(err, errNotReady) {
				t.Fatal(err)
			}
			if err == nil {
				e.Took(sent, time.Now(), &report, answer)
			}
			return err == nil
		})
	}
	sync()
	const people = 40_000
	for i := range people {
		if _, err := e.Join(time.Now(), visitor(i), room.ClassArrival); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		sync()
	}
	state, err := r.Describe(t.Context())
	if err != nil || !e.InDraw(e.LobbyMark()) {
		t.Errorf("not everybody is in the draw: %+v, %v", state, err)
	}
	var stored int
	if err := g.nodes[0].Ledger().RoomLobby(t.Context(), "spring", 1, func(tids []byte) error { stored += len(tids) / 16; return nil }); err != nil || stored != people {
		t.Errorf("%d tids are stored, %v; want %d", stored, err, people)
	}
}
