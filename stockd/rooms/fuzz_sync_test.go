package rooms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"ticketrush/client"
	"ticketrush/room"
)

// synced is what a room has said in answers to syncs, none of which it may take back.
type synced struct {
	fence    uint64
	edition  uint16
	frontier [2]uint64
	ids      map[string]uint8
}

// FuzzSync: whatever edges say to the owner over the network, in a sequence, each report gets an answer that an edge can take, or a refusal that it knows;
// editions, fences and frontiers never go back, an edge keeps its number, and no more than is allowed is counted or kept.
func FuzzSync(f *testing.F) {
	g := newGang(f, database(f), 1)
	r := g.enter(g.client(), "spring", room.Settings{Rate: 100, MaxActive: 10})
	handler := g.nodes[0].InternalHandler()
	for _, reports := range []string{
		`{"edge":"a","incarnation":9,"edition":1,"lines":[{},{},{"before":4611686018427387904,"buckets":[{"r":4611686018427387905,"n":1}]},{}]}` + "\n" +
			`{"edge":"a","incarnation":8}`,
		`{"edge":"b","incarnation":9,"edition":1,"lines":[{},{},{},{"before":6917529027641081856,"buckets":[{"r":6917529027641089999,"n":4294967295}]}]}` + "\n" +
			`{"edge":"b","incarnation":9,"edition":1,"lines":[{},{},{},{"before":6917529027641081856,"buckets":[{"r":6917529027641089999,"n":4294967296}]}]}`,
		`{"edge":"c","incarnation":1,"lobby":{"tids":"AAAA"}}`, `{"edge":"c","incarnation":18446744073709551615,"have":"x","voids":18446744073709551615,"pressure":1,"p99_ms":3600000}`,
		`[]`, `{"edge":7}`, `{"pressure":"NaN"}`, ``,
	} {
		f.Add([]byte(reports))
	}
	said := &synced{ids: map[string]uint8{}}
	f.Fuzz(func(t *testing.T, body []byte) {
		for i, report := range bytes.Split(body, []byte("\n")) {
			if i == 5 {
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, client.RoomsPath+"/spring/sync", bytes.NewReader(report))
			req.Header.Set(client.KeyHeader, internalKey)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, req)
			cancel()
			said.check(t, report, w)
		}
	})
	f.Cleanup(func() {
		state, err := r.Describe(context.Background())
		if err != nil || state.NotReady != "" || len(state.Edges) > 255 || state.Inside > 10 {
			f.Errorf("after all of it: %+v, %v", state, err)
		}
	})
}

func (s *synced) check(t *testing.T, report []byte, w *httptest.ResponseRecorder) {
	if w.Code != http.StatusOK {
		var p client.RoomProblem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Detail == "" {
			t.Fatalf("%s is refused with %d %s", report, w.Code, w.Body)
		}
		err := p.Err()
		for _, known := range []error{client.ErrRoomRequest, room.ErrReport, room.ErrEdgeTwice, room.ErrEdgesFull} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Fatalf("%s is refused with %d %s: %v", report, w.Code, w.Body, err)
	}
	a, err := client.DecodeSynced(w.Body.Bytes())
	if err != nil {
		t.Fatalf("%s is answered with %q: %v", report, w.Body, err)
	}
	var p room.Report
	if err := json.Unmarshal(report, &p); err != nil {
		t.Fatalf("%s, which is no report, is answered", report)
	}
	if a.Fence < s.fence || a.Edition < s.edition {
		t.Fatalf("after fence %d and edition %d came %d and %d", s.fence, s.edition, a.Fence, a.Edition)
	}
	for g := range a.Frontier {
		if a.Edition == s.edition && a.Frontier[g] < s.frontier[g] {
			t.Fatalf("the frontier went back from %d to %d", s.frontier[g], a.Frontier[g])
		}
	}
	if id := s.ids[p.Edge]; id != 0 && id != a.ID {
		t.Fatalf("edge %q was number %d and is %d", p.Edge, id, a.ID)
	}
	s.fence, s.edition, s.frontier, s.ids[p.Edge] = a.Fence, a.Edition, a.Frontier, a.ID
}
