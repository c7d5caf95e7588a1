package order_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
)

// What is personal in the trade of these tests: the client's address, the pseudonym, a holder's name, where the bank sends the buyer back to.
var personal = []string{"192.0.2.1", "b_of_ada", "Ada Lovelace", "/tickets/of-ada"}

// named is an issued order of two seats with a holder's name.
func (w *world) named() uuid.UUID {
	w.t.Helper()
	o := w.opened(2, time.Minute)
	p, _, err := w.service.StartPayment(w.t.Context(), o.ID, uuid.New(), sandbox.Name, "/tickets/of-ada")
	if err != nil {
		w.t.Fatal(err)
	}
	w.buyer(p, "success")
	w.becomes(o.ID, order.Issued)
	tickets, err := w.ledger.TicketsOfOrder(w.t.Context(), o.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rules(ledger.TicketRules{Names: "optional", NameChanges: 3, Transfers: 3})
	if _, _, err := w.service.NameTicket(w.t.Context(), order.NameWish{Ticket: tickets[0].ID, Name: "Ada Lovelace", Request: uuid.New()}); err != nil {
		w.t.Fatal(err)
	}
	return o.ID
}

// dumped is everything that the ledger has, as text.
func (w *world) dumped() string {
	w.t.Helper()
	return string(pgTool(w.t, nil, "pg_dump", "--data-only", "--schema=ledger", "--dbname="+w.dsn))
}

// appendOnly are sums over all rows of the tables that nobody may change.
func (w *world) appendOnly() map[string]string {
	w.t.Helper()
	sums := map[string]string{}
	for _, table := range []string{"seat_movements", "flush_batches", "part_epochs", "order_events", "payment_events", "transfers", "ticket_transfers", "room_log"} {
		var sum string
		if err := w.ledger.SQL().QueryRowContext(w.t.Context(), "SELECT coalesce(md5(string_agg(x::text, '|' ORDER BY x::text)), '') FROM ledger."+table+" x").Scan(&sum); err != nil {
			w.t.Fatal(err)
		}
		sums[table] = sum
	}
	return sums
}

// After an erasure nothing personal of the order is anywhere in the ledger, what another buyer has is untouched, and so is every row that is hashed or
// append-only: the chain and the books add up as before.
func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.named()
	for _, text := range personal {
		if !strings.Contains(w.dumped(), text) {
			t.Fatalf("the trade has no %q: the test shows nothing", text)
		}
	}
	before := w.appendOnly()
	if _, err := w.ledger.Erase(t.Context(), id, "ops", false, w.now()); !errors.Is(err, ledger.ErrOrderLives) || !strings.Contains(err.Error(), "issued") {
		t.Errorf("an order whose event is to come: %v", err)
	}
	if _, err := w.ledger.Erase(t.Context(), uuid.New(), "ops", false, w.now()); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("an order that is not there: %v", err)
	}
	if got, err := w.ledger.OrdersOfBuyer(t.Context(), "b_of_ada"); err != nil || !slices.Equal(got, []uuid.UUID{id}) {
		t.Errorf("the buyer's orders: %v, %v", got, err)
	}
	erased, err := w.ledger.Erase(t.Context(), id, "ops", false, w.now().Add(48*time.Hour)) // the day after the event
	if err != nil || erased["ticket_holders"] != 1 || erased["payment_event_bodies"] != 1 || erased["orders"] != 1 {
		t.Errorf("erased %v, %v", erased, err)
	}
	text := w.dumped()
	for _, personal := range personal {
		if strings.Contains(text, personal) {
			t.Errorf("the ledger still has %q", personal)
		}
	}
	if after := w.appendOnly(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("append-only tables were\n%v, they are\n%v", before, after)
	}
	var audit string
	if err := w.ledger.SQL().QueryRowContext(t.Context(), "SELECT actor || ' ' || subject || ' ' || detail::text FROM ledger.audit_log WHERE action = 'privacy.erase'").Scan(&audit); err != nil ||
		!strings.HasPrefix(audit, "ops order "+id.String()) || !strings.Contains(audit, `"ticket_holders": 1`) {
		t.Errorf("the audit log says %q, %v", audit, err)
	}
	w.reconciles()
	if again, err := w.ledger.Erase(t.Context(), id, "ops", true, w.now()); err != nil || again["orders"] != 0 || again["ticket_holders"] != 0 {
		t.Errorf("a second time: %v, %v", again, err)
	}
}

