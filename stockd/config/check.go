package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate joins everything that is wrong with a configuration, each with the setting to change. It changes nothing and opens nothing.
// c is complete (WithDefaults); environ tells which secrets stand in the environment.
func (c Config) Validate(environ []string) error {
	var errs []error
	bad := func(setting, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s (%s): %s", setting, EnvName(setting), fmt.Sprintf(format, args...)))
	}
	if c.Node == "" || len(c.Node) > 64 || strings.ContainsAny(c.Node, " /\\\"'\n") {
		bad("node", "%q is not a name: use 1 to 64 characters without spaces, quotes and slashes", c.Node)
	}
	for setting, addr := range map[string]string{
		"api_addr": c.APIAddr, "api_advertise": c.APIAdvertise, "internal_addr": c.InternalAddr, "internal_advertise": c.InternalAdvertise, "gossip_addr": c.GossipAddr,
	} {
		if err := checkAddr(addr); err != nil {
			bad(setting, "%v", err)
		}
	}
	for _, addr := range c.Join {
		if err := checkAddr(addr); err != nil {
			bad("join", "%v", err)
		}
	}
	for setting, addr := range map[string]string{"api_advertise": c.APIAdvertise, "internal_advertise": c.InternalAdvertise} {
		if host, _, err := net.SplitHostPort(addr); err == nil && (host == "" || host == "0.0.0.0" || host == "::") {
			bad(setting, "%q is every address of this machine; say which one the other nodes and the edges shall call", addr)
		}
	}
	c.checkSecrets(environ, bad)
	c.checkLimits(bad)
	c.checkProviders(environ, bad)
	for _, text := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(text); err != nil {
			bad("trusted_proxies", "%q is not a network such as 10.0.0.0/8", text)
		}
	}
	if new(slog.Level).UnmarshalText([]byte(c.LogLevel)) != nil {
		bad("log_level", "%q is none of debug, info, warn, error", c.LogLevel)
	}
	if !slices.Contains([]string{"text", "json"}, c.LogFormat) {
		bad("log_format", "%q is neither text nor json", c.LogFormat)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// checkSecrets wants the files to be named that must be there. Whether they can be read is seen when they are.
func (c Config) checkSecrets(environ []string, bad func(setting, format string, args ...any)) {
	if c.Postgres == "" && c.PostgresFile == "" {
		bad("postgres", "where is the ledger? Set it to a connection string such as \"host=db dbname=ticketrush user=stockd sslmode=verify-full\", or postgres_file to a file with one")
	}
	if c.Postgres != "" && c.PostgresFile != "" {
		bad("postgres", "both postgres and postgres_file are set; keep one")
	}
	if c.SecretsFile == "" && !inEnv(environ, "STOCKD_SECRETS") {
		bad("secrets_file", "it is needed for hold tokens, order tokens and tickets; make one with `stockd keys new --out FILE`, the same file for all nodes")
	}
	if c.AccountRequired && c.AccountKeysFile == "" && !inEnv(environ, "STOCKD_ACCOUNT_KEYS") {
		bad("account_required", "without keys nobody's account can be known; set account_keys_file to the public keys of the site")
	}
	if c.InternalKeyFile == "" && !inEnv(environ, "STOCKD_INTERNAL_KEY") && !isLoopback(c.InternalAddr) {
		bad("internal_key_file", "internal_addr %s can be reached from other machines and needs a key; make one with `stockd keys internal --out FILE`", c.InternalAddr)
	}
	if c.GossipKeyFile == "" && !inEnv(environ, "STOCKD_GOSSIP_KEY") && !isLoopback(c.GossipAddr) {
		bad("gossip_key_file", "gossip_addr %s can be reached from other machines and needs a key; make one with `stockd keys gossip --out FILE`", c.GossipAddr)
	}
}

// checkProviders wants what the payment providers that are on need.
func (c Config) checkProviders(environ []string, bad func(setting, format string, args ...any)) {
	isURL := func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
	}
	if !isURL(c.SandboxURL) {
		bad("sandbox_url", "%q is not a URL such as http://127.0.0.1:7101", c.SandboxURL)
	}
	if !isURL(c.StripeURL) {
		bad("stripe_url", "%q is not a URL such as https://api.stripe.com", c.StripeURL)
	}
	if !c.Stripe {
		return
	}
	if c.StripeKeyFile == "" && !inEnv(environ, "STOCKD_STRIPE_KEY") {
		bad("stripe_key_file", "stripe is on and needs the secret key of its account; write it to a file that this setting names")
	}
	if c.StripeWebhookSecretsFile == "" && !inEnv(environ, "STOCKD_STRIPE_WEBHOOK_SECRETS") {
		bad("stripe_webhook_secrets_file", "stripe is on and needs the secret of its webhook endpoint, whsec_…; write it to a file that this setting names")
	}
	if !isURL(c.StripeShopURL) {
		bad("stripe_shop_url", "%q is not where buyers come back to from Stripe, such as https://shop.example.org", c.StripeShopURL)
	}
}

// checkLimits wants numbers that a node can run with.
func (c Config) checkLimits(bad func(setting, format string, args ...any)) {
	within := func(setting string, v, low, high int) {
		if v < low || v > high {
			bad(setting, "%d is not within %d to %d", v, low, high)
		}
	}
	span := func(setting string, v Duration, low, high time.Duration) {
		if time.Duration(v) < low || time.Duration(v) > high {
			bad(setting, "%v is not within %v to %v", time.Duration(v), low, high)
		}
	}
	within("lanes", c.Lanes, 1, 32)
	within("batch_max", c.BatchMax, 1, 4096)
	within("queue_max", c.QueueMax, 1, 1_000_000)
	within("work_max", c.WorkMax, 8, 100_000)
	span("shed_target", c.ShedTarget, time.Millisecond, time.Second)
	within("connections_max", c.ConnectionsMax, 16, 1_000_000)
	within("streams_max", c.StreamsMax, 1, 1_000_000)
	span("payment_deadline", c.PaymentDeadline, time.Second, 24*time.Hour)
	if c.InvoiceEvery != 0 {
		span("invoice_every", c.InvoiceEvery, time.Minute, 7*day)
	}
	span("session_ttl", c.SessionTTL, time.Second, time.Minute)
	span("linger", c.Linger, 0, 100*time.Millisecond)
	span("queue_wait", c.QueueWait, time.Millisecond, time.Minute)
	span("balance_after", c.BalanceAfter, 100*time.Millisecond, time.Hour)
	span("move_cooldown", c.MoveCooldown, 100*time.Millisecond, 24*time.Hour)
	within("hot_rate", c.HotRate, 1, 1_000_000)
	span("hot_stay", c.HotStay, time.Second, 24*time.Hour)
	span("drain_timeout", c.DrainTimeout, time.Second, 5*time.Minute)
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q: a port is a number from 1 to 65535", addr)
	}
	return nil
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func inEnv(environ []string, name string) bool {
	return slices.ContainsFunc(environ, func(line string) bool { return strings.HasPrefix(line, name+"=") && len(line) > len(name)+1 })
}
