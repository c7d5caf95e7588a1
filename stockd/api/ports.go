package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// Why a call to the node gave no answer. An implementation wraps them; all of them mean: ask again with the same key.
var (
	ErrMoving     = errors.New("the partition is changing its owner")
	ErrLedgerAway = errors.New("the ledger cannot be reached")
	ErrOverloaded = errors.New("the owner's queue is full")
)

// ErrNotFound, ErrStale and ErrTaken are what a catalog change may be refused for; ErrBadChart wraps what is wrong with a chart.
var (
	ErrNotFound = errors.New("not found")
	ErrStale    = errors.New("changed since")
	ErrTaken    = errors.New("taken by another")
	ErrBadChart = errors.New("chart")
)

// ErrEventCancelled and ErrEventHeld say how an event has ended: nobody comes, or it took place and its revenue was recognised.
var (
	ErrEventCancelled = errors.New("the event was cancelled")
	ErrEventHeld      = errors.New("the event took place")
)

// MassRefund is how far it is to give everybody their money back.
type MassRefund struct {
	Reason, Actor       string
	BegunAt, FinishedAt time.Time // FinishedAt is zero until nothing of the event is paid for, or may still be
	Open                int64     // orders that are paid, or may still be, or whose money is on its way
	Refunds, Sent       int64     // decided, and sent
	Failed              int64     // their provider could not send them, and is asked again
	Amount, AmountSent  int64     // minor units of Currency
	Currency            string
}

// Node is what the API needs of a running node. All methods are safe for concurrent use.
type Node interface {
	// Do runs a command at its owner, wherever that is, and answers after the commit.
	Do(ctx context.Context, cmd stock.Command) (stock.Answer, error)
	// DoInArea makes a hold in an area that has several segments, wherever there is enough; command makes the command for one of them.
	DoInArea(ctx context.Context, event stock.EventID, home stock.SegmentNo, command func(stock.SegmentNo) stock.Command) (stock.Answer, error)
	// HoldWide makes a hold over several segments, all or none; legs are the commands for each, in order of segment. A hold of an earlier request with
	// the same key is CodeReplay, without the hold.
	HoldWide(ctx context.Context, hold stock.WideHold, legs []stock.Command, ttl, maxTTL time.Duration) (stock.Answer, error)
	// ExtendWide and EndWide extend and release such a hold.
	ExtendWide(ctx context.Context, view stock.HoldView, req stock.Request, ttl time.Duration) (stock.Answer, error)
	EndWide(ctx context.Context, view stock.HoldView, req stock.Request) (stock.Answer, error)
	// Owner is who owns a partition, as far as this node knows; here says that it is this node.
	Owner(part stock.PartitionID) (owner Owner, here, known bool)
	// Find asks a hold's owner for the hold.
	Find(ctx context.Context, hold uuid.UUID) (stock.HoldView, bool, error)
	// Replayed asks the ledger what became of a key.
	Replayed(ctx context.Context, scope, key uuid.UUID) (Replay, error)

	// Event finds an event by evt_ id or slug, EventByNumber by the ledger's number. An Event is never changed once given out.
	Event(name string) (*Event, bool)
	EventByNumber(id stock.EventID) (*Event, bool)
	// BestSegments are the segments that may serve the ask, best first.
	BestSegments(event stock.EventID, ask stock.Ask) []stock.SegmentNo
	// Counts are the totals of an event's segments; stale when some owner has not been heard of lately.
	Counts(event stock.EventID) Counts
	// SeatStates are the states of a segment's seats in index order; nothing for an area.
	SeatStates(ctx context.Context, event stock.EventID, segment stock.SegmentNo) ([]stock.State, error)
	// Subscribe follows an event's changes after the id of the last one that was seen; without one, or with one that is not known, it begins with
	// a Reset. The channel is closed when the subscriber is too slow.
	Subscribe(event stock.EventID, last string) (<-chan Delta, func())
	// EventNode is the node that merges an event's availability.
	EventNode(event stock.EventID) (owner Owner, here, known bool)

	CreateChart(ctx context.Context, chart NewChart) (Chart, bool, error)
	CreateEvent(ctx context.Context, event NewEvent) (*Event, error)
	ChangeEvent(ctx context.Context, event stock.EventID, state string, version int) (*Event, error)
	// CancelEvent closes an event for good and begins its mass refund; PostponeEvent moves it, with an end to refunds by buyers, zero leaves it. again:
	// it was so before. Errors: ErrEventCancelled, ErrEventHeld.
	CancelEvent(ctx context.Context, event stock.EventID, reason, actor string) (ev *Event, again bool, err error)
	PostponeEvent(ctx context.Context, event stock.EventID, startsAt, refundsUntil time.Time) (ev *Event, again bool, err error)
	// MassRefund is how far the mass refund of a cancelled event is; ErrNotFound when it is not cancelled.
	MassRefund(ctx context.Context, event stock.EventID) (MassRefund, error)
	Chart(ctx context.Context, id uuid.UUID) (Chart, bool, error)

	// APIKey finds who an API key was given to; Audit writes down what was done with it.
	APIKey(ctx context.Context, text string) (Key, bool, error)
	Audit(ctx context.Context, entry AuditEntry) error
	// Changes are entries of the audit log after one, oldest first: those of an event, which the log calls name, and of its holds, orders and tickets.
	Changes(ctx context.Context, event stock.EventID, name string, after int64, most int) ([]Change, error)

	// Ready gives the reasons why this node should get no traffic yet.
	Ready() []string
	// Status is the answer of /admin/status.
	Status(ctx context.Context) (any, error)
	// ID is the node's name.
	ID() string
}

