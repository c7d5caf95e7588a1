package money

import (
	"errors"
	"fmt"
	"strings"
)

// ErrCurrency says that a code is not a currency that money can be counted in.
var ErrCurrency = errors.New("unknown currency")

// The codes of ISO 4217 by how many decimal digits their minor unit has. Not CLDR's: that gives the digits that people like to see (none for IQD or
// LBP), not those that banks count in. Funds codes, metals and codes for tests are left out: nobody pays with them.
const (
	codes0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
	codes2 = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK " +
		"DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR " +
		"LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD " +
		"SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG"
	codes3 = "BHD IQD JOD KWD LYD OMR TND"
)

var exponents = func() map[string]int {
	m := map[string]int{}
	for exponent, codes := range map[int]string{0: codes0, 2: codes2, 3: codes3} {
		for _, c := range strings.Fields(codes) {
			m[c] = exponent
		}
	}
	return m
}()

// Exponent is how many decimal digits the minor unit of a currency has, by ISO 4217: 0, 2 or 3. The code is in capitals. ErrCurrency for any other.
func Exponent(currency string) (int, error) {
	e, ok := exponents[currency]
	if !ok {
		return 0, fmt.Errorf("%w %q: a code of ISO 4217 in capitals is needed, as EUR", ErrCurrency, currency)
	}
	return e, nil
}
