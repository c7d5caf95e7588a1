package ledger_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ticketrush/ledger/finance"
	"ticketrush/ledger/reconcile"
)

var plain = shape{comma: ",", point: ".", newline: "\n"}

// changed is a settlement file in which one line is not as it happened: of which payment, by the file's name, and which payouts do not add up for it.
type changed struct {
	lines   []finance.SettlementLine
	ref     string // empty: no payment is other than it was
	payouts []string
}

// change is one way in which a settlement file may differ from what happened, and what the ledger has to call it.
type change struct {
	verdict string
	to      func(t *rapid.T, lines []finance.SettlementLine) changed
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

// without leaves a line out.
func without(lines []finance.SettlementLine, i int) changed {
	return changed{append(append([]finance.SettlementLine{}, lines[:i]...), lines[i+1:]...), lines[i].Ref, addsUp(lines, i)}
}

// with adds a line like another one.
func with(lines []finance.SettlementLine, i int, to func(l *finance.SettlementLine)) changed {
	l := lines[i]
	to(&l)
	l.Txn, l.Net = "txn_more", l.Gross-l.Fee
	return changed{append(append([]finance.SettlementLine{}, lines...), l), l.Ref, addsUp(lines, i)}
}

// other changes an amount by something that is not nothing.
func other(t *rapid.T, lines []finance.SettlementLine, i int) changed {
	by := rapid.Int64Range(1, 3000).Draw(t, "by")
	if rapid.Bool().Draw(t, "less") {
		by = -by
	}
	found := changed{append([]finance.SettlementLine{}, lines...), lines[i].Ref, addsUp(lines, i)}
	found.lines[i].Gross += by
	found.lines[i].Net += by
	return found
}

// addsUp are the payouts that do not add up when a line is another.
func addsUp(lines []finance.SettlementLine, i int) []string {
	switch {
	case lines[i].Category == "payout":
		return []string{lines[i].Ref}
	case lines[i].Payout != "":
		return []string{lines[i].Payout}
	}
	return nil
}

// leave, alter and repeat are what may happen to a line of a category.
func leave(category string) func(t *rapid.T, lines []finance.SettlementLine) changed {
	return func(t *rapid.T, lines []finance.SettlementLine) changed {
		return without(lines, pick(t, lines, category))
	}
}

func alter(category string) func(t *rapid.T, lines []finance.SettlementLine) changed {
	return func(t *rapid.T, lines []finance.SettlementLine) changed {
		return other(t, lines, pick(t, lines, category))
	}
}

func repeat(category string, to func(l *finance.SettlementLine)) func(t *rapid.T, lines []finance.SettlementLine) changed {
	return func(t *rapid.T, lines []finance.SettlementLine) changed {
		return with(lines, pick(t, lines, category), to)
	}
}

// nobodys says that a change is of no payment.
func nobodys(to func(t *rapid.T, lines []finance.SettlementLine) changed) func(t *rapid.T, lines []finance.SettlementLine) changed {
	return func(t *rapid.T, lines []finance.SettlementLine) changed {
		found := to(t, lines)
		found.ref = ""
		return found
	}
}

func same(*finance.SettlementLine) {}

var changes = []change{
	{"missing_in_settlement", leave("charge")},
	{"amount_mismatch", alter("charge")},
	{"charged_twice", repeat("charge", same)},
	{"refund_mismatch", leave("refund")},
	{"refund_mismatch", alter("refund")},
	{"refund_mismatch", repeat("refund", same)},
	{"missing_in_ledger", repeat("charge", func(l *finance.SettlementLine) { l.Ref = "pi_nobody" })},
	{"missing_in_ledger", repeat("refund", func(l *finance.SettlementLine) { l.Ref = "pi_nobody" })},
	{"missing_in_ledger", repeat("dispute", func(l *finance.SettlementLine) { l.Ref = "pi_nobody" })},
	{"disputed", repeat("charge", func(l *finance.SettlementLine) { l.Category, l.Gross, l.Fee = "dispute", -l.Gross, 1500 })},
	{"disputed", leave("dispute")},
	{"disputed", alter("dispute")},
	{"disputed", repeat("dispute", same)},
	{"", nobodys(alter("payout"))},
	{"", nobodys(repeat("payout", same))},
	{"", nobodys(leave("fee"))},
	{"", nobodys(alter("fee"))},
	{"", nobodys(repeat("adjustment", same))},
}

// traded makes a trade at random, with all that a bank settles.
func (x *trade) traded(rt *rapid.T) {
	fee := rapid.Int64Range(0, 200)
	sale := func() string {
		_, ref := x.sale(rapid.IntRange(1, 3).Draw(rt, "seats"), fee.Draw(rt, "fee"))
		return ref
	}
	for range rapid.IntRange(1, 4).Draw(rt, "sales") {
		sale()
	}
	for _, ends := range rapid.SampledFrom([][][]string{{nil}, {{"won"}}, {{"lost"}}, {nil, {"won"}}, {{"won"}, {"lost"}}}).Draw(rt, "disputes") {
		ref := sale()
		if rapid.Bool().Draw(rt, "another name") {
			x.named(ref)
		}
		charge := x.lines[len(x.lines)-1]
		x.dispute(ref, charge.Gross-rapid.Int64Range(0, 1000).Draw(rt, "not disputed"), rapid.Int64Range(0, 2000).Draw(rt, "dispute fee"), rapid.Int64Range(0, 2000).Draw(rt, "fee back"), ends...)
	}
	for range rapid.IntRange(0, 2).Draw(rt, "late") {
		x.late(rapid.IntRange(1, 2).Draw(rt, "seats"), fee.Draw(rt, "fee"))
	}
	for range rapid.IntRange(1, 2).Draw(rt, "orphans") {
		x.orphan(rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(rt, "currency"), rapid.Int64Range(4000, 90000).Draw(rt, "amount"), fee.Draw(rt, "fee"), true)
	}
	x.settled("fee", "", "EUR", -rapid.Int64Range(4000, 9000).Draw(rt, "monthly fee"), 0)
	x.settled("adjustment", "", "EUR", rapid.Int64Range(1, 900).Draw(rt, "adjustment"), 0)
	var out []int
	for i, l := range x.lines {
		if l.Currency == "EUR" && (l.Category == "fee" || l.Category == "adjustment" || rapid.Bool().Draw(rt, "paid out")) {
			out = append(out, i)
		}
	}
	x.payout(out...)
}

// TestOneChangedLineIsOneBreak: any trade, made by the functions that sales use, and the file that its bank would send, fit; with one line
// changed there is one break, of the right kind, of the right payment or payout, and the clearing account is still explained to the last unit. A payment's
// line that was paid out is also one of its payout, which does not add up then.
func TestOneChangedLineIsOneBreak(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		x := newTrade(t, database(t).DSN, 20*24*time.Hour)
		x.traded(rt)
		c := rapid.SampledFrom(changes).Draw(rt, "change")
		found := c.to(rt, x.lines)
		// Two files that overlap, in any order, are one.
		cut, overlap := rapid.IntRange(1, len(found.lines)).Draw(rt, "cut"), rapid.IntRange(0, 1).Draw(rt, "overlap")
		x.importLines(drawShape(rt), found.lines[:cut])
		if tail := found.lines[max(0, cut-overlap):]; len(tail) > 0 {
			x.importLines(drawShape(rt), tail)
		}
		want := map[string]string{}
		if found.ref != "" {
			want[x.kept(found.ref)] = c.verdict
		}
		if got := x.verdicts(); !maps.Equal(got, want) {
			rt.Fatalf("found %v, want %v", got, want)
		}
		breaks := map[string][]string{}
		for check, list := range x.money() {
			for _, b := range list {
				breaks[check] = append(breaks[check], b.Row)
			}
		}
		rows := map[string][]string{}
		for ref := range want {
			rows["settlement"] = []string{"payment " + bank + " " + ref}
		}
		for _, payout := range found.payouts {
			rows["payouts"] = []string{"payout " + bank + " " + payout}
		}
		if !maps.EqualFunc(breaks, rows, slices.Equal) {
			rt.Fatalf("reconcile found %v, want %v", breaks, rows)
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
	if r := x.reconcile(reconcile.Options{}); !r.OK && x.money()["clearing"] != nil {
		t.Errorf("the refused file left something: %v", x.money())
	}
}
