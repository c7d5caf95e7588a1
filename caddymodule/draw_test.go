package caddymodule

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/host"
)

// opening is a site whose room opens in so long. Tests fill a lobby that is open for an hour and then move the opening nearer, so that a slow machine fills
// it as well.
func opening(site string, in time.Duration) string {
	return strings.Replace(site, "rate 200", "rate 200\n\t\topens "+time.Now().Add(in).UTC().Format(time.RFC3339Nano), 1)
}

// TestLobbyIsDrawn walks through a sale with a lobby: join, draw, receipts, the order of entry, and the whole draw for everybody to check.
func TestLobbyIsDrawn(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", opening(shop, time.Hour))
	fans := make([]*fan, 12)
	for i := range fans {
		fans[i] = e.fan()
		p := fans[i].join().json(t)
		if p["state"] != "lobby" || p["rank"] != "0" || p["in_draw"] != true {
			t.Fatalf("in the lobby: %v", p)
		}
		if again := fans[i].join().json(t); again["tid"] != p["tid"] {
			t.Errorf("a second join gave another place: %v, before %v", again, p)
		}
	}
	if a := fans[0].get("/.wr/v1/demo/receipt"); a.StatusCode != http.StatusNotFound || !strings.Contains(a.text, "when the lobby ends") {
		t.Errorf("a receipt before the draw: %d %s", a.StatusCode, a.text)
	}
	if a := fans[0].claim(); a.StatusCode != http.StatusAccepted {
		t.Errorf("a claim in the lobby: %d %s", a.StatusCode, a.text)
	}
	e.mustLoad("", opening(shop, 6*time.Second))
	e.until("the draw is done", func() bool { return fans[0].get("/.wr/v1/demo/place").json(t)["rank"] != "0" })
	late := e.fan()
	latecomer := late.join().json(t)
	if latecomer["class"] != float64(room.ClassArrival) {
		t.Errorf("somebody who comes after the lobby: %v", latecomer)
	}
	ordinals := map[int64]uint64{}
	var root draw.Hash
	for _, f := range fans {
		p := f.get("/.wr/v1/demo/place").json(t)
		receipt, err := draw.ParseReceipt([]byte(f.get("/.wr/v1/demo/receipt").text))
		if err != nil {
			t.Fatal(err)
		}
		root = receipt.Root
		if err := receipt.Verify(draw.Trusted{}); err != nil || receipt.N != int64(len(fans)) || receipt.Room != "demo" {
			t.Errorf("receipt %+v: %v", receipt, err)
		}
		rank, _ := strconv.ParseUint(p["rank"].(string), 10, 64)
		if fmt.Sprint(receipt.Tid) != p["tid"] || receipt.Rank != rank {
			t.Errorf("the receipt says %v at %v, the place %v", receipt.Tid, receipt.Rank, p)
		}
		ordinals[receipt.Ordinal] = rank
	}
	if len(ordinals) != len(fans) {
		t.Errorf("%d different ordinals for %d places", len(ordinals), len(fans))
	}
	for i := int64(2); i <= int64(len(fans)); i++ {
		if ordinals[i] <= ordinals[i-1] {
			t.Errorf("number %d has rank %d, number %d has %d", i, ordinals[i], i-1, ordinals[i-1])
		}
	}
	if a := late.get("/.wr/v1/demo/receipt"); a.StatusCode != http.StatusNotFound {
		t.Errorf("the receipt of somebody who was not drawn: %d", a.StatusCode)
	}
	report, err := draw.VerifyDraw(strings.NewReader(late.get("/.wr/v1/demo/log/draw").text))
	if err != nil || report.Header.Root != root {
		t.Errorf("the published draw: %+v %v", report, err)
	}
	publishedDrawIsKept(t, e)
	// Three slots: the first three of the draw enter, whoever asks first.
	e.until("three are inside", func() bool {
		for _, f := range slices.Backward(fans) {
			f.claim()
		}
		return e.ops("GET", "/waiting_room/rooms/demo", "").json(t)["inside"] == 3.0
	})
	for _, f := range fans {
		receipt, _ := draw.ParseReceipt([]byte(f.get("/.wr/v1/demo/receipt").text))
		if inside := f.get("/buy/").StatusCode == http.StatusOK; inside != (receipt.Ordinal <= 3) {
			t.Errorf("number %d of the draw is inside: %v", receipt.Ordinal, inside)
		}
	}
}

