// Package config is what a node is told: its settings, from a file and the environment, and its secrets. What is wrong is said with the setting to change.
package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ticketrush/ledger"
)

// Config is what `stockd serve` reads from its file and from the environment: the setting `api_addr` is also STOCKD_API_ADDR, and so on; the
// environment wins. Lists are separated by commas there. A zero value means the default that is named with each setting.
//
// Secrets are never settings themselves: each stands in a file that a setting names, or in the environment variable that is named with it.
type Config struct {
	// Node is the node's name. It must be unique in the cluster and stay the same over restarts: a restarted node takes its own stock back at
	// once. Default: the host's name.
	Node string `toml:"node"`
	// APIAddr is where the public API listens, host:port. Put an edge in front of it. Default: 127.0.0.1:7101.
	APIAddr string `toml:"api_addr"`
	// APIAdvertise is how other nodes and the edges reach the API, when that is not APIAddr.
	APIAdvertise string `toml:"api_advertise"`
	// InternalAddr is where nodes and edges call each other. Beyond loopback it needs the internal key. Default: 127.0.0.1:7301.
	InternalAddr string `toml:"internal_addr"`
	// InternalAdvertise is how others reach the internal listener, when that is not InternalAddr.
	InternalAdvertise string `toml:"internal_advertise"`
	// GossipAddr is where the cluster gossips, TCP and UDP. Beyond loopback it needs the gossip key. Default: 127.0.0.1:7201.
	GossipAddr string `toml:"gossip_addr"`
	// Join lists gossip addresses of other nodes; one that lives is enough. Default: none, a cluster of one.
	Join []string `toml:"join"`
	// Cluster labels the gossip, so that two clusters on one network never mix. Default: ticketrush.
	Cluster string `toml:"cluster"`

	// Postgres is the ledger's connection string (key=value or URL, sslmode explicit). A password belongs into PostgresFile, or into
	// Postgres' own passfile.
	Postgres string `toml:"postgres"`
	// PostgresFile is a file with the connection string, when it holds a password.
	PostgresFile string `toml:"postgres_file"`

	// RoomKeysFile has the keys that verify the passes of waiting rooms, the same file as on the edges; or the text in STOCKD_ROOM_KEYS.
	// Without it, events with a room sell to API keys only.
	RoomKeysFile string `toml:"room_keys_file"`
	// SecretsFile has the keys of hold tokens, order tokens and tickets (`stockd keys new`), the same on all nodes; or STOCKD_SECRETS. Needed.
	SecretsFile string `toml:"secrets_file"`
	// AccountKeysFile has the keys that verify the account tokens of the organiser's site: a JWK set with public keys (EdDSA, ES256, RS256) or a shared
	// secret (HS256); or the text in STOCKD_ACCOUNT_KEYS. Without it, accounts are named by API keys only.
	AccountKeysFile string `toml:"account_keys_file"`
	// AccountAudience is what the aud of an account token has to name. Default: ticketrush.
	AccountAudience string `toml:"account_audience"`
	// AccountIssuer is what the iss of an account token has to be. Default: anything.
	AccountIssuer string `toml:"account_issuer"`
	// AccountRequired refuses holds without an account at events with a limit per account. Default: off, the limit counts per visitor then.
	AccountRequired bool `toml:"account_required"`
	// InternalKeyFile has the key of the internal listener, at least 16 characters; or STOCKD_INTERNAL_KEY.
	InternalKeyFile string `toml:"internal_key_file"`
	// GossipKeyFile has the gossip's 32 bytes in base64; or STOCKD_GOSSIP_KEY.
	GossipKeyFile string `toml:"gossip_key_file"`

	// Sandbox turns the sandbox payment provider on: everybody pays with a click. Never where tickets are worth something. Default: off.
	Sandbox bool `toml:"sandbox"`
	// SandboxURL is the base URL at which the sandbox sends its webhooks to this API. Default: http:// and APIAddr.
	SandboxURL string `toml:"sandbox_url"`
	// Stripe turns the payment provider Stripe on (docs/payments.md). It needs the three settings after it. Default: off.
	Stripe bool `toml:"stripe"`
	// StripeKeyFile has the secret key of the Stripe account, sk_… or a restricted one, rk_…; or STOCKD_STRIPE_KEY.
	StripeKeyFile string `toml:"stripe_key_file"`
	// StripeWebhookSecretsFile has the secrets of the webhook endpoint, whsec_…, one in a line: two while one is being rolled; or STOCKD_STRIPE_WEBHOOK_SECRETS.
	StripeWebhookSecretsFile string `toml:"stripe_webhook_secrets_file"`
	// StripeShopURL is the shop's own address, where buyers come back to from Stripe's page: https://shop.example.org.
	StripeShopURL string `toml:"stripe_shop_url"`
	// StripeURL is Stripe's API. Default: https://api.stripe.com.
	StripeURL string `toml:"stripe_url"`
	// PaymentDeadline is how long a payment may take before its provider is asked how it ended. Default: 15m.
	PaymentDeadline Duration `toml:"payment_deadline"`

	// KeepClientIP is how long the client's address of an order is kept, from its opening. Longer helps to look into fraud, shorter is less to lose; so it is
	// with the next three. All nodes should say the same: the shortest wins. Default: 30d.
	KeepClientIP KeepFor `toml:"keep_client_ip"`
	// KeepNames is how long the names on tickets, and the hashes of documents, are kept after their event has begun. Default: 90d.
	KeepNames KeepFor `toml:"keep_names"`
	// KeepWebhooks is how long the bytes of what payment providers sent are kept. Default: 90d, longer than a refund or a first look at a dispute takes.
	KeepWebhooks KeepFor `toml:"keep_webhooks"`
	// KeepMessages is how long the sandbox keeps the messages that it has sent. Default: 30d.
	KeepMessages KeepFor `toml:"keep_messages"`

	// InvoiceEvery is how often the nodes make the invoices and credit notes that nobody has asked for; one node does it at a time, whatever the others say. An
	// hour is enough for most; a round looks at all orders. Default: never, they are made when a buyer asks, and by `stockd invoice make`.
	InvoiceEvery Duration `toml:"invoice_every"`

	// SessionTTL is after how long without a sign of life a node's stock is taken over. Shorter: faster take-over, and a shorter Postgres
	// hiccup makes the node stop promising. Default: 3s.
	SessionTTL Duration `toml:"session_ttl"`
	// Lanes is the number of connections that flush at the same time; 2 keep one core of Postgres busy. Default: 2.
	Lanes int `toml:"lanes"`
	// Linger is how long a batch waits for company. Default: 0s, for what comes at the same time.
	Linger Duration `toml:"linger"`
	// BatchMax is the most operations of a batch; p99 grows with it. Default: 128.
	BatchMax int `toml:"batch_max"`
	// QueueMax is the most promises that wait for the ledger; past it clients get 503 at once. Default: 256.
	QueueMax int `toml:"queue_max"`
	// QueueWait is how long a promise waits for the ledger before its client gets 503. Default: 2s.
	QueueWait Duration `toml:"queue_wait"`
	// BalanceAfter is for how long the same nodes must have been there before partitions with stock move for balance alone. Shorter: a node
	// that has come takes its share sooner, and one that comes and goes moves more. Default: 10s.
	BalanceAfter Duration `toml:"balance_after"`
	// MoveCooldown is for how long a partition stays where it has just come to, as far as balance goes. Default: 60s.
	MoveCooldown Duration `toml:"move_cooldown"`
	// HotRate is from how many operations per second on a partition is in a rush; for HotStay from its beginning it does not move for balance,
	// because a move keeps those waiting who ask for it. Default: 50 and 5m.
	HotRate int      `toml:"hot_rate"`
	HotStay Duration `toml:"hot_stay"`
	// DrainTimeout bounds the hand-over at SIGTERM. Default: 10s.
	DrainTimeout Duration `toml:"drain_timeout"`

	// ReadsPerSecond bounds the reads of one visitor; an address that says no more than itself gets ten times as much. Default: 20; -1: no limit.
	ReadsPerSecond float64 `toml:"reads_per_second"`
	// WorkMax is the most requests that a node works on at once, and as many reads beside them; the others wait, and are refused when that
	// takes too long (package shed). What is at work takes about WorkMax divided by the requests served per second: larger for a ledger that is far away
	// and quick, smaller for a slow one. Default: 256.
	WorkMax int `toml:"work_max"`
	// ShedTarget is how long the oldest waiting request may be kept waiting all the time before requests are refused in proportion. Default: 20ms.
	ShedTarget Duration `toml:"shed_target"`
	// ConnectionsMax is the most open connections of the public listener. Past it the one that has been silent for longest is closed for a new one; when all
	// are busy the new one gets 503. Each costs some 25 kB. Default: 50000, or what the limit of open files leaves.
	ConnectionsMax int `toml:"connections_max"`
	// StreamsMax bounds the availability streams; each costs some 40 kB. Default: 10000.
	StreamsMax int `toml:"streams_max"`
	// TrustedProxies are the networks of the edges, whose X-Forwarded-For and X-Wr-… are believed. Default: loopback.
	TrustedProxies []string `toml:"trusted_proxies"`

	// LogLevel is debug, info, warn or error. Default: info.
	LogLevel string `toml:"log_level"`
	// LogFormat is text or json. Default: text.
	LogFormat string `toml:"log_format"`
}

