package money_test

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ticketrush/ledger/money"
)

func TestExponents(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{"JPY": 0, "KRW": 0, "CLP": 0, "EUR": 2, "USD": 2, "HUF": 2, "IQD": 3, "KWD": 3, "TND": 3} {
		if got, err := money.Exponent(code); err != nil || got != want {
			t.Errorf("%s has %d digits (%v), want %d", code, got, err, want)
		}
	}
	for _, code := range []string{"", "eur", "EURO", "XXX", "XAU", "CLF", "E R"} {
		if _, err := money.Exponent(code); !errors.Is(err, money.ErrCurrency) {
			t.Errorf("%q: %v, want ErrCurrency", code, err)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, currency string
		want           int64
	}{
		{"12.34", "EUR", 1234},
		{"12.3", "EUR", 1230},
		{"12", "EUR", 1200},
		{"-0.05", "EUR", -5},
		{"+7", "EUR", 700},
		{"-0", "EUR", 0},
		{"007.10", "EUR", 710},
		{"1200", "JPY", 1200},
		{"1.234", "KWD", 1234},
		{"0.1", "KWD", 100},
		{"92233720368547758.07", "EUR", math.MaxInt64},
		{"-92233720368547758.08", "EUR", math.MinInt64},
		{"-9223372036854775808", "JPY", math.MinInt64},
	} {
		if got, err := money.Parse(c.text, c.currency); err != nil || got != c.want {
			t.Errorf("%s %s is %d (%v), want %d", c.text, c.currency, got, err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, currency, says string }{
		{"", "EUR", "digits are needed"},
		{"-", "EUR", "digits are needed"},
		{"+-1", "EUR", "digits are needed"},
		{".5", "EUR", "digits are needed"},
		{"5.", "EUR", "digits are needed"},
		{"1,50", "EUR", "digits are needed"},
		{"1 000", "EUR", "digits are needed"},
		{"1e3", "EUR", "digits are needed"},
		{"0x10", "EUR", "digits are needed"},
		{"1_000", "EUR", "digits are needed"},
		{"NaN", "EUR", "digits are needed"},
		{"١٢", "EUR", "digits are needed"},
		{"12.345", "EUR", "3 decimal digits, EUR has 2"},
		{"12.340", "EUR", "3 decimal digits, EUR has 2"},
		{"1200.0", "JPY", "1 decimal digits, JPY has 0"},
		{"92233720368547758.08", "EUR", "too large"},
		{"-92233720368547758.09", "EUR", "too large"},
		{strings.Repeat("9", 41), "JPY", "more than 40 characters"},
		{"1", "XXX", "unknown currency"},
	} {
		got, err := money.Parse(c.text, c.currency)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q %s is %d (%v), want an error that says %q", c.text, c.currency, got, err, c.says)
		}
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{1234, "EUR", "12.34"}, {5, "EUR", "0.05"}, {-5, "EUR", "-0.05"}, {0, "EUR", "0.00"}, {0, "JPY", "0"}, {-1200, "JPY", "-1200"},
		{1, "KWD", "0.001"}, {math.MinInt64, "EUR", "-92233720368547758.08"}, {math.MinInt64, "JPY", "-9223372036854775808"}, {7, "XXX", "7 minor units"},
	} {
		if got := money.Format(c.minor, c.currency); got != c.want {
			t.Errorf("%d %s is written %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
}

// TestParseReadsWhatFormatWrites: any amount of any currency comes back as it was.
func TestParseReadsWhatFormatWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64().Draw(t, "minor")
		currency := rapid.SampledFrom([]string{"JPY", "EUR", "KWD"}).Draw(t, "currency")
		text := money.Format(minor, currency)
		if got, err := money.Parse(text, currency); err != nil || got != minor {
			t.Fatalf("%d %s is written %q and read as %d (%v)", minor, currency, text, got, err)
		}
	})
}

// FuzzParse compares with exact rational numbers: what is accepted is the number that the text says, times the power of ten.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"12.34", "-0.05", "+1", "1200", "1.234", "92233720368547758.07", "1,5", ".5", "1e3", "0x1", " 1", "1_0", "1/2"} {
		f.Add(text, "EUR")
		f.Add(text, "JPY")
		f.Add(text, "KWD")
	}
	f.Fuzz(func(t *testing.T, text, currency string) {
		minor, err := money.Parse(text, currency)
		if err != nil {
			if minor != 0 {
				t.Fatalf("%q is refused and read as %d", text, minor)
			}
			return
		}
		exponent, err := money.Exponent(currency)
		if err != nil {
			t.Fatalf("%q was read in %q: %v", text, currency, err)
		}
		if strings.ContainsAny(text, "eE/xXpP_bBoO") {
			t.Fatalf("%q was read as %d", text, minor)
		}
		says, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q was read as %d, it is no number", text, minor)
		}
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
		if got := new(big.Rat).SetFrac(big.NewInt(minor), scale); got.Cmp(says) != 0 {
			t.Fatalf("%q %s was read as %s", text, currency, got)
		}
		again, err := money.Parse(money.Format(minor, currency), currency)
		if err != nil || again != minor {
			t.Fatalf("%d %s comes back as %d (%v)", minor, currency, again, err)
		}
	})
}
