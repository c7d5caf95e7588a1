package ledger_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	signednote "golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"ticketrush/ledger"
	"ticketrush/ledger/finance"
	"ticketrush/ledger/reconcile"
)

// closer closes days of a trade, a day after each other.
type closer struct {
	*trade
	desk   *finance.Desk
	key    signednote.Signer
	public signednote.Verifier
	file   string
	clock  time.Time
}

func newCloser(t *testing.T) *closer {
	t.Helper()
	return newCloserAt(t, database(t).DSN)
}

func newCloserAt(t *testing.T, dsn string) *closer {
	t.Helper()
	secret, public, err := signednote.GenerateKey(rand.Reader, "ledger.test")
	if err != nil {
		t.Fatal(err)
	}
	c := &closer{trade: newTrade(t, dsn, 0), file: filepath.Join(t.TempDir(), "checkpoints.jsonl")}
	c.desk = finance.New(c.db)
	if c.key, err = signednote.NewSigner(secret); err != nil {
		t.Fatal(err)
	}
	if c.public, err = signednote.NewVerifier(public); err != nil {
		t.Fatal(err)
	}
	c.clock = time.Now()
	return c
}

// close closes the open day as the clock says, and lets a day pass.
func (c *closer) close(accept string) ([]finance.Closed, *reconcile.Report, error) {
	today := c.clock.UTC().Truncate(24 * time.Hour)
	done, report, err := c.desk.Close(c.t.Context(), finance.CloseOptions{Day: today, Key: c.key, By: "tester", Accept: accept, Now: c.clock})
	if err == nil {
		c.clock = c.clock.Add(24 * time.Hour)
	}
	return done, report, err
}

func (c *closer) mustClose() finance.Closed {
	c.t.Helper()
	done, report, err := c.close("")
	if err != nil {
		c.t.Fatalf("%v: %+v", err, report)
	}
	return done[len(done)-1]
}

func (c *closer) publish() int {
	c.t.Helper()
	n, err := c.desk.Publish(c.t.Context(), c.file)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *closer) published() []byte {
	c.t.Helper()
	text, err := os.ReadFile(c.file)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// printed is a proof as it comes out of the command and goes in again.
func (c *closer) printed(p *finance.Proof, err error) *finance.Proof {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		c.t.Fatal(err)
	}
	if p, err = finance.ReadProof(text); err != nil {
		c.t.Fatal(err)
	}
	return p
}

func TestCloseAndProve(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	c.sale(2, 0)
	c.orphan("JPY", 900, 0, true)
	first := c.mustClose()
	c.sale(1, 0)
	c.late(1, 0)
	second := c.mustClose()
	third := c.mustClose() // nothing was posted
	if first.Transfers == 0 || second.Size != first.Size+second.Transfers || third.Size != second.Size || third.Transfers != 0 {
		t.Errorf("sizes %+v, %+v, %+v", first, second, third)
	}
	if n := c.publish(); n != 3 {
		t.Errorf("%d checkpoints were published, want 3", n)
	}
	if n, err := c.desk.CheckPublished(t.Context(), c.published(), c.public); err != nil || n != 3 {
		t.Errorf("published: %d, %v", n, err)
	}
	if r := c.reconcile(reconcile.Options{}); !r.OK {
		t.Errorf("%d breaks", r.Breaks())
	}
	n := c.number("SELECT count(*) FROM ledger.transfers")
	for id := range n {
		p := c.printed(c.desk.Prove(t.Context(), int64(c.number("SELECT id FROM ledger.transfers ORDER BY id OFFSET $1 LIMIT 1", id))))
		if got, err := p.Verify(c.public); err != nil || got.Size != third.Size || got.Day != third.Day {
			t.Fatalf("transfer %d: %+v, %v", p.Transfer.ID, got, err)
		}
		p.Transfer.Debit = "4000"
		if _, err := p.Verify(c.public); !errors.Is(err, finance.ErrProof) {
			t.Fatalf("a changed transfer is proven: %v", err)
		}
	}
	days := []time.Time{c.clock.AddDate(0, 0, -3).UTC().Truncate(24 * time.Hour), c.clock.AddDate(0, 0, -2).UTC().Truncate(24 * time.Hour), c.clock.AddDate(0, 0, -1).UTC().Truncate(24 * time.Hour)}
	for i, older := range days {
		for _, newer := range days[i:] {
			p := c.printed(c.desk.ProveConsistency(t.Context(), older, newer))
			if _, err := p.Verify(c.public); err != nil {
				t.Errorf("%v → %v: %v", older, newer, err)
			}
		}
	}
	p := c.printed(c.desk.ProveConsistency(t.Context(), days[0], days[1]))
	p.Proof[0][0]++
	if _, err := p.Verify(c.public); !errors.Is(err, finance.ErrProof) {
		t.Errorf("a changed proof holds: %v", err)
	}
}

func TestProofsOfWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	c.orphan("EUR", 900, 0, true)
	if _, err := c.desk.Prove(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "not signed yet: run stockd close-day first") {
		t.Error(err)
	}
	c.mustClose()
	if _, err := c.desk.Prove(t.Context(), 99); !errors.Is(err, finance.ErrNoTransfer) {
		t.Error(err)
	}
	_, other, err := signednote.GenerateKey(rand.Reader, "ledger.test")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := signednote.NewVerifier(other)
	if err != nil {
		t.Fatal(err)
	}
	p := c.printed(c.desk.Prove(t.Context(), 1))
	if _, err := p.Verify(stranger); !errors.Is(err, finance.ErrCheckpoint) {
		t.Errorf("a checkpoint of another key: %v", err)
	}
	if _, _, err := c.desk.Close(t.Context(), finance.CloseOptions{Key: c.key, Now: c.clock}); err != nil && !errors.Is(err, finance.ErrDay) {
		t.Error(err)
	}
	for name, o := range map[string]finance.CloseOptions{
		"not over":     {Key: c.key, Now: c.clock.Add(-time.Hour)},
		"not begun":    {Key: c.key, Now: c.clock.Add(-24 * time.Hour), Day: c.clock.UTC().Truncate(24 * time.Hour)},
		"no such day":  {Key: c.key, Now: c.clock, Day: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		"reason lines": {Key: c.key, Now: c.clock, Accept: "a\nb"},
	} {
		if _, _, err := c.desk.Close(t.Context(), o); !errors.Is(err, finance.ErrDay) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClosingGoesOn: a closing that ended anywhere is finished by the next.
func TestClosingGoesOn(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	c.sale(1, 0)
	today := c.clock.UTC().Truncate(24 * time.Hour)
	c.exec("SELECT ledger.close_open_day($1, $1, now())", today) // and then it crashed
	c.mustClose()
	c.sale(1, 0)
	c.mustClose()
	c.publish()
	whole := c.published()
	for cut := range whole {
		if cut%97 != 0 {
			continue // each takes a while
		}
		if err := os.WriteFile(c.file, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		c.publish()
		there, err := finance.ReadPublished(c.published())
		if err != nil || len(there) != 2 {
			t.Fatalf("cut at %d: %d checkpoints, %v\n%s", cut, len(there), err, c.published())
		}
		if _, err := c.desk.CheckPublished(t.Context(), c.published(), c.public); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	again, _, err := c.desk.Close(t.Context(), finance.CloseOptions{Day: today, Key: c.key, Now: c.clock})
	if err != nil || len(again) != 1 || again[0].Report != nil || !strings.Contains(again[0].Checkpoint, "day "+today.Format(time.DateOnly)) {
		t.Errorf("closing a day again: %+v, %v", again, err)
	}
}

func TestBreaksRefuseTheSignature(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	c.sale(1, 0)
	c.exec("SELECT ledger.post('by hand', 1::smallint, '1100:sandbox', '1200', 'EUR', 7, NULL, ledger.open_day(), now())")
	done, report, err := c.close("")
	if !errors.Is(err, finance.ErrBreaks) || len(done) != 0 || report.Breaks() == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if n := c.number("SELECT count(*) FROM ledger.business_days WHERE closed_at IS NOT NULL"); n != 1 {
		t.Errorf("%d days are closed", n)
	}
	done, _, err = c.close("the bank has been told, case 7")
	if err != nil || len(done) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	cp, err := finance.OpenCheckpoint(done[0].Checkpoint, c.public)
	if err != nil || cp.Breaks != report.Breaks() || cp.Accepted != "the bank has been told, case 7" {
		t.Errorf("%+v, %v", cp, err)
	}
	if n := c.number("SELECT count(*) FROM ledger.day_closings WHERE accepted = 'the bank has been told, case 7' AND breaks > 0"); n != 1 {
		t.Error("the ledger does not say why it was signed")
	}
}

// TestClosingUnderLoad closes days while others post without a pause: nobody fails, nobody waits for long, and nothing lands in a day that is closed.
func TestClosingUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	started := make(chan bool, 8)
	for range cap(started) {
		writers.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				fact := ledger.PaymentFact{Provider: bank, ID: uuid.NewString(), Ref: uuid.NewString(), Kind: "captured", Amount: 5, Currency: "EUR", At: c.now}
				if _, err := c.db.PaymentTake(context.WithoutCancel(ctx), []ledger.PaymentFact{fact}, c.now); err != nil {
					t.Errorf("a fact was not taken: %v", err)
					started <- false
					return
				}
				if first {
					started <- true
				}
			}
		})
	}
	for range cap(started) {
		<-started
	}
	var sizes []int64
	for range 4 {
		done, report, err := c.close("orphans are on their way")
		if err != nil {
			t.Fatalf("%v %v", err, report)
		}
		sizes = append(sizes, done[0].Transfers)
	}
	stop()
	writers.Wait()
	for i, n := range sizes {
		if n == 0 {
			t.Errorf("nothing was posted on day %d: %v", i, sizes)
		}
	}
	if r := c.reconcile(reconcile.Options{}); len(brokenBy(r, "closed days", "balances")) > 0 {
		t.Errorf("after the closings: %v", brokenBy(r, "closed days", "balances"))
	}
	yesterday := c.clock.AddDate(0, 0, -1).UTC().Truncate(24 * time.Hour)
	_, err := c.db.SQL().ExecContext(t.Context(), `INSERT INTO ledger.transfers(source, leg, debit, credit, currency, amount, day, effective_at) VALUES ('late', 1, '2900', '1100:sandbox', 'EUR', 1, $1, now())`, yesterday)
	if err == nil || !strings.Contains(err.Error(), "is closed or unknown") {
		t.Errorf("a posting to a closed day: %v", err)
	}
	for _, statement := range []string{"UPDATE ledger.business_days SET closed_at = NULL WHERE day = $1", "DELETE FROM ledger.business_days WHERE day = $1", "UPDATE ledger.day_closings SET breaks = 0 WHERE day = $1"} {
		if _, err := c.db.SQL().ExecContext(t.Context(), statement, yesterday); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func brokenBy(r *reconcile.Report, names ...string) (found []reconcile.Break) {
	for _, c := range r.Checks {
		for _, n := range names {
			if c.Name == n {
				found = append(found, c.Breaks...)
			}
		}
	}
	return found
}

// TestTamperingIsSeen: somebody who may do anything in the database changes what was closed.
func TestTamperingIsSeen(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	c.sale(2, 0)
	c.mustClose()
	c.sale(1, 0)
	c.mustClose()
	c.publish()
	tamper := func(statements ...string) {
		t.Helper()
		c.exec("SET session_replication_role = replica; " + strings.Join(statements, "; ") + "; SET session_replication_role = origin")
	}
	for name, s := range map[string]struct{ do, undo, row string }{
		"amount":  {"UPDATE ledger.transfers SET amount = amount + 1 WHERE id = 2", "UPDATE ledger.transfers SET amount = amount - 1 WHERE id = 2", "transfers 2"},
		"account": {"UPDATE ledger.transfers SET credit = '4000' WHERE id = 1", "UPDATE ledger.transfers SET credit = (SELECT account FROM ledger.accounts WHERE account LIKE '2400:%') WHERE id = 1", "transfers 1"},
		"time":    {"UPDATE ledger.transfers SET effective_at = effective_at + interval '1 microsecond' WHERE id = 3", "UPDATE ledger.transfers SET effective_at = effective_at - interval '1 microsecond' WHERE id = 3", "transfers 3"},
		"deleted": {"CREATE TABLE kept AS SELECT * FROM ledger.transfers WHERE id = 2; DELETE FROM ledger.transfers WHERE id = 2", "INSERT INTO ledger.transfers OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept", "transfers 3"},
	} {
		tamper(s.do)
		found := brokenBy(c.reconcile(reconcile.Options{}), "closed days")
		if len(found) < 2 || found[1].Row != s.row {
			t.Errorf("%s: reconcile found %v, want %s", name, found, s.row)
		}
		if _, err := c.desk.CheckPublished(t.Context(), c.published(), c.public); !errors.Is(err, finance.ErrPublished) {
			t.Errorf("%s: compared with what was published: %v", name, err)
		}
		tamper(s.undo)
		if found := brokenBy(c.reconcile(reconcile.Options{}), "closed days", "balances", "signed stock"); len(found) > 0 {
			t.Fatalf("%s: not undone: %v", name, found)
		}
	}
	tamper("UPDATE ledger.flush_batches SET hash = sha256('x') WHERE (part, seq) = (SELECT part, applied_seq FROM ledger.part WHERE applied_seq > 0 LIMIT 1)")
	if found := brokenBy(c.reconcile(reconcile.Options{}), "signed stock"); len(found) != 1 {
		t.Errorf("a changed chain of stock: %v", found)
	}
	// Even who makes everything in the database fit again, with the closer's own key, cannot change what was published.
	tamper("UPDATE ledger.transfers SET amount = amount + 1 WHERE id = 2", "DELETE FROM ledger.day_closings", "DELETE FROM ledger.merkle_hashes", "DELETE FROM ledger.account_day_balances", "DELETE FROM ledger.day_closing_parts")
	if _, _, err := c.close("nothing to see"); err != nil {
		t.Fatal(err)
	}
	if found := brokenBy(c.reconcile(reconcile.Options{}), "closed days", "balances"); len(found) > 0 {
		t.Errorf("it does not fit: %v", found)
	}
	if _, err := c.desk.CheckPublished(t.Context(), c.published(), c.public); !errors.Is(err, finance.ErrPublished) {
		t.Errorf("compared with what was published: %v", err)
	}
	if _, err := c.desk.Publish(t.Context(), c.file); !errors.Is(err, finance.ErrPublished) {
		t.Errorf("published again: %v", err)
	}
}

// TestLeafInGoAndInSQL: whatever a transfer says, both make the same leaf of it.
func TestLeafInGoAndInSQL(t *testing.T) {
	t.Parallel()
	c := newCloser(t)
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("aZ:é\\'東\t ")), 1, 12, -1)
		source, debit, credit := uuid.NewString()+text.Draw(rt, "source"), "d"+text.Draw(rt, "debit"), "c"+text.Draw(rt, "credit")
		at := time.UnixMicro(rapid.Int64Range(-1e15, 4e15).Draw(rt, "at"))
		order := uuid.NullUUID{Valid: rapid.Bool().Draw(rt, "of an order")}
		if order.Valid {
			order.UUID = uuid.New()
		}
		c.exec("SELECT ledger.post($1, $2::smallint, $3, $4, 'KWD', $5, $6, ledger.open_day(), $7)", source, rapid.Int16Range(0, 99).Draw(rt, "leg"), debit, credit,
			rapid.Int64Range(1, 1<<62).Draw(rt, "amount"), order, at)
		var id int64
		var leaf []byte
		if err := c.db.SQL().QueryRowContext(t.Context(), "SELECT id, ledger.transfer_leaf(t) FROM ledger.transfers t WHERE source = $1", source).Scan(&id, &leaf); err != nil {
			rt.Fatal(err)
		}
		got, err := c.desk.Transfer(t.Context(), id)
		if err != nil {
			rt.Fatal(err)
		}
		ours, err := got.Leaf()
		if err != nil || !bytes.Equal(ours, leaf) {
			rt.Fatalf("%+v: %v\n%x\n%x", got, err, ours, leaf)
		}
	})
}