// Owner is a node as others reach it.
type Owner struct {
	APIAddr string
	Epoch   int64
}

// Replay is what the ledger remembers of a key.
type Replay struct {
	Found       bool
	Fingerprint uuid.UUID
	Hold, Order uuid.UUID
	// Outcome is what the ledger said of it. Refused is the final refusal that was recorded, CodeOK when there was none.
	Outcome stock.Outcome
	Refused stock.Code
}

// refused is the refusal that was answered, CodeOK when it was none.
func (r Replay) refused() stock.Code {
	if dimension, _ := r.Outcome.Limit(); dimension != 0 {
		return stock.CodeLimitReached
	}
	switch r.Outcome {
	case stock.OutcomeHoldGone:
		return stock.CodeNoHold
	case stock.OutcomeOrderNo, stock.OutcomeOrderOpen:
		return stock.CodeIllegal
	case stock.OutcomeApplied, stock.OutcomeReplay, stock.OutcomeKeyReused, stock.OutcomeNotExpired, stock.OutcomeOrderLocked, stock.OutcomeLimitBusy, stock.OutcomeFenced:
	}
	if r.Refused == stock.CodeReplay {
		return stock.CodeOK
	}
	return r.Refused
}

// Event is an event on sale with everything that the API says about it.
type Event struct {
	Number            stock.EventID
	ID, Chart         uuid.UUID
	Slug, Name, Venue string
	State             string // draft, on_sale, paused, closed
	Version           int
	StartsAt, OpensAt time.Time // OpensAt zero: at once
	Currency, Room    string
	HoldTTL, MaxTTL   time.Duration
	LimitTid          int32
	LimitAccount      int32
	LimitDocument     int32
	RefundsUntil      time.Time // until when a buyer may ask for their money by themselves; zero: never
	Organiser         string    // whom the revenue is for; "": the house
	CancelledAt       time.Time // zero unless it does not take place
	RecognisedAt      time.Time // zero until its revenue was recognised
	AreaShare         int32     // for a new event: the most places of one segment of an area; 0: the default
	Types, Categories []string  // by index
	Tiers             []Tier
	Segments          []Segment // by number, from 1
	Layout            Layout
}

// Tier is the price of a category for a ticket type.
type Tier struct {
	Category, Type int16
	Face, Fee, Tax int64
}

// Segment is a unit of inventory.
type Segment struct {
	No            stock.SegmentNo
	Section, Name string
	Area          bool
	// Shares are all segments of an area that has several, this one, its home, first. They are one to the outside: only the ids of places tell them.
	Shares   []stock.SegmentNo
	Capacity int32 // of an area: of all its segments
	Category int16 // of an area
	Polygon  [][2]float64
	Seats    []Seat // by index; nil for an area
}

// Seat is one seat of the map.
type Seat struct {
	Label    string
	Category int16
	X, Y     float64
	Flags    uint8
}

// Layout is the size of the map.
type Layout struct {
	Width, Height  float64
	FocalX, FocalY float64
	Colors         []string // by category; may be shorter
}

// Counts are an event's totals at a moment.
type Counts struct {
	Segments map[stock.SegmentNo]stock.Counts
	AsOf     time.Time
	Stale    bool
}

// Delta is one committed change of availability.
type Delta struct {
	ID string
	// Reset says that what came before is not known: the reader must take everything anew.
	Reset  bool
	Counts map[stock.SegmentNo]stock.Counts
	Seats  []SeatChange
}

