package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ticketrush/ledger"
	"ticketrush/ledger/finance"
)

var plain = shape{comma: ",", point: ".", newline: "\n"}

// change is one way in which a settlement file may differ from what happened, and what the ledger has to call it.
type change struct {
	verdict string
	to      func(t *rapid.T, lines []finance.SettlementLine) (changed []finance.SettlementLine, ref string)
}

// pick draws a line of a category.
func pick(t *rapid.T, lines []finance.SettlementLine, category string) int {
	var at []int
	for i := range lines {
		if lines[i].Category == category {
			at = append(at, i)
		}
	}
	return rapid.SampledFrom(at).Draw(t, category)
}

func without(lines []finance.SettlementLine, i int) []finance.SettlementLine {
	return append(append([]finance.SettlementLine{}, lines[:i]...), lines[i+1:]...)
}

func with(lines []finance.SettlementLine, l finance.SettlementLine) []finance.SettlementLine {
	l.Txn, l.Net = "txn_more", l.Gross-l.Fee
	return append(append([]finance.SettlementLine{}, lines...), l)
}

// other changes an amount by something that is not nothing.
func other(t *rapid.T, lines []finance.SettlementLine, i int) []finance.SettlementLine {
	lines = append([]finance.SettlementLine{}, lines...)
	by := rapid.Int64Range(1, 3000).Draw(t, "by")
	if rapid.Bool().Draw(t, "less") {
		by = -by
	}
	lines[i].Gross += by
	lines[i].Net += by
	return lines
}

var changes = []change{
	{"missing_in_settlement", func(t *rapid.T, lines []finance.SettlementLine) ([]finance.SettlementLine, string) {
		i := pick(t, lines, "charge")
		return without(lines, i), lines[i].Ref
	}},
	{"amount_mismatch", func(t *rapid.T, lines []finance.SettlementLine) ([]finance.SettlementLine, string) {
		i := pick(t, lines, "charge")
		return other(t, lines, i), lines[i].Ref
	}},
	{"charged_twice", func(t *rapid.T, lines []finance.SettlementLine) ([]finance.SettlementLine, string) {
		l := lines[pick(t, lines, "charge")]
		return with(lines, l), l.Ref
	}},
	{"refund_mismatch", func(t *rapid.T, lines []finance.SettlementLine) ([]finance.SettlementLine, string) {
		i := pick(t, lines, "refund")
		return without(lines, i), lines[i].Ref
	}},
	{"refund_mismatch", func(t *rapid.T, lines []finance.SettlementLine) ([]finance.SettlementLine, string) {
		i := pick(t, lines, "refund")
		return other(t, lines, i), lines[i].Ref
	}},
	{"missing_in_ledger", func(t *rapid.T, lines []finance.SettlementLine) ([]finance.SettlementLine, string) {
		l := lines[pick(t, lines, "charge")]
		l.Ref = "pi_nobody"
		return with(lines, l), l.Ref
	}},
	{"disputed", func(t *rapid.T, lines []finance.SettlementLine) ([]finance.SettlementLine, string) {
		l := lines[pick(t, lines, "charge")]
		l.Category, l.Gross, l.Fee = "dispute", -l.Gross, 1500
		return with(lines, l), l.Ref
	}},
}

// TestOneChangedLineIsOneBreak: any trade, made by the functions that sales use, and the file that its bank would send, fit; with one line
// changed there is one break, of the right kind, of the right payment, and the clearing account is still explained to the last unit.
func TestOneChangedLineIsOneBreak(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		x := newTrade(t, database(t).DSN, 20*24*time.Hour)
		fee := rapid.Int64Range(0, 200)
		for range rapid.IntRange(1, 4).Draw(rt, "sales") {
			x.sale(rapid.IntRange(1, 3).Draw(rt, "seats"), fee.Draw(rt, "fee"))
		}
		for range rapid.IntRange(0, 2).Draw(rt, "late") {
			x.late(rapid.IntRange(1, 2).Draw(rt, "seats"), fee.Draw(rt, "fee"))
		}
		for range rapid.IntRange(1, 2).Draw(rt, "orphans") {
			x.orphan(rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(rt, "currency"), rapid.Int64Range(4000, 90000).Draw(rt, "amount"), fee.Draw(rt, "fee"), true)
		}
		x.settled("fee", "", "EUR", -rapid.Int64Range(1, 900).Draw(rt, "monthly fee"), 0)
		x.settled("payout", "po_1", "EUR", -rapid.Int64Range(1, 9000).Draw(rt, "payout"), 0)
		c := rapid.SampledFrom(changes).Draw(rt, "change")
		lines, ref := c.to(rt, x.lines)
		// Two files that overlap, in any order, are one.
		cut, overlap := rapid.IntRange(1, len(lines)).Draw(rt, "cut"), rapid.IntRange(0, 1).Draw(rt, "overlap")
		x.importLines(drawShape(rt), lines[:cut])
		if tail := lines[max(0, cut-overlap):]; len(tail) > 0 {
			x.importLines(drawShape(rt), tail)
		}
		if found := x.verdicts(); len(found) != 1 || found[ref] != c.verdict {
			rt.Fatalf("found %v, want %s of %s", found, c.verdict, ref)
		}
		if found := x.money(); len(found) != 1 || len(found["settlement"]) != 1 || !strings.Contains(found["settlement"][0].Row, ref) {
			rt.Fatalf("reconcile found %v, want one break of %s", found, ref)
		}
	})
}

