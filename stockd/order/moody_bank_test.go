package order_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
)

// moodyName is the provider of the run against a bank that misbehaves.
const moodyName = "moody"

var errMoody = errors.New("the bank answers 500")

// moody is a bank that is slow, fails before or after it has done what it was asked for, or says nothing at all; its messages get lost, come twice, or late.
// Its books are right all the same.
type moody struct {
	mu      sync.Mutex
	rng     *rand.Rand
	book    map[string]*moodyPayment
	trouble float64 // of 100 calls, how many go wrong, in hundredths
	silent  bool
	count   map[string]int // what happened
}

type moodyPayment struct {
	order.Status
	order    uuid.UUID
	refunded map[uuid.UUID]int64
	sent     bool // a buyer was sent to its page: nobody can pay at one whose address was lost with an answer
	decided  bool // the buyer has come to a decision, which may take its time
}

func newMoody(seed uint64) *moody {
	return &moody{rng: rand.New(rand.NewPCG(seed, 1)), book: map[string]*moodyPayment{}, count: map[string]int{}}
}

func (*moody) Name() string { return moodyName }

// call does something, or does not, or does it and says that it did not.
func (m *moody) call(ctx context.Context, do func() error) error {
	m.mu.Lock()
	mood, pause := m.rng.Float64(), time.Duration(0)
	switch {
	case m.silent:
		m.count["calls without an answer"]++
		m.mu.Unlock()
		return errSilent
	case mood < m.trouble*0.35:
		m.count["calls that failed"]++
		m.mu.Unlock()
		return errMoody
	case mood < m.trouble*0.7:
		m.count["calls that were done and said to have failed"]++
		defer m.mu.Unlock()
		return errors.Join(errMoody, drop(do()))
	case mood < m.trouble:
		m.count["slow calls"]++
		pause = time.Duration(m.rng.IntN(20)) * time.Millisecond
	}
	m.mu.Unlock()
	if pause > 0 {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return do()
}

// drop forgets what a call would have answered: nobody heard it.
func drop(error) error { return nil }

func (m *moody) Create(ctx context.Context, in order.Intent) (order.Created, error) {
	ref := "moody_" + in.ID.String()
	return order.Created{Ref: ref, PayURL: "/moody/" + ref}, m.call(ctx, func() error {
		if m.book[ref] == nil {
			m.book[ref] = &moodyPayment{Status: order.Status{State: order.PaymentCreated, Amount: in.Amount, Currency: in.Currency}, order: in.Order, refunded: map[uuid.UUID]int64{}}
		}
		return nil
	})
}

func (m *moody) move(ctx context.Context, ref, to string, from ...string) error {
	return m.call(ctx, func() error {
		p := m.book[ref]
		for _, f := range from {
			if p != nil && p.State == f {
				p.State = to
				return nil
			}
		}
		return fmt.Errorf("%w: %s is not in a state to become %s", order.ErrDeclined, ref, to)
	})
}

func (m *moody) Capture(ctx context.Context, ref string, _ int64) error {
	return m.move(ctx, ref, order.PaymentCaptured, order.PaymentAuthorized, order.PaymentCaptured)
}

func (m *moody) Void(ctx context.Context, ref string) error {
	return m.move(ctx, ref, order.PaymentVoided, order.PaymentCreated, order.PaymentAuthorized, order.PaymentVoided, order.PaymentFailed)
}

func (m *moody) Refund(ctx context.Context, ref string, id uuid.UUID, amount int64) error {
	return m.call(ctx, func() error {
		p := m.book[ref]
		if p == nil || p.State != order.PaymentCaptured && p.State != order.PaymentRefunded {
			return fmt.Errorf("%w: nothing was captured of %s", order.ErrDeclined, ref)
		}
		p.refunded[id] = amount
		p.State = order.PaymentRefunded
		return nil
	})
}

func (m *moody) Status(ctx context.Context, ref string) (s order.Status, err error) {
	err = m.call(ctx, func() error {
		if p := m.book[ref]; p != nil {
			s = p.Status
		}
		return nil
	})
	return s, err
}

// Verify reads a message; this bank trusts the wire.
func (*moody) Verify(body []byte, _ http.Header, _ time.Time) ([]order.Message, error) {
	var m order.Message
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, order.ErrMessage
	}
	return []order.Message{m}, nil
}

// post is a message on its way: copies come in these rounds.
type post struct {
	body   []byte
	rounds []int
}

// buyers lets each buyer who has not come to a decision yet do so, or wait. It gives the messages about it.
func (m *moody) buyers(round int) (out []post) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ref, p := range m.book {
		if !p.sent || p.decided || p.State != order.PaymentCreated || m.rng.Float64() < 0.3 {
			continue
		}
		p.decided = true
		switch mood := m.rng.Float64(); {
		case mood < 0.15:
			m.count["buyers who went away"]++
			continue
		case mood < 0.35:
			m.count["buyers who were declined"]++
			p.State = order.PaymentFailed
		case mood < 0.45:
			m.count["payments that were captured at once"]++
			p.State = order.PaymentCaptured
		default:
			m.count["payments that were authorised"]++
			p.State = order.PaymentAuthorized
		}
		body, _ := json.Marshal(order.Message{ID: ref + ":" + p.State, Ref: ref, Kind: p.State, Amount: p.Amount, Currency: p.Currency})
		out = append(out, post{body: body, rounds: m.when(round)})
	}
	return out
}

// when says in which rounds the copies of a message come.
func (m *moody) when(round int) []int {
	switch mood := m.rng.Float64(); {
	case mood < 0.2:
		m.count["messages that were lost"]++
		return nil
	case mood < 0.4:
		m.count["messages that came twice"]++
		return []int{round, round + m.rng.IntN(6)}
	case mood < 0.6:
		m.count["messages that came late"]++
		return []int{round + 1 + m.rng.IntN(12)}
	}
	return []int{round}
}

// mood sets how the bank is from now on.
func (m *moody) mood(trouble float64, silent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble, m.silent = trouble, silent
}

// send sends a buyer to the page of a payment.
func (m *moody) send(ref string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.book[ref].sent = true
}

// held is the money that the bank has of an order: payments that are captured, and those that may still be.
func (m *moody) held(id uuid.UUID) (captured, loose int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.book {
		if p.order != id {
			continue
		}
		switch p.State {
		case order.PaymentCaptured:
			captured++
		case order.PaymentAuthorized:
			loose++
		}
	}
	return captured, loose
}
