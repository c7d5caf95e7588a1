package finance

import (
	"fmt"
	"slices"
	"strings"
)

// A settlement file has one of two shapes, told apart by the names of its columns: Stripe's itemised balance and payout reports, or ours.
// The order of columns does not matter, and others may stand between them.

// field is what a column of a settlement file is to us.
type field int

const (
	fieldTxn      field = iota // the provider's name for the movement, unique
	fieldCategory              // what moved
	fieldRef                   // the payment
	fieldSource                // what the movement is about, where there is no payment
	fieldPayout                // the payout that it was paid out with
	fieldGross
	fieldFee
	fieldNet
	fieldCurrency
	fieldAt
	fields
)

// format names the columns of one shape; an empty name: it has no such column.
type format struct {
	name     string
	columns  [fields]string
	optional []field
	at       []string // layouts of the time, which is UTC where it does not say
	category map[string]string
}

// own is the documented shape for providers that have none of their own, the sandbox among them.
var own = format{
	name:     "ticketrush",
	columns:  [fields]string{"txn", "category", "ref", "", "payout", "gross", "fee", "net", "currency", "at"},
	optional: []field{fieldPayout, fieldNet},
	at:       []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05", "2006-01-02"},
	category: map[string]string{
		"charge": "charge", "refund": "refund", "dispute": "dispute", "fee": "fee", "payout": "payout", "adjustment": "adjustment",
	},
}

// stripe is the shape of https://docs.stripe.com/reports/balance and …/payout-reconciliation, itemised; the categories are those of
// https://docs.stripe.com/reports/reporting-categories. What gives a charge, refund, dispute or payout back counts against it.
var stripe = format{
	name:     "stripe",
	columns:  [fields]string{"balance_transaction_id", "reporting_category", "payment_intent_id", "source_id", "automatic_payout_id", "gross", "fee", "net", "currency", "created_utc"},
	optional: []field{fieldRef, fieldPayout},
	at:       []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00"},
	category: map[string]string{
		"charge": "charge", "charge_failure": "charge", "partial_capture_reversal": "charge", "refund": "refund", "refund_failure": "refund",
		"dispute": "dispute", "dispute_reversal": "dispute", "fee": "fee", "network_cost": "fee", "tax": "fee", "payout": "payout", "payout_reversal": "payout",
		"payout_minimum_balance_hold": "adjustment", "payout_minimum_balance_release": "adjustment", "other_adjustment": "adjustment", "platform_earning": "adjustment",
		"platform_earning_refund": "adjustment", "risk_reserved_funds": "adjustment", "topup": "payout", "topup_reversal": "payout",
		"transfer": "adjustment", "transfer_reversal": "adjustment", "contribution": "adjustment", "currency_conversion": "adjustment",
	},
}

// header says where each column is in a file.
type header struct {
	format *format
	at     [fields]int // -1: the file has no such column
}

// readHeader finds the shape that a file has. It names what is missing of the one that fits best.
func readHeader(names []string) (*header, error) {
	at := map[string]int{}
	for i, n := range names {
		n = strings.ToLower(strings.TrimSpace(n))
		if _, twice := at[n]; twice && n != "" {
			return nil, fmt.Errorf("line 1: the header has a column %q twice", n)
		}
		at[n] = i
	}
	f := &own
	if _, ok := at[stripe.columns[fieldTxn]]; ok {
		f = &stripe
	}
	h := &header{format: f}
	var missing []string
	for i, name := range f.columns {
		place, ok := at[name]
		if !ok || name == "" {
			place = -1
			if name != "" && !slices.Contains(f.optional, field(i)) {
				missing = append(missing, name)
			}
		}
		h.at[i] = place
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("line 1: the header has no column %s; it has %q. Wanted are either Stripe's itemised balance report or the columns %s",
			strings.Join(missing, ", "), names, strings.Join(slices.DeleteFunc(slices.Clone(own.columns[:]), func(s string) bool { return s == "" }), ","))
	}
	return h, nil
}
