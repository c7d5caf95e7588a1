package api

import (
	"fmt"
	"testing"
	"time"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// holdAll holds every seat of a section.
func (w *world) holdAll(section string, seats int) (holds []result) {
	w.t.Helper()
	const most = 5
	for left := seats; left > 0; left -= most {
		body := fmt.Sprintf(`{"best_available":{"quantity":%d,"sections":[%q],"together":"any","orphans":"allow"}}`, min(most, left), section)
		holds = append(holds, w.do("POST", "/v1/events/demo/holds", body, bearerKey(sellKey)).want(w.t, 201, ""))
	}
	return holds
}

// sell sells what is held: the order is opened through the API, and paid as the order service would.
func (w *world) sell(holds []result) {
	w.t.Helper()
	for _, h := range holds {
		o := w.do("POST", "/v1/holds/"+h.string("id")+"/order", `{"buyer":{"email":"ada@example.org"}}`, holdToken(h)).want(w.t, 201, "")
		order, _ := parseID(o.string("id"), prefixOrder)
		id, _ := parseID(h.string("id"), prefixHold)
		view, _, err := w.node.Find(w.t.Context(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, kind := range []stock.Kind{stock.KindPin, stock.KindSell} {
			a, err := w.node.Do(w.t.Context(), stock.Command{
				Kind: kind, Event: view.Event, Segment: view.Segment, Hold: id, Order: order, Attempt: 1,
				Request: stock.Request{Scope: order, Key: uuid.New()},
			})
			if err != nil || a.Code != stock.CodeOK {
				w.t.Fatalf("%v of %s: %v %v", kind, h.string("id"), a.Code, err)
			}
		}
	}
}

// "Sold out" sends people home. So the one segment that was asked does not speak for the other, which was not asked because all of it is held.
func TestSoldOutIsSaidOnlyWhenEverySegmentIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const holds, best = "/v1/events/demo/holds", `{"best_available":{"quantity":1%s}}`
	w.sell(w.holdAll("N", 20))
	south := w.holdAll("S", 10)
	ask := func(more, kind string) {
		t.Helper()
		r := w.do("POST", holds, fmt.Sprintf(best, more), w.admitted(1)).want(t, 409, kind)
		if _, told := r.body["free_estimate_s"]; told != (kind == "all-held") {
			t.Errorf("%s", r.text)
		}
	}
	// The node thinks that the north has seats, as its counts of another node's segments are behind.
	w.node.order = []stock.SegmentNo{1}
	ask("", "all-held")
	ask("", "all-held") // the north's word is known now, and nobody is asked
	// It speaks for all that a wish for it alone, or for its category, could get.
	ask(`,"sections":["N"]`, "sold-out")
	ask(`,"categories":["A"]`, "sold-out")
	ask(`,"sections":["S"]`, "all-held")
	ask(`,"categories":["B"]`, "all-held")

	w.sell(south)
	ask("", "sold-out")
	// Old counts are no proof, and the word of a segment is one for as long as it is believed.
	w.now = w.now.Add(soldOutFor)
	w.node.stale = true
	ask("", "all-held")
	w.node.order = []stock.SegmentNo{2}
	ask("", "sold-out")
	w.now = w.now.Add(soldOutFor - time.Nanosecond)
	ask("", "sold-out")
	w.now = w.now.Add(soldOutFor)
	ask("", "all-held")
}