func TestSettlementThatFits(t *testing.T) {
	t.Parallel()
	x := newTrade(t, database(t).DSN, 20*24*time.Hour)
	x.sale(2, 130)
	x.late(1, 90)
	x.orphan("KWD", 12345, 5, true)
	x.settled("fee", "", "EUR", -250, 0)
	x.settled("payout", "po_1", "EUR", -2*5300+130+90+250, 0)
	done := x.importLines(plain, x.lines)
	if done.New != len(x.lines) || done.File == 0 {
		t.Errorf("%+v", done)
	}
	if found := x.money(); len(found) != 0 {
		t.Errorf("what fits is broken: %v", found)
	}
	// All was paid out: nothing is left on the account, the fees are ours, the rest is in the bank.
	for _, want := range []struct {
		account, currency string
		balance           int
	}{{"1100:sandbox", "EUR", 0}, {"1100:sandbox", "KWD", -5}, {"5100", "EUR", 130 + 90 + 250}, {"5100", "KWD", 5}, {"1000", "EUR", 2*5300 - 130 - 90 - 250}} {
		if got := x.number("SELECT coalesce(sum(CASE WHEN debit = $1 THEN amount ELSE -amount END), 0) FROM ledger.transfers WHERE $1 IN (debit, credit) AND currency = $2", want.account, want.currency); got != want.balance {
			t.Errorf("account %s has %d %s, want %d", want.account, got, want.currency, want.balance)
		}
	}
	again := x.importLines(plain, x.lines)
	if again.File != 0 || again.New != 0 || again.Name != "june.csv" || again.By != "tester" {
		t.Errorf("the same file again: %+v", again)
	}
	other := x.importLines(shape{comma: ";", point: ",", newline: "\r\n", mark: "\ufeff"}, x.lines)
	if other.File == 0 || other.New != 0 || other.Lines != len(x.lines) {
		t.Errorf("the same lines in another file: %+v", other)
	}
}

func TestSettlementInTransitThenMissing(t *testing.T) {
	t.Parallel()
	recent := newTrade(t, database(t).DSN, 24*time.Hour)
	recent.sale(1, 30)
	recent.sale(1, 30)
	recent.importLines(plain, recent.lines[:1])
	if found := recent.verdicts(); len(found) != 0 {
		t.Errorf("a payment of yesterday is %v", found)
	}
	if n := recent.number("SELECT in_transit FROM ledger.v_clearing_accounts WHERE provider = 'sandbox' AND currency = 'EUR'"); n != 5300 {
		t.Errorf("%d are in transit, want 5300", n)
	}
	old := newTrade(t, database(t).DSN, 20*24*time.Hour)
	old.sale(1, 30)
	if found := old.verdicts(); len(found) != 0 {
		t.Errorf("without any file of the bank a payment is %v", found)
	}
}

func TestOrphanThatIsKept(t *testing.T) {
	t.Parallel()
	x := newTrade(t, database(t).DSN, 20*24*time.Hour)
	ref := x.orphan("JPY", 4000, 0, false)
	x.importLines(plain, x.lines)
	if found := x.verdicts(); len(found) != 1 || found[ref] != "orphan" {
		t.Errorf("found %v", found)
	}
}

// TestPostingWithoutAPaymentIsSeen: a posting on a clearing account that is about nothing.
func TestPostingWithoutAPaymentIsSeen(t *testing.T) {
	t.Parallel()
	x := newTrade(t, database(t).DSN, 20*24*time.Hour)
	x.sale(1, 30)
	x.importLines(plain, x.lines)
	x.exec("SELECT ledger.post('by hand', 1::smallint, '1100:sandbox', '1200', 'EUR', 7, NULL, ledger.open_day(), now())")
	breaks := x.money()["clearing"]
	if len(breaks) != 2 || !strings.Contains(breaks[0].Text, "7 nobody can explain") || !strings.Contains(breaks[1].Text, "by hand") {
		t.Errorf("found %v", breaks)
	}
}

func TestPayoutThatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	x := newTrade(t, database(t).DSN, 20*24*time.Hour)
	x.sale(1, 30)
	x.sale(1, 40)
	x.settled("payout", "po_9", "EUR", -10529, 0)
	for i := range x.lines[:2] {
		x.lines[i].Payout = "po_9"
	}
	x.importLines(plain, x.lines)
	breaks := x.money()["payouts"]
	if len(breaks) != 1 || breaks[0].Row != "payout sandbox po_9" || !strings.Contains(breaks[0].Text, "10529 EUR were paid out, what it is said to consist of is 10530") {
		t.Errorf("found %v", breaks)
	}
}

func TestFileThatContradictsAnother(t *testing.T) {
	t.Parallel()
	x := newTrade(t, database(t).DSN, 20*24*time.Hour)
	x.sale(1, 30)
	x.sale(1, 40)
	x.importLines(plain, x.lines[:1])
	lines := append([]finance.SettlementLine{}, x.lines...)
	lines[0], lines[1] = lines[1], lines[0]
	lines[1].Gross++
	lines[1].Net++
	_, err := finance.New(x.db).ImportSettlement(t.Context(), bank, "july.csv", plain.file(lines), "tester")
	if !errors.Is(err, finance.ErrSettlementConflict) || !strings.Contains(err.Error(), `line 3 has "txn_1", which line 2 of june.csv has too`) {
		t.Errorf("%v", err)
	}
	if n := x.number("SELECT count(*) FROM ledger.settlement_lines"); n != 1 {
		t.Errorf("%d lines are left of a file that was refused", n-1)
	}
	if r := x.reconcile(ledger.ReconcileOptions{}); !r.OK && x.money()["clearing"] != nil {
		t.Errorf("the refused file left something: %v", x.money())
	}
}
