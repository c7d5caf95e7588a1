package room

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"ticketrush/room/draw"
)

// PointsMax bounds the published histogram.
const PointsMax = 256

// Document is what everybody may know about the room; it shows only what is stored. Its JSON is the body of `frontier`: 64-bit numbers are decimal
// text there, as JavaScript's numbers end at 2^53.
type Document struct {
	Room       string
	Edition    uint16
	Phase      Phase
	LobbyAt    time.Time  // zero when the lobby is open from the start, or there is none
	OpensAt    time.Time  // zero when the room is simply open
	NextAt     time.Time  // the opening after this one; zero when the room does not open again and again
	Through    bool       // ops have said that nobody is held back
	EndsAt     time.Time  // zero when it does not end by itself
	Frontier   [2]uint64  // by Group
	Speed      [2]float64 // places per second that the line moves by, by Group; 0 when nothing says
	Rate       float64
	ShowRate   float64
	Inside     int
	MaxActive  int
	Waiting    uint64 // behind the frontiers, whoever of them is still there
	Joined     uint64
	Granted    uint64
	Lobby      uint64 // tids that were told for the draw, repetitions included
	Commitment *draw.Hash
	Draw       *DrawView
	Histogram  []Point
	Stock      *Supply // tickets left, where the driver knows
	Now        time.Time
}

