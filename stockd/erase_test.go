package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ticketrush/pass"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/serve"
)

// What was asked to be erased is erased or told, one by one: what is unknown, what is still needed, and what was erased before.
func TestEraseAtTheCommandLine(t *testing.T) {
	financeLedger(t)
	keys := filepath.Join(t.TempDir(), "secrets.keys")
	says(t, failure.Done, []string{"keys", "new", "--out", keys})
	t.Setenv("STOCKD_SECRETS_FILE", keys)
	text, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := pass.ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	const over, coming, unknown = "tkt_01890a5d-ac96-7774-bcce-b302099a8001", "tkt_01890a5d-ac96-7774-bcce-b302099a8002", "tkt_01890a5d-ac96-7774-bcce-b302099a8003"
	insertTickets(t, os.Getenv("STOCKD_POSTGRES"), serve.OwnerPseudonym(serve.BuyersKey(ring), "u_812"), over, coming)

	says(t, failure.Misused, []string{"erase", "--ticket", unknown}, "--ticket "+unknown+": the ledger has no such ticket")
	says(t, failure.Misused, []string{"erase", "--order", "ord_01890a5d-ac96-8774-bcce-b302099a8057"}, "--order ord_01890a5d-ac96-8774-bcce-b302099a8057: the ledger has no such order")
	says(t, failure.Failed, []string{"erase", "--ticket", coming}, coming+": the ticket is still needed: its event begins ", "--force")
	says(t, failure.Done, []string{"erase", "--ticket", over}, over+": erased 1 of ticket_holders, 1 of tickets\n")
	says(t, failure.Done, []string{"erase", "--ticket", strings.TrimPrefix(over, "tkt_")}, over+": erased there was nothing left\n")
	says(t, failure.Misused, []string{"erase", "--account", "u_813"}, "--account: the ledger has no ticket that was given to this account")
	says(t, failure.Misused, []string{"erase", "--buyer", "ada@example.org"}, "--buyer: the ledger has no order of this buyer")
	says(t, failure.Done, []string{"erase", "--account", "u_812", "--force"}, coming+": erased 1 of ticket_holders, 1 of tickets\n")
}

// insertTickets puts tickets into the ledger that were given to an account: the first of an event that is over, the others of one that is to come.
func insertTickets(t *testing.T, dsn, owner string, tickets ...string) {
	t.Helper()
	pool, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	db, err := pool.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(context.Background(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("SET session_replication_role = replica") // these rows have no sale behind them
	for i, ticket := range tickets {
		id := strings.TrimPrefix(ticket, "tkt_")
		exec(`INSERT INTO ledger.events(id, uid, slug, name, chart, state, starts_at, currency, hold_ttl_s, max_hold_ttl_s, limit_tid, limit_account, limit_document) OVERRIDING SYSTEM VALUE
			VALUES ($1, gen_random_uuid(), $3, 'Gala', 1, 'on_sale', $2, 'EUR', 600, 1200, 0, 0, 0)`, i+1, time.Now().Add(time.Duration(2*i-1)*24*time.Hour), fmt.Sprint("gala-", i+1))
		exec("INSERT INTO ledger.orders(id, event, hold, state, ver, buyer_ref, total, currency, hold_until) VALUES ($1, $2, $1, 4, 4, 'b_1', 1, 'EUR', now())", id, i+1)
		exec("INSERT INTO ledger.tickets(id, order_id, event, seat, sold_ver, type, code, transferred, owner_ref) VALUES ($1, $1, $2, 1, 1, 0, 'code', true, $3)", id, i+1, owner)
		exec("INSERT INTO ledger.ticket_holders(ticket, name, salt, set_at) VALUES ($1, 'Grace', $2, now())", id, make([]byte, 16))
	}
}
