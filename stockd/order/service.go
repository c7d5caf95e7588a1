package order

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/ledger"
	"ticketrush/stockd/batch"
	"ticketrush/stockd/stock"
)

// Stock runs commands at the owner of a segment, wherever that is, and answers after their commit.
type Stock interface {
	Do(ctx context.Context, cmd stock.Command) (stock.Answer, error)
}

// Config says how a Service works. The zero value of a field is its default.
type Config struct {
	// TicketKey signs tickets. Required; the same on all nodes.
	TicketKey ed25519.PrivateKey
	// TicketKeyID is told in each ticket, so that gates know which public key to use.
	TicketKeyID byte
	// PayFor is how long one attempt to pay may take; after it the provider is asked, and the order paid or expired. Default 10 minutes:
	// longer keeps seats for people who have left, shorter cuts off slow banks.
	PayFor time.Duration
	// Attempts is how often an order may be tried to be paid. Default 3.
	Attempts int32
	// StuckFor is how long a provider that does not answer at the end of an attempt is asked again before the order expires whatever it says.
	// Default 10 minutes; the seats stay pinned as long.
	StuckFor time.Duration
	// OfferFor is how long other seats are held for a buyer who paid when the order had ended and whose seats are gone; then their money goes back.
	// Default 15 minutes: longer gives people time to look, and keeps seats from others.
	OfferFor time.Duration
	// Mine says whether this node should follow the orders of a partition. Default: all. Two nodes that follow the same order do no harm.
	Mine func(stock.PartitionID) bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// CapturesAtOnce bounds the calls to providers that take money, on this node. Default 256: at 150 ms for each that is 1,700 per second. Lower it to
	// what a provider allows.
	CapturesAtOnce int
	// Issued is told each order whose tickets this node has just committed. It must not wait. Default: nobody is told.
	Issued func(order uuid.UUID)
	// Keep says how long personal data are kept. Default: 30 days client addresses and messages of the sandbox, 90 days what providers sent, 90 days after
	// the event names of ticket holders. Longer helps with disputes, shorter is less to lose.
	Keep ledger.Retention
	// InvoiceEvery is how often this node makes the invoices and credit notes that nobody has asked for. Default: never.
	InvoiceEvery time.Duration
	// Every is how often the workers look for what is left to do. Default 1 second.
	Every time.Duration
}

func (c *Config) fill() error {
	if len(c.TicketKey) != ed25519.PrivateKeySize {
		return fmt.Errorf("the key that signs tickets has %d bytes, it must have %d", len(c.TicketKey), ed25519.PrivateKeySize)
	}
	if c.PayFor <= 0 {
		c.PayFor = 10 * time.Minute
	}
	if c.StuckFor <= 0 {
		c.StuckFor = 10 * time.Minute
	}
	if c.OfferFor <= 0 {
		c.OfferFor = 15 * time.Minute
	}
	if c.Attempts <= 0 {
		c.Attempts = 3
	}
	if c.Mine == nil {
		c.Mine = func(stock.PartitionID) bool { return true }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.CapturesAtOnce <= 0 {
		c.CapturesAtOnce = 256
	}
	if c.Issued == nil {
		c.Issued = func(uuid.UUID) {}
	}
	c.Keep = kept(c.Keep)
	if c.Every <= 0 {
		c.Every = time.Second
	}
	return nil
}

// Limits of what is under way at once.
const (
	followMax = 1024 // more is left to the worker that looks every second
	decideMax = 64
	issueMax  = 64
	readMax   = 256
)

// Service opens orders, takes payments and issues tickets. It is safe for concurrent use.
type Service struct {
	config    Config
	ledger    *ledger.DB
	stock     Stock
	providers map[string]Provider
	log       *slog.Logger
	metrics   *metrics

	facts    *batch.Batcher[ledger.PaymentFact, ledger.FactVerdict]
	paid     *batch.Batcher[uuid.UUID, *ledger.PaidOrder]
	issues   *batch.Batcher[ledger.NewIssue, int32]
	captures chan struct{} // permits
	calls    chan struct{} // wakes the worker of the outbox

	mu        sync.Mutex         // guards what follows
	following map[uuid.UUID]bool // orders that some goroutine follows
	running   context.Context    // of the workers; nil: they do not run
	stop      context.CancelFunc

	done sync.WaitGroup
}

// New makes a Service; Start starts its workers. The registerer may be nil.
func New(config Config, l *ledger.DB, st Stock, providers map[string]Provider, log *slog.Logger, reg prometheus.Registerer) (*Service, error) {
	if err := config.fill(); err != nil {
		return nil, err
	}
	s := &Service{
		config: config, ledger: l, stock: st, providers: providers, log: log, metrics: newMetrics(reg),
		captures: make(chan struct{}, config.CapturesAtOnce), calls: make(chan struct{}, 1), following: map[uuid.UUID]bool{},
	}
	s.facts = batch.New(decideMax, s.decide)
	s.paid = batch.New(readMax, s.readPaid)
	s.issues = batch.New(issueMax, s.issueAll)
	return s, nil
}

// Start starts the workers: those that follow what was decided, calls to providers, and the one that looks for what is left to do.
func (s *Service) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	s.running, s.stop = ctx, cancel
	s.mu.Unlock()
	s.done.Go(func() { s.tidy(ctx) })
	s.done.Go(func() { s.outbox(ctx) })
	s.done.Go(func() { s.retain(ctx) })
	if s.config.InvoiceEvery > 0 {
		s.done.Go(func() { s.invoice(ctx) })
	}
}

// Stop ends the workers and waits for them. What they had begun is finished by another node, or by this one after its next start.
func (s *Service) Stop() {
	s.mu.Lock()
	if s.stop != nil {
		s.stop()
	}
	s.running = nil
	s.mu.Unlock()
	s.done.Wait()
	s.facts.Rest()
	s.paid.Rest()
	s.issues.Rest()
}

// TicketKeys are the public keys by which gates check this service's tickets.
func (s *Service) TicketKeys() TicketKeys {
	return TicketKeys{s.config.TicketKeyID: s.config.TicketKey.Public().(ed25519.PublicKey)}
}

// IllegalTransition says that an order is in a state in which what was asked cannot happen.
type IllegalTransition struct {
	From    State
	Event   string
	Allowed []string
}

func (e *IllegalTransition) Error() string {
	return fmt.Sprintf("the order is %s: %s is not possible", e.From, e.Event)
}

func illegal(from State, event string) error {
	return &IllegalTransition{From: from, Event: event, Allowed: Allowed(from)}
}

// Refused carries the answer of the stock that stopped something.
type Refused struct{ Answer stock.Answer }

func (e *Refused) Error() string { return fmt.Sprintf("the stock refused (code %d)", e.Answer.Code) }

// Errors of the service.
var (
	ErrNoProvider = errors.New("there is no such payment provider")
	ErrNotFound   = errors.New("there is no such order")
	// ErrBusy: something of the order is under way; ask again.
	ErrBusy = errors.New("the order is busy just now")
)

// Get reads an order; ErrNotFound when there is none.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (ledger.Order, error) {
	o, err := s.ledger.OrderGet(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return o, ErrNotFound
	}
	return o, err
}