// publishedDrawIsKept asks for the draw again, of an edge that has none kept and of one that has.
func publishedDrawIsKept(t *testing.T, e *edge) {
	t.Helper()
	const path = "/.wr/v1/demo/log/draw"
	first := e.fan().get(path)
	tag := first.Header.Get("Etag")
	if tag == "" || !strings.Contains(first.Header.Get("Cache-Control"), "public, max-age=60") || first.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("the published draw has the headers %v", first.Header)
	}
	var file *drawFile
	keepers.Range(func(_, value any) bool { file = value.(*keeper).drawFile; return false })
	for range cap(file.asks) { // the owner is not to be asked
		file.asks <- struct{}{}
	}
	if again := e.fan().get(path); again.text != first.text || again.Header.Get("Etag") != tag || again.StatusCode != 200 {
		t.Errorf("the draw that is kept: %d %v", again.StatusCode, again.Header)
	}
	file.keep("", nil)
	if known := e.fan().do("GET", path, "", "If-None-Match", tag); known.StatusCode != http.StatusNotModified || known.text != "" {
		t.Errorf("a draw that the client has: %d %s", known.StatusCode, known.text)
	}
	for range cap(file.asks) {
		<-file.asks
	}
	if after := e.fan().get(path); after.text != first.text {
		t.Errorf("the draw, asked of the owner again: %d", after.StatusCode)
	}
}

// TestALargeDrawIsPassedOn: it is not kept, and what breaks off is never taken for the whole.
func TestALargeDrawIsPassedOn(t *testing.T) {
	t.Parallel()
	for _, size := range []int{drawKeptMax, drawKeptMax + 1} {
		f, text := newDrawFile(), make([]byte, size)
		var got bytes.Buffer
		if begun, err := f.pass(t.Context(), drawnBy{func(w io.Writer) error {
			for part := range slices.Chunk(text, 1<<20) {
				if _, err := w.Write(part); err != nil {
					return err
				}
			}
			return nil
		}}, "x", &got); !begun || err != nil || got.Len() != size || (f.kept("x") != nil) != (size == drawKeptMax) {
			t.Errorf("%d bytes: %d came, %d are kept, %v", size, got.Len(), len(f.kept("x")), err)
		}
	}
	f := newDrawFile()
	begun, err := f.pass(t.Context(), drawnBy{func(w io.Writer) error {
		_, _ = w.Write([]byte("half"))
		return host.ErrNotReady
	}}, "x", io.Discard)
	if !begun || err == nil || f.kept("x") != nil {
		t.Errorf("a draw that broke off: begun %v, %v, kept %q", begun, err, f.kept("x"))
	}
}

// drawnBy is an owner of whom only the draw is asked.
type drawnBy struct{ write func(io.Writer) error }

func (d drawnBy) Drawn(_ context.Context, w io.Writer) error { return d.write(w) }

// TestADrawWaitsForTheValueThatOpsEnter: no earlier than the list is sealed, and the receipt names the source.
func TestADrawWaitsForTheValueThatOpsEnter(t *testing.T) {
	e := newEdge(t)
	site := strings.Replace(shop, "rate 200", "rate 200\n\t\tbeacon entered \"lotto of today\"", 1)
	e.mustLoad("", opening(site, time.Hour))
	f := e.fan()
	f.join()
	enter := func() answer {
		return e.ops("POST", "/waiting_room/rooms/demo/beacon", `{"beacon":"7 12 19","reason":"drawn on television"}`)
	}
	if a := enter(); a.StatusCode != 400 || !strings.Contains(a.text, "not sealed yet") {
		t.Errorf("before the seal: %d %s", a.StatusCode, a.text)
	}
	e.mustLoad("", opening(site, 6*time.Second))
	e.until("the value is taken", func() bool { return enter().StatusCode == 200 })
	e.until("the draw is done", func() bool { return f.get("/.wr/v1/demo/place").json(t)["rank"] != "0" })
	receipt, err := draw.ParseReceipt([]byte(f.get("/.wr/v1/demo/receipt").text))
	if err != nil || receipt.Beacon.Mode() != draw.ModeEntered || receipt.Beacon.Source != "lotto of today" || receipt.Beacon.Value != "7 12 19" {
		t.Errorf("%+v, %v", receipt, err)
	}
}
