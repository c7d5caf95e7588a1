package stripe_test

import (
	"strings"
	"testing"

	"ticketrush/stockd/stripe"
	"ticketrush/stockd/stripe/fake"
)

// Everything that is wrong is said at once, and no secret with it.
func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := stripe.New(stripe.Config{Key: "pk_live_public", WebhookSecrets: []string{fake.Secret, "hunter2"}, ShopURL: "shop"})
	for _, want := range []string{"sk_", "webhook secret 2", `"shop"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "public") {
		t.Errorf("%v tells a secret", err)
	}
	if _, err := stripe.New(stripe.Config{Key: "rk_live_x", ShopURL: "https://x"}); err == nil || !strings.Contains(err.Error(), "whsec_") {
		t.Errorf("without a webhook secret: %v", err)
	}
}

// Currencies as Stripe writes them, there and back.
func TestCurrencies(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, c := range []struct {
		currency string
		ours     int64
		stripes  int64 // -1: refused
	}{
		{"EUR", 1050, 1050}, {"JPY", 500, 500}, {"KRW", 1000, 1000},
		{"ISK", 500, 50000}, {"UGX", 1000, 100000}, // no decimals, and written with two
		{"KWD", 5120, 5120}, {"KWD", 5124, -1}, {"BHD", 1000, 1000}, {"TND", 999, -1}, {"OMR", 10010, 10010}, {"JOD", 10011, -1}, // the third decimal is 0
		{"MGA", 20000, 200}, {"MGA", 20001, -1}, // without decimals at Stripe
	} {
		created, err := d.Create(t.Context(), intent(c.ours, c.currency))
		if c.stripes < 0 {
			wants(t, c.currency, err, true, false)
			continue
		}
		if err != nil {
			t.Errorf("%d %s: %v", c.ours, c.currency, err)
			continue
		}
		o := d.bank.Get(created.Ref)
		if o["amount_total"] != c.stripes || o["currency"] != strings.ToLower(c.currency) {
			t.Errorf("%d %s is %v %v at Stripe, want %d", c.ours, c.currency, o["amount_total"], o["currency"], c.stripes)
		}
		if s, err := d.Status(t.Context(), created.Ref); err != nil || s.Amount != c.ours || s.Currency != c.currency {
			t.Errorf("%d %s comes back as %+v, %v", c.ours, c.currency, s, err)
		}
	}
}