// SeatChange is a seat's new state.
type SeatChange struct {
	Seat  stock.SeatID
	State stock.State
}

// NewChart is a chart to be stored.
type NewChart struct {
	Format, Name string // format: ticketrush, pretix, csv
	Body         []byte
}

// Chart is a stored chart.
type Chart struct {
	ID         uuid.UUID
	Name       string
	Digest     []byte
	Seats      int
	Areas      int
	Sections   int
	Segments   int
	Categories []string
	Warnings   []string
}

// NewEvent is an event to be stored, with Number and Version still open.
type NewEvent struct {
	Event
	Open bool
}

// Key is an API key.
type Key struct {
	ID     uuid.UUID
	Name   string
	Person string
	Scopes []string
}

// AuditEntry is one line of the audit log.
type AuditEntry struct {
	At                              time.Time
	Key                             Key
	Action, Target, Address, Detail string
}

// Orders is what the API needs of the order service.
type Orders interface {
	Open(ctx context.Context, req OpenOrder) (Order, stock.Answer, error)
	Get(ctx context.Context, id uuid.UUID) (Order, bool, error)
	Cancel(ctx context.Context, id uuid.UUID, req stock.Request) (Order, error)
	// AnswerOffer is the buyer's yes or no to the seats that are offered; again says that they said so before.
	AnswerOffer(ctx context.Context, id uuid.UUID, yes bool) (order Order, again bool, err error)
	// Refund decides a refund; again says that it was decided before.
	Refund(ctx context.Context, wish RefundWish) (order Order, again bool, err error)
	StartPayment(ctx context.Context, id uuid.UUID, req stock.Request, provider, returnURL string) (pay Payment, again bool, err error)
	Webhook(ctx context.Context, provider string, body []byte, header http.Header) error
	Tickets
	// HoldToken and OrderToken give the bearer tokens; the others check them.
	HoldToken(hold uuid.UUID) string
	OrderToken(order uuid.UUID) string
	CheckHoldToken(text string, hold uuid.UUID) error
	CheckOrderToken(text string, order uuid.UUID) error
}

// Why the order service refused. IllegalTransition is a type, because it carries the states.
var (
	ErrNoProvider = errors.New("no such payment provider")
	ErrSignature  = errors.New("the signature does not match")
	ErrBadEvent   = errors.New("the event cannot be read")
	ErrMismatch   = errors.New("the payment does not fit the order")
	ErrNoOffer    = errors.New("nothing is offered, or not any more")
	ErrNoLine     = errors.New("a seat is not the order's, or not any more")
	ErrKeyReused  = errors.New("the key was used for another wish")
)

// IllegalTransition is an order that is not in the state for what was asked.
type IllegalTransition struct {
	From, Event string
	Allowed     []string
}

func (e *IllegalTransition) Error() string { return e.Event + " is not possible from " + e.From }

// OpenOrder asks for the order of a hold.
type OpenOrder struct {
	ID          uuid.UUID
	Request     stock.Request
	Hold        stock.HoldView
	Lines       []stock.OrderLine
	Currency    string
	Name, Email string
	ClientIP    string
}

// Order is an order as its buyer sees it.
type Order struct {
	ID, Hold    uuid.UUID
	Event       stock.EventID
	State       string
	Version     int32
	Attempt     int32
	Total       int64
	Currency    string
	Lines       []stock.OrderLine
	HoldUntil   time.Time // zero: not told
	PayingUntil time.Time
	Payments    []Payment
	Refunds     []Refund
	Offer       *SeatOffer              // nil: none
	Ended       map[stock.SeatID]string // lines that have ended: refunded, charged_back
	Replayed    bool
}

// SeatOffer are other seats, for a buyer who paid when the order had ended: one for each line, in order, at the prices that were paid.
type SeatOffer struct {
	Seats []stock.SeatID
	Until time.Time // then the money goes back
}

// RefundWish is a refund to be decided, of some seats or, without any, of all that the order has.
type RefundWish struct {
	ID, Fingerprint, Order uuid.UUID
	Seats                  []stock.SeatID
	Reason, Actor          string
}

// Refund is money that goes back: decided, sent, or failed, which is sent again.
type Refund struct {
	ID              uuid.UUID
	State, Currency string
	Amount          int64
	Reason          string
	Seats           []stock.SeatID
	At              time.Time
}

// Payment is one attempt to pay.
type Payment struct {
	ID              uuid.UUID
	Provider, State string
	Attempt         int32
	PayURL          string
}
