package room

import (
	"encoding/json"
	"time"
)

// settingsJSON is how settings are written: durations as text, zero fields left out. The names are those of the edge's configuration.
type settingsJSON struct {
	Rate      float64   `json:"rate,omitempty"`
	Auto      bool      `json:"auto,omitempty"`
	RateMin   float64   `json:"rate_min,omitempty"`
	RateMax   float64   `json:"rate_max,omitempty"`
	MaxActive int       `json:"max_active,omitempty"`
	Pass      span      `json:"pass,omitempty"`
	Stay      span      `json:"stay,omitempty"`
	Grace     span      `json:"grace,omitempty"`
	Overlap   span      `json:"overlap,omitempty"`
	Opens     time.Time `json:"opens,omitzero"`
	Lobby     span      `json:"lobby,omitempty"`
	Beacon    string    `json:"beacon,omitempty"`
	Ends      time.Time `json:"ends,omitzero"`
	Every     span      `json:"every,omitempty"`
	Latency   span      `json:"latency,omitempty"`
	SlowShare float64   `json:"slow_share,omitempty"`
}

// span is a duration as text: "10m0s".
type span time.Duration

// MarshalText gives what time.ParseDuration reads.
func (d span) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *span) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = span(v)
	return err
}

// MarshalJSON gives the settings with durations as text; what is zero is left out.
func (s Settings) MarshalJSON() ([]byte, error) {
	return json.Marshal(settingsJSON{
		Rate: s.Rate, Auto: s.Auto, RateMin: s.RateMin, RateMax: s.RateMax, MaxActive: s.MaxActive, Pass: span(s.PassLife), Stay: span(s.StayMax),
		Grace: span(s.Grace), Overlap: span(s.Overlap), Opens: s.OpensAt, Lobby: span(s.Lobby), Beacon: s.Beacon, Ends: s.EndsAt, Every: span(s.Every),
		Latency: span(s.Latency), SlowShare: s.SlowShare,
	})
}

// UnmarshalJSON reads what MarshalJSON wrote. Members that it does not know are left out: a later version may have written them. It does not validate.
func (s *Settings) UnmarshalJSON(text []byte) error {
	var in settingsJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*s = Settings{
		Rate: in.Rate, Auto: in.Auto, RateMin: in.RateMin, RateMax: in.RateMax, MaxActive: in.MaxActive, PassLife: time.Duration(in.Pass),
		StayMax: time.Duration(in.Stay), Grace: time.Duration(in.Grace), Overlap: time.Duration(in.Overlap), OpensAt: in.Opens, Lobby: time.Duration(in.Lobby),
		Beacon: in.Beacon, EndsAt: in.Ends, Every: time.Duration(in.Every), Latency: time.Duration(in.Latency), SlowShare: in.SlowShare,
	}
	return nil
}
