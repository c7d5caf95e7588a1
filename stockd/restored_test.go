package main

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/pass"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/order"
	"ticketrush/stockd/serve"
)

// The codes of tickets come from scanners and mailboxes: each line that is no ticket is named, and the others are compared all the same.
func TestReconcileTicketsAndRestored(t *testing.T) {
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if _, err := ledger.Migrate(t.Context(), server.DSN("postgres")); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "secrets.keys")
	if code, _, errs := stockd(t, "keys", "new", "--out", keys); code != 0 {
		t.Fatal(errs)
	}
	text, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := pass.ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	code := func(key ed25519.PrivateKey) string {
		return order.TicketCode{KeyID: 1, Event: uuid.New(), Ticket: uuid.New(), Seat: 1<<24 | 7, ValidFrom: time.Now(), ValidUntil: time.Now().Add(time.Hour)}.Sign(key)
	}
	_, another, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	codes := write(t, "codes", code(serve.TicketKey(ring))+"\n\nrubbish\n"+code(another)+"\n")
	t.Setenv("STOCKD_POSTGRES", server.DSN("postgres"))
	if exit, _, errs := stockd(t, "reconcile", "--tickets", codes); exit != failure.Misused || !strings.Contains(errs, "secrets_file") {
		t.Errorf("without the key: %d\n%s", exit, errs)
	}
	t.Setenv("STOCKD_SECRETS_FILE", keys)
	exit, out, errs := stockd(t, "reconcile", "--tickets", codes)
	for _, want := range []string{"3 BROKEN", "line 1: ticket", "neither the ticket nor its event", "line 3: not a valid ticket code", "line 4: not a valid ticket code", "not of this key"} {
		if exit != failure.Failed || !strings.Contains(out, want) {
			t.Errorf("exit code %d, it does not say %q:\n%s%s", exit, want, out, errs)
		}
	}
	exit, out, errs = stockd(t, "restored", "--why", "a test")
	if exit != failure.Done || !strings.Contains(out, "4096 partitions have new epochs") || !strings.Contains(out, "reconcile --tickets") {
		t.Errorf("%d\n%s%s", exit, out, errs)
	}
	if exit, out, errs := stockd(t, "reconcile"); exit != failure.Done {
		t.Errorf("after it: %d\n%s%s", exit, out, errs)
	}
}
