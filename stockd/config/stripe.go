package config

import (
	"fmt"
	"strings"

	"ticketrush/stockd/failure"
	"ticketrush/stockd/stripe"
)

// stripe makes the provider Stripe with its secrets; nil when it is off.
func (c Config) stripe(environ []string) (*stripe.Provider, error) {
	if !c.Stripe {
		return nil, nil //nolint:nilnil // off, and no mistake
	}
	key, err := secret("stripe_key_file", c.StripeKeyFile, "STOCKD_STRIPE_KEY", environ)
	if err != nil {
		return nil, err
	}
	secrets, err := secret("stripe_webhook_secrets_file", c.StripeWebhookSecretsFile, "STOCKD_STRIPE_WEBHOOK_SECRETS", environ)
	if err != nil {
		return nil, err
	}
	p, err := stripe.New(stripe.Config{
		Key: strings.TrimSpace(string(key)), WebhookSecrets: strings.FieldsFunc(string(secrets), func(r rune) bool { return strings.ContainsRune(" ,\t\r\n", r) }),
		ShopURL: c.StripeShopURL, Cluster: c.Cluster, URL: c.StripeURL,
	})
	if err != nil {
		return nil, failure.ByMisuse(fmt.Errorf("stripe (stripe_key_file, stripe_webhook_secrets_file, stripe_shop_url): %w", err))
	}
	return p, nil
}
