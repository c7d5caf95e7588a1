package ledger

import (
	"context"
	"fmt"
	"strings"
)

// settlementChecks compare the ledger with what providers say they settled. Providers know no events: these checks are always of the whole.
var settlementChecks = []check{
	whole("settlement", "what providers settled is what was captured, refunded and disputed, or is in transit", checkSettlement),
	whole("payouts", "what a provider paid out together adds up to its payout", checkPayouts),
	whole("clearing", "each clearing account is explained to the last unit", checkClearing),
}

// verdicts says what each verdict of v_settlement_breaks means, for people.
var verdicts = map[string]string{
	"missing_in_settlement": "the ledger has it for longer than seven days, and no settlement file names it",
	"missing_in_ledger":     "the provider settled it, and the ledger knows no such payment",
	"amount_mismatch":       "the provider settled another amount than was captured",
	"refund_mismatch":       "the provider gave back another amount than the ledger has sent",
	"charged_twice":         "the provider charged it more than once",
	"disputed":              "the provider's disputes are not those that the ledger has",
	"orphan":                "money of a payment that nobody knows, and that was not given back",
}

func checkSettlement(ctx context.Context, r *reconciler) error {
	counts, err := r.q.SettlementVerdicts(ctx, r.tx)
	if err != nil {
		return err
	}
	broken := false
	for _, c := range counts {
		r.rows(c.N)
		broken = broken || (c.Verdict != "matched" && c.Verdict != "in_transit")
	}
	if !broken {
		return nil
	}
	rows, err := r.q.SettlementBreaks(ctx, r.tx, r.limit())
	for _, b := range rows {
		of := ""
		if b.OrderID != "" {
			of = ", order " + b.OrderID
		}
		r.broken(fmt.Sprintf("payment %s %s", b.Provider, b.ProviderRef), "%s: %s (%s%s: captured %d, settled %d; refunded %d, settled %d; disputed %d, settled %d)",
			strings.ReplaceAll(b.Verdict, "_", " "), verdicts[b.Verdict], b.Currency, of, b.Captured, b.Settled, b.Refunded, b.SettledRefunded, b.Disputed, b.SettledDisputed)
	}
	return err
}

func checkPayouts(ctx context.Context, r *reconciler) error {
	n, err := r.q.SettlementLineCount(ctx, r.tx)
	if err != nil {
		return err
	}
	r.rows(n)
	rows, err := r.q.PayoutBreaks(ctx, r.tx, r.limit())
	for _, p := range rows {
		r.broken(fmt.Sprintf("payout %s %s", p.Provider, p.Payout), "%d %s were paid out, what it is said to consist of is %d", p.Paid, p.Currency, p.Net)
	}
	return err
}

func checkClearing(ctx context.Context, r *reconciler) error {
	accounts, err := r.q.ClearingAccounts(ctx, r.tx)
	if err != nil {
		return err
	}
	r.rows(int64(len(accounts)))
	for _, a := range accounts {
		if a.Unexplained != 0 {
			r.broken("account 1100:"+a.Provider, "%d %s are on it; %d are in transit, %d at the provider, %d in breaks: %d nobody can explain",
				a.Balance, a.Currency, a.InTransit, a.AtProvider, a.Broken, a.Unexplained)
		}
	}
	unknown, err := r.q.ClearingUnknown(ctx, r.tx, r.limit())
	for _, u := range unknown {
		r.broken(fmt.Sprintf("transfers %d", u.Transfer), "%d %s on 1100:%s for %s, which names no payment and no settlement", u.Amount, u.Currency, u.Provider, u.Source)
	}
	return err
}
