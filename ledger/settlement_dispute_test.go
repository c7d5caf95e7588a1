package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// accounts are the balances of accounts in EUR, debit less credit.
func (x *trade) accounts(names ...string) string {
	x.t.Helper()
	var text string
	for _, name := range names {
		text += fmt.Sprintf("%s %d, ", name, x.number("SELECT coalesce(sum(CASE WHEN debit = $1 THEN amount ELSE -amount END), 0) FROM ledger.transfers WHERE $1 IN (debit, credit) AND currency = 'EUR'", name))
	}
	return text
}

// clearing is the sandbox's clearing account in EUR, explained.
func (x *trade) clearing() string {
	x.t.Helper()
	var balance, transit, broken, provider, unexplained int64
	if err := x.db.SQL().QueryRowContext(x.t.Context(), "SELECT balance, in_transit, broken, at_provider, unexplained FROM ledger.v_clearing_accounts WHERE provider = 'sandbox' AND currency = 'EUR'").
		Scan(&balance, &transit, &broken, &provider, &unexplained); err != nil {
		x.t.Fatal(err)
	}
	return fmt.Sprintf("%d: in transit %d, broken %d, at the bank %d, unexplained %d", balance, transit, broken, provider, unexplained)
}

// Chargebacks as both sides have them: what is said of them, and that the clearing account is explained while one side is ahead of the other.
func TestDisputesInTheSettlement(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		ago     time.Duration
		ends    []string
		lines   []int // of charge, taken, given back, which the bank has settled
		verdict string
		explain string
	}{
		"opened, not settled yet":             {day, nil, []int{0}, "", "-30: in transit -5300, broken 0, at the bank 5270, unexplained 0"},
		"opened, never settled":               {20 * day, nil, []int{0}, "disputed", "-30: in transit 0, broken -5300, at the bank 5270, unexplained 0"},
		"opened, settled":                     {day, nil, []int{0, 1}, "", "-1530: in transit 0, broken 0, at the bank -1530, unexplained 0"},
		"nothing is settled yet":              {day, []string{"won"}, nil, "", "5300: in transit 5300, broken 0, at the bank 0, unexplained 0"},
		"won, nothing of the dispute settled": {day, []string{"won"}, []int{0}, "", "5270: in transit 0, broken 0, at the bank 5270, unexplained 0"},
		"won, the money is on its way back":   {day, []string{"won"}, []int{0, 1}, "", "3770: in transit 5300, broken 0, at the bank -1530, unexplained 0"},
		"won, the money never came back":      {20 * day, []string{"won"}, []int{0, 1}, "disputed", "3770: in transit 0, broken 5300, at the bank -1530, unexplained 0"},
		"won, given back before it was taken": {day, []string{"won"}, []int{0, 2}, "", "6770: in transit -5300, broken 0, at the bank 12070, unexplained 0"},
		"won, settled, with the fee":          {20 * day, []string{"won"}, []int{0, 1, 2}, "", "5270: in transit 0, broken 0, at the bank 5270, unexplained 0"},
		"lost, settled":                       {20 * day, []string{"lost"}, []int{0, 1}, "", "-1530: in transit 0, broken 0, at the bank -1530, unexplained 0"},
		"lost, never settled":                 {20 * day, []string{"lost"}, []int{0}, "disputed", "-30: in transit 0, broken -5300, at the bank 5270, unexplained 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTrade(t, database(t).DSN, c.ago)
			_, ref := x.sale(1, 30)
			x.dispute(ref, 5300, 1500, 1500, c.ends...)
			if len(c.ends) == 0 || c.ends[0] != "won" {
				x.settled("dispute", ref, "EUR", 5300, -1500) // so that each case has three lines
			}
			settled := x.lines[:0:0]
			for _, i := range c.lines {
				settled = append(settled, x.lines[i])
			}
			if len(settled) > 0 {
				x.importLines(plain, settled)
			}
			want := "map[]"
			if c.verdict != "" {
				want = fmt.Sprintf("map[%s:%s]", ref, c.verdict)
			}
			if got := fmt.Sprint(x.verdicts()); got != want {
				t.Errorf("found %s, want %s", got, want)
			}
			if got := x.clearing(); got != c.explain {
				t.Errorf("clearing is %s, want %s", got, c.explain)
			}
			if breaks := x.money(); len(breaks["clearing"]) > 0 || len(breaks["trial balance"]) > 0 {
				t.Errorf("%v", breaks)
			}
		})
	}
}

