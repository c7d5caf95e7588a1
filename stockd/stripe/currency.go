package stripe

import (
	"fmt"
	"strings"

	"ticketrush/stockd/order"
)

// Stripe's smallest units are those of ISO 4217, with these exceptions (docs.stripe.com/currencies): kronur and shillings have none any more and are
// still written in hundredths; ariary have fifths by ISO, which count as hundredths, and none at Stripe; currencies of three decimals must end in 0.
var (
	hundredths = map[string]bool{"ISK": true, "UGX": true} // ours × 100
	whole      = map[string]bool{"MGA": true}              // ours ÷ 100
	tens       = map[string]bool{"BHD": true, "IQD": true, "JOD": true, "KWD": true, "LYD": true, "OMR": true, "TND": true}
)

// toStripe turns minor units into Stripe's amount and currency code. Amounts that Stripe cannot take are order.ErrDeclined.
func toStripe(minor int64, currency string) (int64, string, error) {
	code := strings.ToLower(currency)
	switch {
	case minor < 0:
		return 0, "", fmt.Errorf("%w: an amount of %d", order.ErrDeclined, minor)
	case hundredths[currency]:
		return minor * 100, code, nil
	case whole[currency] && minor%100 != 0:
		return 0, "", fmt.Errorf("%w: Stripe takes whole amounts of %s only, %d hundredths are none", order.ErrDeclined, currency, minor)
	case whole[currency]:
		return minor / 100, code, nil
	case tens[currency] && minor%10 != 0:
		return 0, "", fmt.Errorf("%w: Stripe takes amounts of %s with two decimals only, the third of %d thousandths is not 0", order.ErrDeclined, currency, minor)
	}
	return minor, code, nil
}

// fromStripe is the way back. A fraction, which Stripe does not take, would be cut off, and be another amount than any of ours.
func fromStripe(amount int64, code string) (int64, string) {
	currency := strings.ToUpper(code)
	switch {
	case hundredths[currency]:
		return amount / 100, currency
	case whole[currency]:
		return amount * 100, currency
	}
	return amount, currency
}
