package reconcile

import (
	"context"
	"fmt"
	"strings"

	"ticketrush/ledger/db"
)

// settlementChecks compare the ledger with what providers say they settled. Providers know no events: these checks are always of the whole.
var settlementChecks = []check{
	{"settlement", "what providers settled is what was captured, refunded and disputed, or is in transit", nil},
	{"payouts", "what a provider paid out together adds up to its payout", checkPayouts},
	{"clearing", "each clearing account is explained to the last unit", nil},
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

// providerChecks are made from one reading of v_settlement_breaks.
var providerChecks = []string{"settlement", "clearing"}

func checkProviders(ctx context.Context, r *reconciler) error {
	sums, err := r.q.SettlementSums(ctx, r.tx)
	if err != nil {
		return err
	}
	broken := false
	for _, s := range sums {
		r.rows(s.N)
		broken = broken || (s.Verdict != "matched" && s.Verdict != "in_transit")
	}
	if broken {
		if err := nameSettlementBreaks(ctx, r); err != nil {
			return err
		}
	}
	return checkClearing(ctx, r, r.of("clearing"), sums)
}

func nameSettlementBreaks(ctx context.Context, r *reconciler) error {
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

// checkClearing explains the balance of each clearing account, as v_clearing_accounts does for people: what is not settled yet, what is in breaks, and
// what the provider has settled and not paid out.
func checkClearing(ctx context.Context, r *reconciler, found *tally, sums []db.SettlementSumsRow) error {
	accounts, err := r.q.ClearingBalances(ctx, r.tx)
	if err != nil {
		return err
	}
	found.rows(int64(len(accounts)))
	for _, a := range accounts {
		var inTransit, broken int64
		for _, s := range sums {
			switch {
			case s.Provider != a.Provider || s.Currency != a.Currency:
			case s.Verdict == "in_transit":
				inTransit += s.Open
			default:
				broken += s.Open
			}
		}
		if rest := a.Balance - inTransit - broken - a.AtProvider; rest != 0 {
			found.broken("account 1100:"+a.Provider, "%d %s are on it; %d are in transit, %d at the provider, %d in breaks: %d nobody can explain",
				a.Balance, a.Currency, inTransit, a.AtProvider, broken, rest)
		}
	}
	unknown, err := r.q.ClearingUnknown(ctx, r.tx, r.limit())
	for _, u := range unknown {
		found.broken(fmt.Sprintf("transfers %d", u.Transfer), "%d %s on 1100:%s for %s, which names no payment and no settlement", u.Amount, u.Currency, u.Provider, u.Source)
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
