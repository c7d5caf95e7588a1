package stripe

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ticketrush/stockd/order"
)

// Name is the provider's name in URLs and in the ledger.
const Name = "stripe"

// apiVersion is the version of Stripe's API that is asked for, and that the webhook endpoint should be made with.
const apiVersion = "2024-06-20"

// Config says how to reach Stripe. The zero value of a field is its default; fields without one are needed.
type Config struct {
	// Key is the secret key of the account, sk_… or rk_…; a restricted one needs to write Checkout Sessions, PaymentIntents and Refunds.
	Key string
	// WebhookSecrets are those of the webhook endpoint, whsec_…; several while one is being rolled.
	WebhookSecrets []string
	// ShopURL is where buyers come back to, the shop's own address: https://shop.example.org.
	ShopURL string
	// Cluster labels what is made at Stripe, so that several systems share an account. Default: ticketrush.
	Cluster string
	// URL is the API. Default: https://api.stripe.com.
	URL string
	// Timeout bounds one request; an operation is up to three tries. Default: 4 seconds.
	Timeout time.Duration
	// Pause is how long the first try again waits; it is doubled each time. Default: 200 ms.
	Pause time.Duration
}

// Provider is Stripe as an order.Provider. It is safe for concurrent use.
type Provider struct {
	config  Config
	secrets [][]byte
	client  *http.Client
}

var _ order.Provider = (*Provider)(nil)

// New makes the provider. It joins all that is wrong with the configuration, and reaches nothing.
func New(c Config) (*Provider, error) {
	var errs []error
	if !strings.HasPrefix(c.Key, "sk_") && !strings.HasPrefix(c.Key, "rk_") {
		errs = append(errs, errors.New("the key of Stripe must be a secret key, sk_…, or a restricted one, rk_…"))
	}
	if len(c.WebhookSecrets) == 0 {
		errs = append(errs, errors.New("messages of Stripe need a secret of the webhook endpoint, whsec_…"))
	}
	p := &Provider{config: c}
	for i, s := range c.WebhookSecrets {
		if !strings.HasPrefix(s, "whsec_") || len(s) < 16 {
			errs = append(errs, fmt.Errorf("webhook secret %d is not one of Stripe's: they begin with whsec_", i+1))
		}
		p.secrets = append(p.secrets, []byte(s))
	}
	if u, err := url.Parse(c.ShopURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, fmt.Errorf("%q is not the address of a shop, such as https://shop.example.org", c.ShopURL))
	}
	if c.Cluster == "" {
		p.config.Cluster = "ticketrush"
	}
	if c.URL == "" {
		p.config.URL = "https://api.stripe.com"
	}
	if c.Timeout <= 0 {
		p.config.Timeout = 4 * time.Second
	}
	if c.Pause <= 0 {
		p.config.Pause = 200 * time.Millisecond
	}
	p.config.ShopURL = strings.TrimSuffix(c.ShopURL, "/")
	p.config.URL = strings.TrimSuffix(p.config.URL, "/")
	p.client = &http.Client{Timeout: p.config.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p, errors.Join(errs...)
}

// Name is the constant Name.
func (*Provider) Name() string { return Name }
