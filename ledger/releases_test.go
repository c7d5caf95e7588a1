package ledger_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"ticketrush/ledger"
)

func TestReleasesAreHeardAtOnce(t *testing.T) {
	t.Parallel()
	dsn := database(t).DSN
	b := newBench(t, dsn)
	mine := b.session1("n1", time.Minute)
	got, err := b.db.Claim(t.Context(), mine, "n1", []int32{30, 31, 32})
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	told, done := make(chan []int32, 16), make(chan error, 1)
	go func() { done <- b.db.Releases(ctx, func(parts []int32) { told <- parts }) }()
	hear := func(want ...int32) {
		t.Helper()
		select {
		case parts := <-told:
			if !slices.Equal(parts, want) {
				t.Fatalf("heard %v, want %v", parts, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("heard nothing, want %v", want)
		}
	}
	release := func(parts ...int32) {
		t.Helper()
		var list []ledger.PartRelease
		for _, p := range parts {
			list = append(list, ledger.PartRelease{Part: p, Epoch: got[0].Epoch})
		}
		if err := b.db.ReleaseParts(t.Context(), mine, list); err != nil {
			t.Fatal(err)
		}
	}
	hear() // the connection stands
	release(30, 31)
	hear(30, 31)
	release(30) // given up before: no news
	raw, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	run := func(statement string) {
		t.Helper()
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run(`NOTIFY ledger_part_released, 'x,-1,99999999999,7,'`)
	hear(7)
	run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
	hear() // a new connection: something may have been missed
	release(32)
	hear(32)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