// What is past its time ends in bounded portions, and nothing else does; the key that made a hold stays with it, for it would make the same hold again.
func TestRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.named()
	for range 3 {
		w.issued(1)
	}
	keep := ledger.Retention{ClientIP: time.Hour, Names: time.Hour, Messages: time.Hour, Webhooks: time.Hour}
	if ended, err := w.ledger.Retain(t.Context(), keep, 100, w.now()); err != nil || ended.More(1) {
		t.Errorf("before its time: %v, %v", ended, err)
	}
	keys := w.rowsOf("idempotency")
	before := w.appendOnly()
	later := w.now().Add(400 * 24 * time.Hour)
	sum := ledger.Ended{}
	for {
		ended, err := w.ledger.Retain(t.Context(), keep, 2, later)
		if err != nil {
			t.Fatal(err)
		}
		for kind, n := range ended {
			if n > 2 {
				t.Errorf("%d of %s at once, at most 2 were asked for", n, kind)
			}
			sum[kind] += n
		}
		if !ended.More(2) {
			break
		}
	}
	for kind, want := range map[string]int64{"payment_event_bodies": 4, "client_ip": 4, "ticket_holders": 1, "outbox": 4} {
		if sum[kind] != want {
			t.Errorf("%d of %s have ended, want %d", sum[kind], kind, want)
		}
	}
	if left := w.rowsOf("idempotency"); left != keys {
		t.Errorf("%d keys of requests are left of %d, and all of them made a hold or its order", left, keys)
	}
	if after := w.appendOnly(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("append-only tables were\n%v, they are\n%v", before, after)
	}
	w.reconciles()
}

// Each kind has a time of its own, and ends by it alone; without a word it is what docs/privacy.md says.
func TestRetentionTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.named()
	const day = 24 * time.Hour
	long := ledger.Retention{ClientIP: 100 * day, Names: 100 * day, Messages: 100 * day, Webhooks: 100 * day}
	for kind, shorten := range map[string]func(*ledger.Retention){
		"client_ip":            func(k *ledger.Retention) { k.ClientIP = 9 * day },
		"ticket_holders":       func(k *ledger.Retention) { k.Names = 9 * day },
		"outbox":               func(k *ledger.Retention) { k.Messages = 9 * day },
		"payment_event_bodies": func(k *ledger.Retention) { k.Webhooks = 9 * day },
	} {
		keep := long
		shorten(&keep)
		ended, err := w.ledger.Retain(t.Context(), keep, 100, w.now().Add(9*day-time.Minute))
		if err != nil || ended[kind] != 0 {
			t.Errorf("%s, a minute before its time: %v, %v", kind, ended, err)
		}
		ended, err = w.ledger.Retain(t.Context(), keep, 100, w.now().Add(11*day)) // the event begins tomorrow
		for k, n := range ended {
			if k != "idempotency" && (n > 0) != (k == kind) {
				t.Errorf("the time of %s is over: %d of %s have ended", kind, n, k)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// A service whose configuration says nothing keeps what it keeps as long as docs/privacy.md says.
func TestRetentionDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.named()
	left := func(after time.Duration) string {
		w.set(after, false)
		if err := w.service.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		var addresses, names int
		if err := w.ledger.SQL().QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM ledger.orders WHERE client_ip IS NOT NULL), (SELECT count(*) FROM ledger.ticket_holders WHERE erased_at IS NULL)`).
			Scan(&addresses, &names); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d addresses, %d names, %d messages, %d webhooks", addresses, names, w.rowsOf("outbox"), w.rowsOf("payment_event_bodies"))
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{30*day - time.Hour, "1 addresses, 1 names, 1 messages, 1 webhooks"}, {30*day + time.Hour, "0 addresses, 1 names, 0 messages, 1 webhooks"},
		{90*day - time.Hour, "0 addresses, 1 names, 0 messages, 1 webhooks"}, {90*day + time.Hour, "0 addresses, 1 names, 0 messages, 0 webhooks"},
		{91*day + time.Hour, "0 addresses, 0 names, 0 messages, 0 webhooks"},
	} {
		if got := left(c.after); got != c.want {
			t.Errorf("after %v there are %s, want %s", c.after, got, c.want)
		}
	}
}

func (w *world) rowsOf(table string) (n int) {
	w.t.Helper()
	if err := w.ledger.SQL().QueryRowContext(w.t.Context(), "SELECT count(*) FROM ledger."+table).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// Rows are deleted in one file only, and from these tables only: none of them is hashed.
func TestOnlyRetentionDeletes(t *testing.T) {
	t.Parallel()
	may := []string{"idempotency", "outbox", "payment_event_bodies", "waitlist"}
	deletes := regexp.MustCompile(`(?i)DELETE\s+FROM\s+ledger\.(\w+)`)
	files, _ := filepath.Glob("../../queries/*.sql") // the only error is a bad pattern
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range deletes.FindAllStringSubmatch(string(text), -1) {
			if filepath.Base(path) != "retention.sql" {
				t.Errorf("%s deletes from %s: rows are deleted in retention.sql only", path, found[1])
			} else if !slices.Contains(may, found[1]) {
				t.Errorf("retention.sql deletes from %s; it may from %v", found[1], may)
			}
		}
	}
}