// Duration is a time.Duration that is written as text: "3s", "300µs", "30d".
type Duration time.Duration

// day is the longest unit of a Duration, always of 24 hours.
const day = 24 * time.Hour

// UnmarshalText reads what time.ParseDuration reads, and whole days.
func (d *Duration) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 100_000 {
			return fmt.Errorf("%q is no number of days, such as 30d", text)
		}
		*d = Duration(n) * Duration(day)
		return nil
	}
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// KeepFor is how long personal data are kept, an hour to ten years. Who writes 0 may mean never or for ever, and must not get the default instead.
type KeepFor Duration

// UnmarshalText reads what a Duration reads, within the bounds.
func (k *KeepFor) UnmarshalText(text []byte) error {
	var d Duration
	if err := d.UnmarshalText(text); err != nil {
		return err
	}
	if d < Duration(time.Hour) || d > Duration(3650*day) {
		return fmt.Errorf("%s is not within 1h to 3650d", text)
	}
	*k = KeepFor(d)
	return nil
}

// WithDefaults gives a copy in which every setting that has a default stands.
func (c Config) WithDefaults(hostname string) Config {
	text := func(into *string, value string) {
		if *into == "" {
			*into = value
		}
	}
	number := func(into *int, value int) {
		if *into == 0 {
			*into = value
		}
	}
	span := func(into *Duration, value time.Duration) {
		if *into == 0 {
			*into = Duration(value)
		}
	}
	text(&c.Node, hostname)
	text(&c.APIAddr, "127.0.0.1:7101")
	text(&c.APIAdvertise, c.APIAddr)
	text(&c.InternalAddr, "127.0.0.1:7301")
	text(&c.InternalAdvertise, c.InternalAddr)
	text(&c.GossipAddr, "127.0.0.1:7201")
	text(&c.Cluster, "ticketrush")
	text(&c.AccountAudience, "ticketrush")
	text(&c.SandboxURL, "http://"+c.APIAddr)
	text(&c.StripeURL, "https://api.stripe.com")
	text(&c.LogLevel, "info")
	text(&c.LogFormat, "text")
	c.SandboxURL = strings.TrimSuffix(c.SandboxURL, "/")
	span(&c.PaymentDeadline, 15*time.Minute)
	span((*Duration)(&c.KeepClientIP), 30*day)
	span((*Duration)(&c.KeepNames), 90*day)
	span((*Duration)(&c.KeepWebhooks), 90*day)
	span((*Duration)(&c.KeepMessages), 30*day)
	span(&c.SessionTTL, 3*time.Second)
	number(&c.Lanes, 2)
	number(&c.BatchMax, 128)
	number(&c.QueueMax, 256)
	span(&c.QueueWait, 2*time.Second)
	span(&c.BalanceAfter, 10*time.Second)
	span(&c.MoveCooldown, time.Minute)
	number(&c.HotRate, 50)
	span(&c.HotStay, 5*time.Minute)
	span(&c.DrainTimeout, 10*time.Second)
	number(&c.WorkMax, 256)
	span(&c.ShedTarget, 20*time.Millisecond)
	number(&c.ConnectionsMax, 50_000)
	number(&c.StreamsMax, 10_000)
	if c.ReadsPerSecond == 0 {
		c.ReadsPerSecond = 20
	}
	return c
}

// Proxies are TrustedProxies as networks; Validate has seen that they can be read. Nil means loopback.
func (c Config) Proxies() (list []netip.Prefix) {
	for _, text := range c.TrustedProxies {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// Logger is the log that LogLevel and LogFormat ask for.
func (c Config) Logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // Validate has seen it
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// Retention is how long personal data are kept.
func (c Config) Retention() ledger.Retention {
	return ledger.Retention{
		ClientIP: time.Duration(c.KeepClientIP), Names: time.Duration(c.KeepNames), Messages: time.Duration(c.KeepMessages), Webhooks: time.Duration(c.KeepWebhooks),
	}
}
