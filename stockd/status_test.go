package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/room"
)

// A node as it is served runs a room that an edge enters: status, the admin page's document and the metrics show it, and the room outlives the node.
func TestANodeRunsRoomsAndShowsThem(t *testing.T) {
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if _, err := ledger.Migrate(t.Context(), server.DSN("postgres")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for kind, name := range map[string]string{"new": "secrets", "internal": "internal"} {
		if code, _, errs := stockd(t, "keys", kind, "--out", file(name)); code != 0 {
			t.Fatal(errs)
		}
	}
	var addr [3]string
	for i := range addr {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr[i] = l.Addr().String()
		l.Close()
	}
	config := write(t, "stockd.toml", `node = "n1"
api_addr = "`+addr[0]+`"
internal_addr = "`+addr[1]+`"
gossip_addr = "`+addr[2]+`"
postgres = "`+server.DSN("postgres")+`"
secrets_file = "`+file("secrets")+`"
room_keys_file = "`+file("secrets")+`"
internal_key_file = "`+file("internal")+`"
`)
	if code, _, errs := stockd(t, "apikey", "create", "--config", config, "--person", "a test", "--out", file("api"), "ops"); code != 0 {
		t.Fatal(errs)
	}
	internal, err := os.ReadFile(file("internal"))
	if err != nil {
		t.Fatal(err)
	}
	var admitted int64
	for _, first := range []bool{true, false} {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan int)
		var errs strings.Builder
		go func() { ended <- run(ctx, []string{"serve", "--config", config}, console{out: io.Discard, err: &errs}) }()
		c, err := client.New(client.Config{Seeds: []string{addr[1]}, InternalKey: strings.TrimSpace(string(internal))})
		if err != nil {
			t.Fatal(err)
		}
		if at := letIn(t, c.Room("spring"), first); !first && at != admitted {
			t.Errorf("after a restart somebody is inside since %d who was let in at %d", at, admitted)
		} else {
			admitted = at
		}
		code, out, problem := stockd(t, "status", "--url", "http://"+addr[0], "--api-key-file", file("api"))
		for _, want := range []string{"n1", "ROOM", "spring", "open", "of 7", "3/s"} {
			if code != 0 || !strings.Contains(out, want) {
				t.Errorf("status: exit code %d, it does not show %q:\n%s%s", code, want, out, problem)
			}
		}
		metrics := body(t, "http://"+addr[0]+"/metrics")
		for _, want := range []string{`ticketrush_room_owned{room="spring"} 1`, `ticketrush_room_edges{room="spring"} 1`, `ticketrush_room_max_active{room="spring"} 7`, `ticketrush_room_syncs_total{result="ok",room="spring"}`, "ticketrush_room_strain "} {
			if !strings.Contains(metrics, want) {
				t.Errorf("the metrics do not have %s", want)
			}
		}
		c.Close()
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("the node ends with %d\n%s", code, errs.String())
		}
	}
}

// letIn enters the room, and has somebody join and claim, who may be inside already. It gives since when they are.
func letIn(t *testing.T, r *client.Room, first bool) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		entered, err := r.Enter(ctx, room.Settings{Rate: 3, MaxActive: 7})
		if err == nil && entered.Created == first {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the room cannot be entered: %+v, %v", entered, err)
		}
	}
	now := time.Now()
	e := room.NewEdge("a", uint64(now.UnixNano()), now)
	tid, rank := room.Tid{1}, uint64(0)
	for ctx.Err() == nil {
		sent := time.Now()
		report := e.Report(sent)
		answer, err := r.Sync(ctx, &report)
		if err != nil {
			continue
		}
		e.Took(sent, time.Now(), &report, answer)
		if rank == 0 {
			if rank, err = e.Join(time.Now(), tid, room.ClassArrival); err != nil {
				t.Fatal(err)
			}
		}
		if claimed, err := r.Claim(ctx, room.Claim{Tid: tid, Rank: rank, Until: time.Now().Add(time.Second)}); err == nil && claimed.Granted {
			return claimed.Session.Admitted
		}
	}
	t.Fatal("nobody is let in")
	return 0
}

func body(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
