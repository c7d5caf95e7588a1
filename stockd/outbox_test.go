package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/admin"
)

// Calls that were given up are listed and tried again at the command line; what is asked for wrongly is told with what to do.
func TestOutboxAtTheCommandLine(t *testing.T) {
	t.Parallel()
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	dsn := server.DSN("postgres")
	if _, err := ledger.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	config := write(t, "stockd.toml", "postgres = \""+dsn+"\"\n")
	outbox := func(code int, args ...string) string {
		t.Helper()
		got, out, errs := stockd(t, append([]string{"outbox"}, append(args, "--config", config)...)...)
		if got != code {
			t.Fatalf("%v: exit code %d, want %d: %s%s", args, got, code, out, errs)
		}
		return out + errs
	}
	says := func(text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("it does not say %q:\n%s", want, text)
			}
		}
	}
	says(outbox(0, "list"), "nothing waits")
	insert(t, dsn)
	says(outbox(0, "list"), "refund", "stripe cs_1, 1064 EUR", "no such key", "given up", "void", "again at", "ord_7")
	dead := outbox(0, "list", "--dead")
	says(dead, "refund", "unsell")
	if strings.Contains(dead, "void") {
		t.Errorf("a call that waits is among those that were given up:\n%s", dead)
	}
	var calls []admin.Call
	if err := json.Unmarshal([]byte(outbox(0, "list", "--json")), &calls); err != nil || len(calls) != 3 || calls[0].DeadAt == nil || calls[2].DeadAt != nil {
		t.Errorf("as JSON: %+v, %v", calls, err)
	}
	says(outbox(2, "retry"), "--all", "stockd outbox list --dead")
	says(outbox(2, "retry", "1", "--all"), "one of them")
	says(outbox(2, "retry", "first"), `"first" is no number`)
	says(outbox(2, "retry", "0"), `"0" is no number`)
	says(outbox(2, "retry", "99"), "no call with the number 99", "stockd outbox list")
	says(outbox(0, "retry", "1"), "1 calls are due now")
	says(outbox(0, "retry", "--all"), "1 calls are due now")
	says(outbox(0, "retry", "--all"), "0 calls are due now")
	says(outbox(0, "list", "--dead"), "nothing waits")
}

// insert puts two calls that were given up, one that waits and one that is done into the outbox.
func insert(t *testing.T, dsn string) {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), `INSERT INTO ledger.outbox(dedup, topic, payload, attempts, due_at, dead_at, done_at, last_error) VALUES
		('a', 'refund', '{"provider":"stripe","ref":"cs_1","amount":1064,"currency":"EUR"}', 12, now(), now(), NULL, 'no such key'),
		('b', 'void', '{"provider":"stripe","ref":"cs_2"}', 2, now() + interval '1 hour', NULL, NULL, 'timeout'),
		('c', 'unsell', '{"order":"7"}', 12, now(), now(), NULL, 'x'), ('d', 'void', '{}', 1, now(), NULL, now(), NULL)`); err != nil {
		t.Fatal(err)
	}
}
