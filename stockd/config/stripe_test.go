package config

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// While a webhook secret is being rolled messages of both are taken, however the two stand in the file or the environment, and of no third.
func TestWebhookSecretsOfStripe(t *testing.T) {
	t.Parallel()
	const first, second, third = "whsec_first_00000000", "whsec_second_0000000", "whsec_third_00000000"
	body, now := []byte(`{"id":"evt_1","object":"event","type":"customer.created","created":1,"data":{"object":{}}}`), time.Now()
	signed := func(secret string) http.Header {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%d.%s", now.Unix(), body)
		return http.Header{"Stripe-Signature": {fmt.Sprintf("t=%d,v1=%s", now.Unix(), hex.EncodeToString(mac.Sum(nil)))}}
	}
	c := Config{Stripe: true, StripeShopURL: "https://shop.example.org", StripeKeyFile: write(t, "stripe.key", "sk_test_0000000000\n")}.WithDefaults("host")
	for name, text := range map[string]string{"lines": first + "\n" + second + "\n", "lines of Windows": first + "\r\n" + second + "\r\n", "commas": first + "," + second, "spaces": first + "  " + second} {
		filed, inEnv := c, c
		filed.StripeWebhookSecretsFile = write(t, "stripe.whsec", text)
		for where, err := range map[string]error{
			"file":        verify(filed, nil, body, now, signed(first), signed(second)),
			"environment": verify(inEnv, []string{"STOCKD_STRIPE_WEBHOOK_SECRETS=" + text}, body, now, signed(first), signed(second)),
		} {
			if err != nil {
				t.Errorf("%s in the %s: %v", name, where, err)
			}
		}
		if verify(filed, nil, body, now, signed(third)) == nil {
			t.Errorf("%s: a message of another secret is taken", name)
		}
	}
}

// verify makes the provider and has it check a message with each header.
func verify(c Config, environ []string, body []byte, now time.Time, headers ...http.Header) error {
	p, err := c.stripe(environ)
	if err != nil {
		return err
	}
	for i, h := range headers {
		if _, err := p.Verify(body, h, now); err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return nil
}
