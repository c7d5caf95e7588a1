package order_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// cardName is the second provider of the tests: one that may be silent, refuse, or take money at once.
const cardName = "card"

var errSilent = errors.New("the bank does not answer")

// card is a provider whose behaviour a test sets. What it was asked is kept.
type card struct {
	mu      sync.Mutex
	state   map[string]order.Status
	silent  bool  // no call is answered
	refuses bool  // create and capture are refused for good
	voids   error // what the next voids answer; nil: they are made
	refunds map[uuid.UUID]int64
	back    map[string]int64 // what went back of each payment
}

func newCard() *card {
	return &card{state: map[string]order.Status{}, refunds: map[uuid.UUID]int64{}, back: map[string]int64{}}
}

func (c *card) Name() string { return cardName }

func (c *card) answer(f func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent {
		return errSilent
	}
	return f()
}

func (c *card) Create(_ context.Context, in order.Intent) (order.Created, error) {
	ref := "card_" + in.ID.String()
	return order.Created{Ref: ref, PayURL: "/card/" + ref}, c.answer(func() error {
		if c.refuses {
			return fmt.Errorf("%w: no such currency", order.ErrDeclined)
		}
		if _, ok := c.state[ref]; !ok {
			c.state[ref] = order.Status{State: order.PaymentCreated, Amount: in.Amount, Currency: in.Currency}
		}
		return nil
	})
}

func (c *card) move(ref, to string, from ...string) error {
	return c.answer(func() error {
		s := c.state[ref]
		for _, f := range from {
			if s.State == f {
				s.State = to
				c.state[ref] = s
				return nil
			}
		}
		return fmt.Errorf("%w: %s is %q", order.ErrDeclined, ref, s.State)
	})
}

func (c *card) Capture(_ context.Context, ref string, _ int64) error {
	c.mu.Lock()
	refuses := c.refuses
	c.mu.Unlock()
	if refuses {
		return fmt.Errorf("%w: the card was stolen", order.ErrDeclined)
	}
	return c.move(ref, order.PaymentCaptured, order.PaymentAuthorized, order.PaymentCaptured)
}

// setVoid says what voids answer.
func (c *card) setVoid(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voids = err
}

func (c *card) Void(_ context.Context, ref string) error {
	c.mu.Lock()
	err := c.voids
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.move(ref, order.PaymentVoided, order.PaymentCreated, order.PaymentAuthorized, order.PaymentFailed, order.PaymentVoided)
}

func (c *card) Refund(_ context.Context, ref string, id uuid.UUID, amount int64) error {
	return c.answer(func() error {
		if _, again := c.refunds[id]; again {
			return nil
		}
		c.refunds[id] = amount
		c.back[ref] += amount
		if s := c.state[ref]; c.back[ref] >= s.Amount {
			s.State = order.PaymentRefunded
			c.state[ref] = s
		}
		return nil
	})
}

func (c *card) Status(_ context.Context, ref string) (s order.Status, err error) {
	err = c.answer(func() error {
		s = c.state[ref]
		return nil
	})
	return s, err
}

func (c *card) Verify([]byte, http.Header, time.Time) ([]order.Message, error) {
	return nil, order.ErrSignature
}

// pays sets what the buyer and the bank did, without telling the shop.
func (c *card) pays(ref, state string, amount int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state[ref] = order.Status{State: state, Amount: amount, Currency: "EUR"}
}

func (c *card) set(silent, refuses bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent, c.refuses = silent, refuses
}

// is is the state of a payment at this bank.
func (c *card) is(ref string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state[ref].State
}

// kept is the money of a payment that is with this bank.
func (c *card) kept(ref string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.state[ref]; s.State == order.PaymentCaptured || s.State == order.PaymentRefunded {
		return s.Amount - c.back[ref]
	}
	return 0
}

// sentBack is the money that was refunded.
func (c *card) sentBack() (sum int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, amount := range c.refunds {
		sum += amount
	}
	return sum
}

// byCard is an order that is to be paid at the card provider.
func (w *world) byCard(quantity int32) (ledger.Order, ledger.Payment) {
	w.t.Helper()
	o := w.opened(quantity, time.Minute)
	p, _, err := w.service.StartPayment(w.t.Context(), o.ID, uuid.New(), cardName, "/tickets")
	if err != nil {
		w.t.Fatal(err)
	}
	return o, p
}

// seats counts the seats of the event in a state.
func (w *world) seats(state stock.State) (n int) {
	w.t.Helper()
	if err := w.ledger.SQL().QueryRowContext(w.t.Context(), `SELECT count(*) FROM ledger.seats WHERE state = $1`, int(state)).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// outcome is what the ledger keeps of a fact.
func (w *world) outcome(provider, id string) string {
	w.t.Helper()
	outcome, detail, err := w.ledger.PaymentEventOutcome(w.t.Context(), provider, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return outcome + ": " + detail
}
