package rush

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Config says whom to send where. Zero values mean the defaults that are named.
type Config struct {
	// URL is the edge, for example http://127.0.0.1:8080. Needed.
	URL string
	// Event is the slug or id of the event. Default: arena.
	Event string
	// Room is the waiting room in front of it; "-" means that there is none. Default: the event's own.
	Room string
	// APIKey makes holds where no pass can be had (scope sell). Default: none.
	APIKey string

	// Fans is how many people come. Default: 8000.
	Fans int
	// Arrive is the time in which they come, most of them early. Default: 20s.
	Arrive time.Duration
	// PartyMin and PartyMax bound how many tickets somebody wants. Default: 1 to 6.
	PartyMin, PartyMax int
	// Abandon is the share that holds seats and then leaves. Negative means none. Default: 0.1.
	Abandon float64
	// Late is the share that lets its hold run out and then wants to pay. Negative means none. Default: 0.03.
	Late float64
	// Fight is the share that wants the same few seats as others. Negative means none. Default: 0.1.
	Fight float64
	// Decline is the share whose first payment is declined. Negative means none. Default: 0.05.
	Decline float64
	// Think is the mean time that a person takes at each step. Default: 400ms.
	Think time.Duration
	// Visits bounds how often one person comes: who has tickets comes again as somebody else while there is something left. Default: 3.
	Visits int
	// Seed makes the people. Default: 1.
	Seed uint64
	// Connections bounds the connections to the edge. Default: 256.
	Connections int
	// Deadline ends the rush when it takes longer. Default: 10m.
	Deadline time.Duration
	// SellOut makes it a failure when something is left at the end although the crowd wanted all of it.
	SellOut bool

	settle time.Duration // how long the counts may take at the end; Tests have less time.
}

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	def(&c.Event, "arena")
	def(&c.Fans, 8000)
	def(&c.Arrive, 20*time.Second)
	def(&c.PartyMin, 1)
	def(&c.PartyMax, max(6, c.PartyMin))
	def(&c.Abandon, 0.1)
	def(&c.Late, 0.03)
	def(&c.Fight, 0.1)
	def(&c.Decline, 0.05)
	def(&c.Think, 400*time.Millisecond)
	def(&c.Visits, 3)
	def(&c.Seed, 1)
	def(&c.Connections, 256)
	def(&c.Deadline, 10*time.Minute)
	def(&c.settle, shortHold*time.Second+5*time.Second)
	c.URL = strings.TrimSuffix(c.URL, "/")
	return c
}

func def[V comparable](into *V, value V) {
	var zero V
	if *into == zero {
		*into = value
	}
}

// wanted is how many tickets the crowd buys in the mean when it can, without coming again.
func (c Config) wanted() float64 {
	party := float64(c.PartyMin+c.PartyMax) / 2
	return float64(c.Fans) * party * (1 - max(0, c.Abandon) - max(0, c.Late))
}

// validate joins what is wrong with a complete configuration.
func (c Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("--url %q: want the edge's URL, for example http://127.0.0.1:8080", c.URL)
	}
	if c.Fans < 1 || c.Fans > 1_000_000 {
		bad("--fans %d: want 1 to 1000000", c.Fans)
	}
	if c.PartyMin < 1 || c.PartyMax < c.PartyMin || c.PartyMax > 64 {
		bad("--parties %d-%d: want two numbers from 1 to 64, the smaller first", c.PartyMin, c.PartyMax)
	}
	for name, share := range map[string]float64{"abandon": c.Abandon, "late": c.Late, "fight": c.Fight, "decline": c.Decline} {
		if share > 1 {
			bad("--%s %v: a share is at most 1", name, share)
		}
	}
	if c.Abandon+c.Late > 1 {
		bad("--abandon and --late together are over 1")
	}
	if c.Arrive < 0 || c.Think < 0 || c.Deadline < 0 || c.Visits < 1 || c.Connections < 1 {
		bad("times may not be negative, --visits and --connections are at least 1")
	}
	return errors.Join(errs...)
}

// ParseParties reads "1-6" or "4".
func ParseParties(text string) (low, high int, err error) {
	if n, _ := fmt.Sscanf(text, "%d-%d", &low, &high); n == 1 {
		high = low
	} else if n != 2 {
		return 0, 0, fmt.Errorf("--parties %q: want two numbers such as 1-6", text)
	}
	return low, high, nil
}