// A bank takes money back that the ledger knows nothing of: that is told at once, however fresh the payment is. When the webhook comes after all it fits.
func TestDisputeThatNobodyTold(t *testing.T) {
	t.Parallel()
	x := newTrade(t, database(t).DSN, 24*time.Hour)
	_, ref := x.sale(2, 30)
	x.named(ref)
	x.settled("dispute", ref, "EUR", -10600, 1500)
	x.importLines(plain, x.lines)
	if found := x.verdicts(); len(found) != 1 || found[ref] != "disputed" {
		t.Errorf("found %v", found)
	}
	before := len(x.lines)
	x.dispute(ref, 10600, 1500, 0)
	x.lines = x.lines[:before] // the bank has settled it already
	if found := x.money(); len(found) != 0 {
		t.Errorf("told at last: %v", found)
	}
	if got, want := x.accounts("5200", "5100", "1100:sandbox"), "5200 10600, 5100 1530, 1100:sandbox -1530, "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Won and lost chargebacks with the bank's fees, line by line, until all is paid out.
func TestDisputesInTheBooks(t *testing.T) {
	t.Parallel()
	x := newTrade(t, database(t).DSN, 20*24*time.Hour)
	_, won := x.sale(1, 30)
	_, lost := x.sale(1, 30)
	_, open := x.sale(1, 30)
	x.dispute(won, 5300, 1500, 1500, "won")
	x.dispute(lost, 5300, 1500, 0, "lost")
	x.dispute(open, 1000, 1500, 0)
	var all []int
	for i := range x.lines {
		all = append(all, i)
	}
	x.payout(all...)
	x.importLines(plain, x.lines)
	if found := x.money(); len(found) != 0 {
		t.Errorf("what fits is broken: %v", found)
	}
	// Three charges less fees, one taken for good and a part of another for now, two fees of disputes.
	if got, want := x.accounts("5200", "5100", "1100:sandbox", "1000"), "5200 6300, 5100 3090, 1100:sandbox 0, 1000 6510, "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A refund that the bank had settled, and that failed afterwards, comes back in its own time.
func TestRefundThatFailedInTheSettlement(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ago     time.Duration
		back    bool // the bank has settled that it came back
		verdict string
	}{
		"on its way back": {24 * time.Hour, false, ""}, "came back": {20 * 24 * time.Hour, true, ""}, "never came back": {20 * 24 * time.Hour, false, "refund_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTrade(t, database(t).DSN, c.ago)
			order, ref := x.sale(1, 30)
			wish := ledger.RefundWish{ID: uuid.New(), Fingerprint: uuid.New(), Order: order, Reason: "ill", Void: "refunded", Actor: "test"}
			if code, err := x.db.RefundDecide(t.Context(), &wish, x.now); err != nil || code != ledger.RefundDecided {
				t.Fatalf("%d, %v", code, err)
			}
			if _, err := x.db.RefundSent(t.Context(), wish.ID, x.now); err != nil {
				t.Fatal(err)
			}
			x.settled("refund", ref, "EUR", -5300, 0)
			f := ledger.PaymentFact{Provider: bank, ID: "evt_" + uuid.NewString(), Ref: ref, Kind: "refund_failed", Refund: wish.ID, Amount: 5300, Currency: "EUR", At: x.now}
			if v, err := x.db.PaymentTake(t.Context(), []ledger.PaymentFact{f}, x.now); err != nil || v[0].Code != ledger.FactRefundFailed {
				t.Fatalf("%v, %v", v, err)
			}
			if c.back {
				x.settled("refund", ref, "EUR", 5300, 0)
			}
			x.importLines(plain, x.lines)
			found := x.verdicts()
			if found[ref] != c.verdict || len(found) != min(1, len(c.verdict)) {
				t.Errorf("found %v, want %q", found, c.verdict)
			}
			if breaks := x.money(); len(breaks["clearing"]) > 0 || len(breaks["suspense"]) > 0 {
				t.Errorf("%v", breaks)
			}
		})
	}
}
