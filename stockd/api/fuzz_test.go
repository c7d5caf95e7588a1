package api

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// FuzzDecode: whatever is sent, the decoders either refuse with a problem or give what encoding/json reads, and a wish that came out of a body
// is one that the engine takes.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"items":[{"seat":"N-1-1","type":"adult"}],"on_conflict":"nearest","ttl_s":60}`, `{"items":[{"area":"floor","quantity":2}]}`,
		`{"best_available":{"quantity":4,"categories":["A"],"together":"any","orphans":"never","accessible":1}}`, `{"extend":true}`, `{"state":"paused"}`,
		`{"buyer":{"name":"x","email":"a@b"}}`, `{"provider":"sandbox","return_url":"/"}`, `{"a":{"a":[[[]]]}}`, `null`, `1e99`, `"\ud800"`, "\xff",
		`{"slug":"a","name":"b","starts_at":"2026-12-24T19:00:00Z","prices":[{"category":"A","type":"adult","face":1}],"limits":{"tid":1}}`,
	} {
		f.Add([]byte(seed))
	}
	w := newWorld(f)
	ev := w.node.events[1]
	view, err := w.server.maps.of(ev)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, to := range []any{&holdBody{}, &holdChangeBody{}, &orderBody{}, &paymentBody{}, &eventBody{}, &eventChangeBody{}} {
			err := decodeJSON(body, to)
			var p *problem
			if err != nil && !errors.As(err, &p) {
				t.Fatalf("%T: %v is no problem", to, err)
			}
			if err == nil && !json.Valid(body) {
				t.Fatalf("%T: accepted what is not JSON", to)
			}
		}
		var b holdBody
		if decodeJSON(body, &b) != nil {
			return
		}
		want, err := b.resolve(ev, view.seats)
		if err != nil {
			return
		}
		segments := want.segments
		if segments == nil {
			segments = []stock.SegmentNo{1}
		}
		a, err := w.node.Do(t.Context(), stock.Command{
			Kind: stock.KindHold, Event: 1, Segment: segments[0], Hold: uuid.New(), Ask: want.ask, TTL: int64(want.ttl / time.Millisecond), MaxTTL: 1000,
		})
		if err != nil || a.Code == stock.CodeInvalid || a.Code == stock.CodeUnknownSeat {
			t.Fatalf("%s: %+v %v", body, a, err)
		}
	})
}

func FuzzIdempotencyKeyAndIDs(f *testing.F) {
	f.Add("hold_0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a11")
	f.Add("0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a11")
	f.Fuzz(func(t *testing.T, text string) {
		if id, ok := parseID(text, prefixHold); ok && prefixHold+id.String() != text {
			t.Fatalf("%q and %s are one hold", text, id)
		}
	})
}
