package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"ticketrush/pass"
	"ticketrush/room"
)

// TestReloadKeepsPassesAndCounts changes the configuration while somebody is inside, somebody waits, and a request is under way.
func TestReloadKeepsPassesAndCounts(t *testing.T) {
	e := newEdge(t)
	release, started := make(chan struct{}), make(chan struct{})
	slow := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-release
		_, _ = w.Write([]byte("finished"))
	})}
	port := freePort(t)
	slow.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	go func() { _ = slow.ListenAndServe() }()
	t.Cleanup(func() { _ = slow.Close() })
	site := shop + fmt.Sprintf("\nreverse_proxy /buy/slow 127.0.0.1:%d\n", port)
	e.mustLoad("", site)
	in, waits := e.fan(), e.fan()
	in.enter()
	place := waits.join().json(t)
	var g sync.WaitGroup
	g.Go(func() {
		if a := in.get("/buy/slow"); a.StatusCode != 200 || a.text != "finished" {
			t.Errorf("the request that was under way: %d %q", a.StatusCode, a.text)
		}
	})
	<-started
	e.mustLoad("", strings.ReplaceAll(site, "max_active 3", "max_active 7"))
	close(release)
	g.Wait()
	if a := in.get("/buy/"); a.StatusCode != 200 {
		t.Errorf("the pass after a reload: %d", a.StatusCode)
	}
	if again := waits.join().json(t); again["rank"] != place["rank"] {
		t.Errorf("the place after a reload: %v, before %v", again, place)
	}
	r := e.ops("GET", "/waiting_room/rooms/demo", "").json(t)
	if r["inside"] != 1.0 || r["joined"] != 2.0 || r["max_active"] != 7.0 {
		t.Errorf("the room after a reload: %v", r)
	}
	metrics := e.ops("GET", "/metrics", "").text
	for _, want := range []string{`ticketrush_room_inside{room="demo"} 1`, `ticketrush_room_joins_total{room="demo"}`, `ticketrush_room_claims_total{result="granted",room="demo"}`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// TestRestartKeepsPassesAndPlaces stops Caddy and starts it on the same storage.
func TestRestartKeepsPassesAndPlaces(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	in, waits := e.fan(), e.fan()
	in.enter()
	place := waits.join().json(t)
	if a := e.ops("POST", "/waiting_room/rooms/demo/rate", `{"rate":77}`); a.StatusCode != 200 {
		t.Fatalf("%d %s", a.StatusCode, a.text)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	e.mustLoad("", shop)
	if a := in.get("/buy/"); a.StatusCode != 200 {
		t.Errorf("the pass after a restart: %d %s", a.StatusCode, a.text)
	}
	if again := waits.join().json(t); again["rank"] != place["rank"] {
		t.Errorf("the place after a restart: %v, before %v", again, place)
	}
	if late := e.fan().join().json(t); late["rank"].(string) <= place["rank"].(string) {
		t.Errorf("rank %v after %v", late["rank"], place["rank"])
	}
	if r := e.ops("GET", "/waiting_room/rooms/demo", "").json(t); r["inside"] != 1.0 || r["joined"] != 3.0 || r["rate"] != 77.0 {
		t.Errorf("the room after a restart: %v", r)
	}
}

// crashed copies the storage as a crash at this moment would leave it, and reads the room from the copy.
func (e *edge) crashed(name string) (left string, r *room.Room, batches []room.Batch) {
	e.t.Helper()
	left = filepath.Join(e.dir, name)
	if err := os.CopyFS(left, os.DirFS(filepath.Join(e.dir, "storage"))); err != nil {
		e.t.Fatal(err)
	}
	snapshot, batches, found, err := newJournal(&certmagic.FileStorage{Path: left}, "demo").load(e.t.Context())
	if err != nil || !found {
		e.t.Fatalf("found %v, %v", found, err)
	}
	if r, err = room.Restore(room.Settings{MaxActive: 3}, snapshot, batches, time.Now()); err != nil {
		e.t.Fatal(err)
	}
	return left, r, batches
}

// TestCrashKeepsPasses copies the storage while Caddy runs, as a crash would leave it, and reads the room from the copy.
func TestCrashKeepsPasses(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	tids := map[string]bool{}
	for range 3 {
		f := e.fan()
		f.enter()
		tids[f.get("/.wr/v1/demo/place").json(t)["tid"].(string)] = true
	}
	left, r, batches := e.crashed("crashed")
	if n := r.Document(time.Now()).Inside; n != len(tids) {
		t.Errorf("%d inside after a crash, %d had a pass", n, len(tids))
	}
	if err := os.Remove(filepath.Join(left, "waiting_room/demo/log", fmt.Sprintf("%016x.json", batches[0].Seq))); err != nil {
		t.Fatal(err)
	}
	snapshot, batches, _, err := newJournal(&certmagic.FileStorage{Path: left}, "demo").load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := room.Restore(room.Settings{}, snapshot, batches, time.Now()); err == nil {
		t.Error("a log with a gap was taken")
	}
}

// TestLimitsHoldUnderConcurrentClaims lets a crowd claim without pause.
func TestLimitsHoldUnderConcurrentClaims(t *testing.T) {
	e := newEdge(t)
	const rate, most, crowd = 20, 30, 60
	settings := strings.NewReplacer("rate 200", fmt.Sprint("rate ", rate), "max_active 3", fmt.Sprint("max_active ", most), "pass 1m", "pass 10m")
	e.mustLoad("", settings.Replace(shop))
	var inside atomic.Int64
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var g sync.WaitGroup
	for range crowd {
		f := e.fan()
		g.Go(func() {
			f.join()
			// Whoever is outside when the last slot is taken asks once more.
			for full := false; !full && ctx.Err() == nil; {
				full = inside.Load() >= most
				if a := f.claim(); a.StatusCode == http.StatusCreated {
					n := inside.Add(1)
					if allowed := int64(rate/2 + rate*time.Since(began).Seconds() + 1); n > allowed {
						t.Errorf("%d passes after %v, at %d a second", n, time.Since(began), rate)
					}
					return
				}
			}
		})
	}
	g.Wait()
	if n := inside.Load(); n != most {
		t.Errorf("%d are inside, max_active is %d and %d came", n, most, crowd)
	}
	if r := e.ops("GET", "/waiting_room/rooms/demo", "").json(t); r["inside"] != float64(most) {
		t.Errorf("%v", r)
	}
}

// brittle is a storage that refuses to store while broken.
type brittle struct {
	certmagic.Storage
	broken atomic.Bool
}

var errBroken = errors.New("the disk is full")

func (b *brittle) Store(ctx context.Context, key string, value []byte) error {
	if b.broken.Load() {
		return errBroken
	}
	return b.Storage.Store(ctx, key, value)
}

// TestNothingIsGrantedThatIsNotStored breaks the storage: a claim gets no answer that says yes, and one after the repair does.
func TestNothingIsGrantedThatIsNotStored(t *testing.T) {
	t.Parallel()
	text, err := pass.NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pass.ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	storage := &brittle{Storage: &certmagic.FileStorage{Path: t.TempDir()}}
	k := newKeeper("brittle", "edge")
	k.start(keeping{settings: room.Settings{Rate: 100}.WithDefaults(), storage: storage}, keys, zap.NewNop())
	h := &Handler{Room: "brittle", keeper: k, names: namesOf("brittle", ""), Place: caddy.Duration(time.Hour)}
	var v visit
	for v.place == "" {
		if v, err = h.join(t.Context(), room.Tid{1}, pass.Unbound); err != nil && !errors.Is(err, room.ErrAway) {
			t.Fatal(err)
		}
	}
	storage.broken.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil {
		if _, granted, err := h.claim(ctx, &v); granted && err == nil {
			t.Fatal("a pass was given that is not stored")
		}
	}
	storage.broken.Store(false)
	for granted := false; !granted; {
		if _, granted, err = h.claim(t.Context(), &v); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Destruct(); err != nil {
		t.Fatal(err)
	}
	snapshot, batches, found, err := newJournal(storage, "brittle").load(t.Context())
	if err != nil || !found || len(batches) != 0 || len(snapshot.Inside) != 1 {
		t.Errorf("after the stop: %d batches, %d inside, %v", len(batches), len(snapshot.Inside), err)
	}
	if _, _, err := h.claim(t.Context(), &v); !errors.Is(err, errNotReady) {
		t.Errorf("a claim after the stop: %v", err)
	}
}

// TestPassEnds waits for the end of a pass, and for its slot.
func TestPassEnds(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", strings.NewReplacer("pass 1m", "pass 1s", "max_active 3", "max_active 1").Replace(shop))
	f, next := e.fan(), e.fan()
	f.join()
	next.join()
	var passed string
	e.until("a claim finds no slot free", func() bool {
		began := time.Now()
		passed = f.enter()["pass"].(string)
		a := next.claim()
		if a.StatusCode == http.StatusCreated && time.Since(began) < 2*time.Second { // the pass and its grace; a slow machine tries again
			t.Fatalf("somebody was let in after %v, with the slot still taken", time.Since(began))
		}
		return a.StatusCode == http.StatusAccepted && a.Header.Get("Retry-After") != ""
	})
	e.until("the pass has ended", func() bool {
		return e.fan().do("GET", "/buy/", "", "Authorization", "WaitingRoom "+passed).StatusCode == http.StatusTooManyRequests
	})
	next.enter()
	if a := next.get("/buy/"); a.StatusCode != 200 {
		t.Errorf("the next one: %d", a.StatusCode)
	}
	if a := f.get("/.wr/v1/demo/place"); a.StatusCode != 200 {
		t.Errorf("the place outlives the pass: %d %s", a.StatusCode, a.text)
	}
}
