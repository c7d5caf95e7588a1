package main

import (
	"strings"
	"testing"

	"ticketrush/stockd/config"
)

// With Stripe on, what is missing or wrong refuses to start and is named, and no secret is told.
func TestStripesMistakesAreSaid(t *testing.T) {
	t.Parallel()
	const key, hook = "sk_test_0000000000", "whsec_0000000000000000"
	file := func(text string) string { return "\"" + write(t, "secret", text) + "\"\n" }
	shop := "stripe_shop_url = \"https://shop.example.org\"\n"
	for name, c := range map[string]struct {
		config string
		code   int
		says   []string
	}{
		"nothing else":    {"", 2, []string{"stripe_key_file (STOCKD_STRIPE_KEY_FILE)", "stripe_webhook_secrets_file", "stripe_shop_url"}},
		"no such file":    {shop + "stripe_key_file = \"/nowhere/stripe.key\"\nstripe_webhook_secrets_file = " + file(hook), 3, []string{"/nowhere/stripe.key", "STOCKD_STRIPE_KEY_FILE"}},
		"a public key":    {shop + "stripe_key_file = " + file("pk_test_hunter2") + "stripe_webhook_secrets_file = " + file(hook), 2, []string{"secret key, sk_"}},
		"no such secret":  {shop + "stripe_key_file = " + file(key) + "stripe_webhook_secrets_file = " + file("hunter2"), 2, []string{"webhook secret 1", "whsec_"}},
		"an empty file":   {shop + "stripe_key_file = " + file("\n") + "stripe_webhook_secrets_file = " + file(hook), 2, []string{"stripe_key_file", "is empty"}},
		"a shop nowhere":  {"stripe_shop_url = \"shop\"\nstripe_key_file = " + file(key) + "stripe_webhook_secrets_file = " + file(hook), 2, []string{"stripe_shop_url", "https://shop.example.org"}},
		"a wrong API":     {shop + "stripe_url = \"api\"\nstripe_key_file = " + file(key) + "stripe_webhook_secrets_file = " + file(hook), 2, []string{"stripe_url", "https://api.stripe.com"}},
		"all that it has": {shop + "stripe_key_file = " + file(key+"\n") + "stripe_webhook_secrets_file = " + file(hook+"\n"+hook+"\n"), 3, []string{"start Postgres"}},
	} {
		code, _, errs := stockd(t, "serve", "--check", "--config", nodeConfig(t, "stripe = true\n"+c.config))
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, c.code, errs)
		}
		for _, want := range c.says {
			if !strings.Contains(errs, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, errs)
			}
		}
		if strings.Contains(errs, "hunter2") {
			t.Errorf("%s: it tells a secret:\n%s", name, errs)
		}
	}
}

func TestEverySettingIsDocumentedInTheHelp(t *testing.T) {
	t.Parallel()
	help := new(serveCommand).Help()
	for _, name := range config.Names() {
		if name == "" || !strings.Contains(help, name) {
			t.Errorf("setting %q is not in the help", name)
		}
	}
}