// Document gives the room's public state, but for its name, which only the driver knows.
func (r *Room) Document(now time.Time) Document {
	at := r.step(now)
	c := r.crowd()
	a := r.lobbyAnswer(&EdgeState{})
	d := Document{
		Phase: r.phase(at), Edition: r.state.Edition, LobbyAt: moment(a.LobbyAt), OpensAt: moment(a.OpensAt), EndsAt: moment(a.EndsAt),
		NextAt: moment(a.NextAt), Through: r.state.Through, Frontier: r.shown,
		Rate: r.rate(), ShowRate: r.lane.showRate(), Inside: len(r.state.Inside), MaxActive: r.state.Limits.MaxActive, Granted: r.state.Granted,
		Lobby: r.state.Draw.Told, Commitment: r.state.Draw.Commitment, Draw: a.Draw, Histogram: c.points(PointsMax), Stock: r.supply, Now: time.UnixMilli(at),
	}
	for g := range groups {
		total := c.total(g)
		d.Joined += total
		d.Waiting += total - min(total, c.countUpTo(g, r.shown[g]))
		d.Speed[g] = r.speed(g)
	}
	return d
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// speed is how fast the line really moved, else what the rate promises; 0 when neither says anything: in a full house that nobody leaves, the rate
// would promise a minute to people who wait for ten.
func (r *Room) speed(g Group) float64 {
	speed := r.lane.speed(g)
	if speed > 0 || len(r.state.Inside) >= r.state.Limits.MaxActive {
		return speed
	}
	speed = r.rate() / r.lane.showRate()
	if g == GroupSlow {
		speed *= r.set.SlowShare
	}
	return speed
}

// documentJSON is the document without its signature.
type documentJSON struct {
	Room       string            `json:"room"`
	Edition    uint16            `json:"edition"`
	State      Phase             `json:"state"`
	LobbyAt    *time.Time        `json:"lobby_at,omitempty"`
	OpensAt    *time.Time        `json:"opens_at"`
	EndsAt     *time.Time        `json:"ends_at,omitempty"`
	NextAt     *time.Time        `json:"next_at,omitempty"`
	Through    bool              `json:"passthrough,omitempty"`
	Frontier   map[string]string `json:"frontier"`
	Speed      [2]float64        `json:"speed"`
	Rate       float64           `json:"rate"`
	ShowRate   float64           `json:"show_rate"`
	Inside     int               `json:"inside"`
	MaxActive  int               `json:"max_active"`
	Waiting    uint64            `json:"waiting"`
	Joined     uint64            `json:"joined"`
	Granted    uint64            `json:"granted"`
	Lobby      uint64            `json:"lobby"`
	Commitment *draw.Hash        `json:"commitment,omitempty"`
	Draw       *DrawView         `json:"draw,omitempty"`
	Histogram  histogram         `json:"histogram"`
	Stock      stockJSON         `json:"stock"`
	Poll       []PollStep        `json:"poll"`
	Now        string            `json:"now"`
	AsOfMs     int64             `json:"as_of_ms"`
}

type stockJSON struct {
	Left    *int64 `json:"left"`
	SoldOut bool   `json:"sold_out,omitempty"`
}

func (s *Supply) json() stockJSON {
	if s == nil {
		return stockJSON{}
	}
	return stockJSON{&s.Left, s.SoldOut}
}

func (s stockJSON) supply() *Supply {
	if s.Left == nil {
		return nil
	}
	return &Supply{Left: *s.Left, SoldOut: s.SoldOut}
}

// histogram is written in one go: point by point it was half of what a document costs.
type histogram []Point

// MarshalJSON gives a list of ["rank", count].
func (h histogram) MarshalJSON() ([]byte, error) {
	text := make([]byte, 0, 2+40*len(h))
	text = append(text, '[')
	for i, p := range h {
		if i > 0 {
			text = append(text, ',')
		}
		text = p.append(text)
	}
	return append(text, ']'), nil
}

func (p Point) append(text []byte) []byte {
	text = strconv.AppendUint(append(text, '[', '"'), p.Rank, 10)
	text = strconv.AppendUint(append(text, '"', ','), p.Count, 10)
	return append(text, ']')
}

// MarshalJSON gives ["rank", count].
func (p Point) MarshalJSON() ([]byte, error) { return p.append(nil), nil }

// UnmarshalJSON reads ["rank", count].
func (p *Point) UnmarshalJSON(text []byte) error {
	var rank string
	pair := [2]any{&rank, &p.Count}
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	var err error
	p.Rank, err = strconv.ParseUint(rank, 10, 64)
	return err
}

// MarshalJSON gives [seconds, milliseconds]; the first is null for all the rest.
func (s PollStep) MarshalJSON() ([]byte, error) {
	if s.Under == 0 {
		return fmt.Appendf(nil, "[null,%d]", s.Every.Milliseconds()), nil
	}
	return fmt.Appendf(nil, "[%d,%d]", int64(s.Under/time.Second), s.Every.Milliseconds()), nil
}

// UnmarshalJSON reads [seconds, milliseconds].
func (s *PollStep) UnmarshalJSON(text []byte) error {
	var pair [2]*int64
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	if pair[1] == nil {
		return fmt.Errorf("poll step %s", text)
	}
	*s = PollStep{Every: time.Duration(*pair[1]) * time.Millisecond}
	if pair[0] != nil {
		s.Under = time.Duration(*pair[0]) * time.Second
	}
	return nil
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Encode gives the document's JSON, signed, and a tag of its content. The last member, "signature", is that of the object's bytes without it: cut
// `,"signature":"…"` before the closing brace to verify.
func (d *Document) Encode(key ed25519.PrivateKey) (body []byte, tag string, err error) {
	out := documentJSON{
		Room: d.Room, Edition: d.Edition, State: d.Phase, LobbyAt: optional(d.LobbyAt), OpensAt: optional(d.OpensAt), EndsAt: optional(d.EndsAt),
		NextAt: optional(d.NextAt), Through: d.Through,
		Speed: d.Speed, Rate: d.Rate, ShowRate: d.ShowRate, Inside: d.Inside, MaxActive: d.MaxActive, Waiting: d.Waiting, Joined: d.Joined,
		Granted: d.Granted, Lobby: d.Lobby, Commitment: d.Commitment, Draw: d.Draw, Histogram: append([]Point{}, d.Histogram...),
		Stock: d.Stock.json(), Poll: PollTable, Now: d.Now.UTC().Format("2006-01-02T15:04:05.000Z07:00"), AsOfMs: d.Now.UnixMilli(),
		Frontier: map[string]string{
			"main": strconv.FormatUint(d.Frontier[GroupMain], 10), "slow": strconv.FormatUint(d.Frontier[GroupSlow], 10),
		},
	}
	if body, err = json.Marshal(out); err != nil {
		return nil, "", err
	}
	signature := base64.StdEncoding.EncodeToString(ed25519.Sign(key, body))
	body = fmt.Appendf(body[:len(body)-1:len(body)-1], `,"signature":%q}`, signature)
	sum := sha256.Sum256(body)
	return body, base64.RawURLEncoding.EncodeToString(sum[:12]), nil
}

// ReadDocument reads what Encode made; it does not check the signature.
func ReadDocument(body []byte) (*Document, error) {
	var in documentJSON
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fmt.Errorf("frontier document: %w", err)
	}
	d := &Document{
		Room: in.Room, Through: in.Through, Edition: in.Edition, Phase: in.State, Speed: in.Speed, Rate: in.Rate, ShowRate: in.ShowRate, Inside: in.Inside,
		MaxActive: in.MaxActive, Waiting: in.Waiting, Joined: in.Joined, Granted: in.Granted, Lobby: in.Lobby, Commitment: in.Commitment, Draw: in.Draw,
		Histogram: in.Histogram, Stock: in.Stock.supply(), Now: time.UnixMilli(in.AsOfMs).UTC(),
	}
	for field, value := range map[*time.Time]*time.Time{&d.LobbyAt: in.LobbyAt, &d.OpensAt: in.OpensAt, &d.EndsAt: in.EndsAt, &d.NextAt: in.NextAt} {
		if value != nil {
			*field = *value
		}
	}
	for g, name := range [groups]string{"main", "slow"} {
		var err error
		if d.Frontier[g], err = strconv.ParseUint(in.Frontier[name], 10, 64); err != nil {
			return nil, fmt.Errorf("frontier document: frontier %q: %w", name, err)
		}
	}
	return d, nil
}

// countUpTo gives about how many have a rank up to this one, by the histogram.
func (d *Document) countUpTo(rank uint64) uint64 {
	low := Point{}
	for _, p := range d.Histogram {
		if p.Rank > rank {
			if rank <= low.Rank || p.Count == low.Count {
				return low.Count
			}
			return low.Count + share(p.Count-low.Count, rank-low.Rank, p.Rank-low.Rank)
		}
		low = p
	}
	return low.Count
}
