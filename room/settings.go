package room

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"ticketrush/room/draw"
)

// Settings of a room. A zero field means its default.
type Settings struct {
	// Rate is how many passes are issued per second. Default 50. Set it to what the site behind can bear; the line moves at this speed.
	Rate float64
	// Auto lets the rate move between RateMin and RateMax by what the site reports; Rate is then where it starts (default: RateMin).
	Auto             bool
	RateMin, RateMax float64
	// MaxActive is the most people inside at once. Default 1000. Each costs about 200 bytes of memory and of the snapshot.
	MaxActive int
	// PassLife is the life of a pass, and of each renewal. Default 10 min. Shorter frees the slots of people who went away sooner.
	PassLife time.Duration
	// StayMax bounds how long somebody may stay by renewing. Default 0: no bound.
	StayMax time.Duration
	// Grace is how long after a pass ended, or was left, its slot stays taken: for requests under way. Default 5 s.
	Grace time.Duration
	// Overlap is how long the pass before a renewal is still good. Default 30 s.
	Overlap time.Duration
	// OpensAt is when claims begin; before it people are in the lobby, whose order is drawn. Zero: open at once.
	OpensAt time.Time
	// Lobby is how long before OpensAt the lobby opens; nobody can join before it does. Default 0: from the start.
	Lobby time.Duration
	// Beacon is the public source whose value is part of the draw's seed: "" for none (mode "operator": the draw rests on the room's secret alone),
	// the URLs of relays of drand such as https://api.drand.sh, with a space between two, or the name of a source whose value ops enter, such as "lotto of 2026-12-01".
	Beacon string
	// EndsAt is when the sale is over and nobody is let in any more. Zero: never by itself.
	EndsAt time.Time
	// Every repeats OpensAt, Lobby and EndsAt: each occurrence is an edition of its own, which begins when its lobby opens and voids the places and passes
	// of the one before. Needs all three. Default 0: once.
	Every time.Duration
	// Latency is what 99 of 100 answers of the site should take at most; with Auto, the rate goes down while they take longer. Default 0: not looked at.
	Latency time.Duration
	// SlowShare of what is opened goes to the slow lane while somebody waits there. Default 0.05.
	SlowShare float64
}

// WithDefaults gives the settings with each zero field replaced by its default.
func (s Settings) WithDefaults() Settings {
	if s.Rate == 0 && s.Auto {
		s.Rate = s.RateMin
	}
	def(&s.Rate, 50)
	def(&s.MaxActive, 1000)
	def(&s.PassLife, 10*time.Minute)
	def(&s.Grace, 5*time.Second)
	def(&s.Overlap, 30*time.Second)
	def(&s.SlowShare, 0.05)
	return s
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// IsRelay says whether a beacon is a relay of drand, rather than a source whose value ops enter.
func IsRelay(beacon string) bool {
	return strings.HasPrefix(beacon, "https://") || strings.HasPrefix(beacon, "http://")
}

// Relays gives the relays of drand that a beacon names; each is as good as another, since what they answer is signed.
func Relays(beacon string) []string { return strings.Fields(beacon) }

// Limits of settings.
const (
	rateLimit      = 100_000
	maxActiveLimit = 1_000_000
)

// Validate gives all that is wrong with the settings, and changes nothing. Call it on what WithDefaults gives.
func (s Settings) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(s.Rate > 0 && s.Rate <= rateLimit, "rate %v: must be over 0 and at most %d per second", s.Rate, rateLimit)
	check(!s.Auto || (s.RateMin > 0 && s.RateMin <= s.RateMax && s.RateMax <= rateLimit),
		"rate auto %v %v: want a lower and an upper bound over 0, at most %d", s.RateMin, s.RateMax, rateLimit)
	check(s.MaxActive >= 1 && s.MaxActive <= maxActiveLimit, "max_active %d: must be from 1 to %d", s.MaxActive, maxActiveLimit)
	check(s.PassLife >= time.Second && s.PassLife <= 24*time.Hour, "pass %v: must be from 1s to 24h", s.PassLife)
	check(s.StayMax == 0 || s.StayMax >= s.PassLife, "stay %v: must not be shorter than pass %v", s.StayMax, s.PassLife)
	check(s.Grace >= 0 && s.Grace <= time.Hour, "grace %v: must be from 0s to 1h", s.Grace)
	check(s.Overlap >= 0 && s.Overlap <= time.Hour, "overlap %v: must be from 0s to 1h", s.Overlap)
	check(s.Lobby == 0 || s.Lobby >= time.Minute && s.Lobby <= 7*24*time.Hour, "lobby %v: must be from 1m to 168h", s.Lobby)
	if s.Beacon != "" && !IsRelay(s.Beacon) {
		err := draw.CheckSource(s.Beacon)
		check(err == nil, "beacon %q: %w", s.Beacon, err)
	}
	if IsRelay(s.Beacon) {
		for _, relay := range Relays(s.Beacon) {
			check(IsRelay(relay), "beacon: %q is no URL of a relay", relay)
		}
	}
	check(len(s.Beacon) <= 200, "beacon: at most 200 bytes")
	check(s.Lobby == 0 || !s.OpensAt.IsZero(), "lobby %v: needs opens", s.Lobby)
	check(s.EndsAt.IsZero() || s.EndsAt.After(s.OpensAt), "ends %v: must be after opens %v", s.EndsAt, s.OpensAt)
	if err := s.validateEvery(); err != nil {
		errs = append(errs, err)
	}
	check(s.Latency == 0 || s.Latency >= time.Millisecond && s.Latency <= time.Minute, "latency %v: must be from 1ms to 1m", s.Latency)
	check(s.Latency == 0 || s.Auto, "latency %v: needs rate auto, which it moves", s.Latency)
	check(s.SlowShare > 0 && s.SlowShare <= 0.5, "slow share %v: must be over 0 and at most 0.5", s.SlowShare)
	return errors.Join(errs...)
}
