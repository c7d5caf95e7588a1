package main

import (
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/failure"
)

// What finance says of an event that took place, and of money that was sent, is checked word by word.
func TestOrganiser(t *testing.T) {
	financeLedger(t)
	says(t, failure.Failed, []string{"organiser", "recognise", "gala"}, `event "gala"`, "not")
	for args, want := range map[[3]string]string{
		{"jazz-club", "1,5", "EUR"}: "1,5", {"jazz-club", "1.005", "EUR"}: "1.005", {"jazz-club", "0", "EUR"}: "more than nothing", {"jazz-club", "1", "XXQ"}: "XXQ",
	} {
		says(t, failure.Misused, []string{"organiser", "payout", args[0], args[1], args[2], "--reference", "r"}, want)
	}
	says(t, failure.Misused, []string{"organiser", "payout", "jazz-club", "1", "EUR"}, "--reference")
	says(t, failure.Failed, []string{"organiser", "payout", "jazz-club", "1", "EUR", "--reference", "r"}, "more than is owed", "stockd organiser show")

	db, err := ledger.Open(t.Context(), os.Getenv("STOCKD_POSTGRES"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	chart, err := db.ChartInsert(t.Context(), ledger.Chart{UID: uuid.New(), Name: "hall", Body: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := db.SQL().ExecContext(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO ledger.events(uid, slug, name, chart, state, starts_at, currency, hold_ttl_s, max_hold_ttl_s, limit_tid, limit_account, limit_document, organiser)
		VALUES ($1, 'gala', 'Gala', $2, 'on_sale', $3, 'EUR', 600, 1200, 0, 0, 0, 'jazz-club')`, uuid.New(), chart, time.Now().Add(time.Hour))
	says(t, failure.Failed, []string{"organiser", "recognise", "gala"}, "gala: the event has not begun")
	exec(`UPDATE ledger.events SET starts_at = now() - interval '1 hour'`)
	says(t, failure.Failed, []string{"organiser", "recognise", "gala"}, "not closed yet", "stockd event close gala")
	exec(`UPDATE ledger.events SET state = 'closed'`)
	says(t, failure.Done, []string{"organiser", "recognise", "gala"}, "gala: there is nothing to post")
	exec(`SELECT ledger.post('test', 1::smallint, '1200', '2400:' || e.id, 'EUR', 12345, NULL, ledger.open_day(), now()) FROM ledger.events e`)
	says(t, failure.Done, []string{"organiser", "recognise", "gala"}, "posted to its organiser (2200:jazz-club)")
	says(t, failure.Done, []string{"organiser", "payout", "jazz-club", "100.45", "EUR", "--reference", "SEPA 1"}, "recorded: 100.45 EUR to jazz-club (2200:jazz-club → 1000)")
	says(t, failure.Done, []string{"organiser", "payout", "jazz-club", "100.45", "EUR", "--reference", "SEPA 1"}, "recorded before")
	says(t, failure.Failed, []string{"organiser", "payout", "jazz-club", "1", "EUR", "--reference", "SEPA 1"}, "another payout")
	says(t, failure.Done, []string{"organiser", "show"}, "jazz-club                EUR              123.45           0.00         100.45          23.00")
	says(t, failure.Done, []string{"organiser", "show", "--json"}, `"owed":2300`)
}
