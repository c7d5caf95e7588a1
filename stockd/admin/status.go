package admin

import "time"

// Status is the answer of GET /admin/status (API key with the scope ops). Every list may be empty; the page leaves out what it is not told.
// All counts are of seats or units of areas, money is in minor units, durations are in milliseconds.
type Status struct {
	// Now is the time of the node that answers; Node is its id.
	Now  time.Time `json:"now"`
	Node string    `json:"node"`
	// Version of the program, for example "v0.3.0 (3080811)".
	Version string  `json:"version,omitempty"`
	Rooms   []Room  `json:"rooms"`
	Nodes   []Node  `json:"nodes"`
	Events  []Event `json:"events"`
	Alarms  []Alarm `json:"alarms"`
	// Calls are calls to payment providers and to the stock that were given up, the first of them; CallsDead is how many there are. POST /admin/outbox/retry tries
	// them again.
	Calls     []Call   `json:"calls"`
	CallsDead int64    `json:"calls_dead"`
	History   []Sample `json:"history"`
	// HistoryEveryMs is the distance between samples; 0 means that there is no history, and the page collects its own while it is open.
	HistoryEveryMs int64 `json:"history_every_ms,omitempty"`
}

// Room is one waiting room as its owner sees it.
type Room struct {
	Name string `json:"name"`
	// State is announced, lobby, drawing, open, paused or ended.
	State string `json:"state"`
	// Owner is the node that decides.
	Owner string `json:"owner,omitempty"`
	// Waiting counts places behind the frontier; Inside passes that are alive, at most MaxActive.
	Waiting   int64 `json:"waiting"`
	Inside    int64 `json:"inside"`
	MaxActive int64 `json:"max_active"`
	// Rate is passes per second asked for, Admitted what was really issued per second lately. Why says what sets the rate.
	Rate     float64 `json:"rate"`
	Admitted float64 `json:"admitted"`
	Why      string  `json:"why,omitempty"`
}

// Node is one member of the cluster. A node that gossip lost is listed with Alive false until its partitions have new owners.
type Node struct {
	ID    string `json:"id"`
	Addr  string `json:"addr"`
	Alive bool   `json:"alive"`
	// Partitions owned, out of PartitionsAll of the whole cluster.
	Partitions    int `json:"partitions"`
	PartitionsAll int `json:"partitions_all"`
	// FlushP50Ms and FlushP99Ms are times of commits in the last ten seconds; BatchMean is operations per flush.
	FlushP50Ms float64 `json:"flush_p50_ms"`
	FlushP99Ms float64 `json:"flush_p99_ms"`
	BatchMean  float64 `json:"batch_mean"`
	// Queue is operations that wait for a flush; QueueMax is where the node begins to refuse.
	Queue    int `json:"queue"`
	QueueMax int `json:"queue_max"`
	// OpsPerSecond are operations committed per second lately.
	OpsPerSecond float64 `json:"ops_per_second"`
}

// Event is one performance with its stock. Version is the entity tag that PATCH /v1/events/{id} wants in If-Match, quotes included.
type Event struct {
	ID   string `json:"id"` // evt_…
	Slug string `json:"slug"`
	Name string `json:"name"`
	// State is draft, on_sale, paused or closed.
	State    string     `json:"state"`
	Version  string     `json:"version"`
	StartsAt *time.Time `json:"starts_at,omitempty"`
	Currency string     `json:"currency"`
	// Gross is what was paid for, in minor units.
	Gross    int64     `json:"gross"`
	Sections []Section `json:"sections"`
	// Stale is set when some counts are older than they should be, for example while a partition moves.
	Stale bool `json:"stale"`
}

// Section is one section or area: Capacity = Free + Held + Paying + Sold.
type Section struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Area     bool   `json:"area"`
	Capacity int    `json:"capacity"`
	Free     int    `json:"free"`
	Held     int    `json:"held"`
	Paying   int    `json:"paying"`
	Sold     int    `json:"sold"`
}

// Alarm is something that a person should look at. Level is "warning" or "critical".
type Alarm struct {
	Level string    `json:"level"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	// Do says what helps, in one sentence.
	Do string `json:"do,omitempty"`
}

// Sample is the state of the whole cluster at one moment, oldest first in Status.History; a few hundred are plenty.
type Sample struct {
	At         time.Time `json:"at"`
	Free       int64     `json:"free"`
	Held       int64     `json:"held"`
	Paying     int64     `json:"paying"`
	Sold       int64     `json:"sold"`
	Waiting    int64     `json:"waiting"`
	Inside     int64     `json:"inside"`
	FlushP50Ms float64   `json:"flush_p50_ms"`
	FlushP99Ms float64   `json:"flush_p99_ms"`
}

// Call is something that was to be done after a commit, and is not.
type Call struct {
	ID    int64  `json:"id"`
	Topic string `json:"topic"` // void, refund, orphan, unsell …
	// About names the payment or the order, with the amount in minor units.
	About    string     `json:"about"`
	Attempts int        `json:"attempts"`
	Due      time.Time  `json:"due"`               // when it is tried next
	DeadAt   *time.Time `json:"dead_at,omitempty"` // when it was given up
	Error    string     `json:"error,omitempty"`   // of the last try
}
