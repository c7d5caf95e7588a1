package money

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrAmount says that a text is not an exact amount of its currency.
var ErrAmount = errors.New("not an amount")

// textMax bounds what is read: the longest int64 has 20 characters, and zeros in front are allowed.
const textMax = 40

// Parse reads an amount in major units, as "12.34", "-0.5" or "1200", and returns it in minor units of the currency. There may be a sign; at least
// one digit stands before the point, at least one and no more than the currency's exponent behind it. ErrAmount says what is wrong, ErrCurrency
// that the currency is unknown.
func Parse(text, currency string) (minor int64, err error) {
	exponent, err := Exponent(currency)
	if err != nil {
		return 0, err
	}
	if len(text) > textMax {
		return 0, fmt.Errorf("%w: %q… has more than %d characters", ErrAmount, text[:textMax], textMax)
	}
	unsigned := strings.TrimPrefix(text, "-")
	negative := unsigned != text
	if !negative {
		unsigned = strings.TrimPrefix(text, "+")
	}
	whole, fraction, point := strings.Cut(unsigned, ".")
	switch {
	case !digits(whole) || (point && !digits(fraction)):
		return 0, fmt.Errorf("%w: %q; digits are needed, with a decimal point and no thousands separators", ErrAmount, text)
	case len(fraction) > exponent:
		return 0, fmt.Errorf("%w: %q has %d decimal digits, %s has %d", ErrAmount, text, len(fraction), currency, exponent)
	}
	all := whole + fraction + strings.Repeat("0", exponent-len(fraction))
	u, err := strconv.ParseUint(all, 10, 64)
	switch {
	case err != nil || u > math.MaxInt64+1 || (u == math.MaxInt64+1 && !negative):
		return 0, fmt.Errorf("%w: %q is too large", ErrAmount, text)
	case negative:
		return -int64(u), nil // of 1<<63 the negation is itself
	}
	return int64(u), nil
}

// digits says whether s is nothing but ASCII digits, and not empty.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Format writes minor units as a decimal amount in major units with all the digits of its currency, as Parse reads it: "12.30", "-0.05", "1200". Of
// a currency that is unknown nobody can say where the point stands: it gives the minor units, and says so.
func Format(minor int64, currency string) string { return string(Append(nil, minor, currency)) }

// Append appends what Format gives.
func Append(b []byte, minor int64, currency string) []byte {
	exponent, known := exponents[currency]
	if !known {
		return append(strconv.AppendInt(b, minor, 10), " minor units"...)
	}
	u := uint64(minor)
	if minor < 0 {
		b, u = append(b, '-'), -u
	}
	var digits [20]byte
	text := strconv.AppendUint(digits[:0], u, 10)
	if exponent == 0 {
		return append(b, text...)
	}
	if len(text) <= exponent {
		b = append(b, '0', '.')
		for range exponent - len(text) {
			b = append(b, '0')
		}
		return append(b, text...)
	}
	point := len(text) - exponent
	return append(append(append(b, text[:point]...), '.'), text[point:]...)
}
