package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/ledger"
	"ticketrush/stockd/api"
	"ticketrush/stockd/config"
	"ticketrush/stockd/node"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
	"ticketrush/stockd/stripe"
)

// orders is the order service with what belongs to it.
type orders struct {
	service *order.Service
	port    *orderPort
	sandbox http.Handler // nil: the sandbox is off
}

// newOrders makes the order service with the providers that are on.
func newOrders(c config.Config, s config.Secrets, log *slog.Logger, registry prometheus.Registerer, n *node.Node) (*orders, error) {
	tokens, err := order.NewTokens(keyID, s.Tokens.Derive("stockd/tokens", sha256.Size))
	if err != nil {
		return nil, err
	}
	o := &orders{port: &orderPort{tokens: tokens, buyers: BuyersKey(s.Tokens)}}
	providers := map[string]order.Provider{}
	if c.Sandbox {
		bank, err := sandbox.New(n.Ledger(), s.Tokens.Derive("stockd/sandbox", sha256.Size), c.SandboxURL+"/v1/webhooks/sandbox")
		if err != nil {
			return nil, err
		}
		providers[sandbox.Name], o.sandbox = bank, bank.Handler()
	}
	if s.Stripe != nil {
		providers[stripe.Name] = s.Stripe
	}
	o.service, err = order.New(order.Config{
		TicketKey: TicketKey(s.Tokens), TicketKeyID: keyID,
		PayFor: time.Duration(c.PaymentDeadline), Mine: n.Local, Now: n.Now, Keep: c.Retention(), InvoiceEvery: time.Duration(c.InvoiceEvery),
	}, n.Ledger(), n, providers, log, registry)
	o.port.Service = o.service
	return o, err
}

// orderPort is the order service as the API sees it.
type orderPort struct {
	*order.Service
	tokens *order.Tokens
	buyers []byte // key of the buyers' pseudonyms
}

// orderError wraps an error of the order service into the one that the API knows.
func orderError(err error) error {
	var illegal *order.IllegalTransition
	var refused *order.Refused
	var ticket *order.TicketRefused
	wrap := func(known error) error { return fmt.Errorf("%w: %w", known, err) }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &illegal):
		return &api.IllegalTransition{From: illegal.From.String(), Event: illegal.Event, Allowed: illegal.Allowed}
	case errors.As(err, &refused):
		// The seats could not be pinned: the hold has ended, and the order with it.
		return &api.IllegalTransition{From: order.Expired.String(), Event: order.EventPayStart, Allowed: []string{}}
	case errors.As(err, &ticket):
		return ticketRefused(ticket)
	case errors.Is(err, order.ErrNotFound):
		return wrap(api.ErrNotFound)
	case errors.Is(err, order.ErrNoProvider):
		return wrap(api.ErrNoProvider)
	case errors.Is(err, order.ErrSignature):
		return wrap(api.ErrSignature)
	case errors.Is(err, order.ErrMessage):
		return wrap(api.ErrBadEvent)
	case errors.Is(err, order.ErrDeclined):
		return wrap(api.ErrMismatch)
	case errors.Is(err, order.ErrNoOffer):
		return wrap(api.ErrNoOffer)
	case errors.Is(err, order.ErrNoLine):
		return wrap(api.ErrNoLine)
	case errors.Is(err, order.ErrKeyReused):
		return wrap(api.ErrKeyReused)
	case errors.Is(err, order.ErrBusy):
		return wrap(api.ErrMoving)
	}
	return apiError(err)
}

// Open opens the order of a hold. The ledger keeps a pseudonym of the buyer, not who they are.
func (p *orderPort) Open(ctx context.Context, r api.OpenOrder) (api.Order, stock.Answer, error) {
	o, a, err := p.Service.Open(ctx, order.OpenRequest{
		ID: r.ID, Request: r.Request, Hold: r.Hold, Lines: r.Lines, Currency: r.Currency, Buyer: BuyerPseudonym(p.buyers, r.Email, r.Name), ClientIP: r.ClientIP,
	})
	if err != nil {
		return api.Order{}, a, orderError(err)
	}
	out := orderOf(&o)
	out.Replayed = a.Code == stock.CodeReplay
	return out, a, nil
}

// Get reads an order.
func (p *orderPort) Get(ctx context.Context, id uuid.UUID) (api.Order, bool, error) {
	o, err := p.Service.Get(ctx, id)
	if errors.Is(err, order.ErrNotFound) {
		return api.Order{}, false, nil
	}
	if err != nil {
		return api.Order{}, false, orderError(err)
	}
	out, err := p.withRefunds(ctx, &o)
	return out, err == nil, err
}

// Cancel ends an order that nobody has begun to pay.
func (p *orderPort) Cancel(ctx context.Context, id uuid.UUID, req stock.Request) (api.Order, error) {
	o, err := p.Service.Cancel(ctx, id, req)
	if err != nil {
		return api.Order{}, orderError(err)
	}
	return p.withRefunds(ctx, &o)
}

// StartPayment begins to pay an order, or gives the payment that is under way.
func (p *orderPort) StartPayment(ctx context.Context, id uuid.UUID, req stock.Request, provider, returnURL string) (api.Payment, bool, error) {
	pay, again, err := p.Service.StartPayment(ctx, id, req.Key, provider, returnURL)
	if err != nil {
		return api.Payment{}, false, orderError(err)
	}
	return paymentOf(&pay), again, nil
}

// Webhook takes what a provider says.
func (p *orderPort) Webhook(ctx context.Context, provider string, body []byte, header http.Header) error {
	return orderError(p.Service.Webhook(ctx, provider, body, header))
}

// HoldToken is the bearer token of a hold.
func (p *orderPort) HoldToken(hold uuid.UUID) string { return p.tokens.New(order.PurposeHold, hold) }

// OrderToken is the bearer token of an order.
func (p *orderPort) OrderToken(id uuid.UUID) string { return p.tokens.New(order.PurposeOrder, id) }

// CheckHoldToken checks a hold's token.
func (p *orderPort) CheckHoldToken(text string, hold uuid.UUID) error {
	return p.tokens.Check(order.PurposeHold, text, hold)
}

// CheckOrderToken checks an order's token.
func (p *orderPort) CheckOrderToken(text string, id uuid.UUID) error {
	return p.tokens.Check(order.PurposeOrder, text, id)
}

func orderOf(o *ledger.Order) api.Order {
	out := api.Order{
		ID: o.ID, Hold: o.Hold, Event: stock.EventID(o.Event), State: order.State(o.State).String(), Version: o.Ver, Attempt: o.Attempt, Total: o.Total,
		Currency: o.Currency, HoldUntil: o.HoldUntil, PayingUntil: o.PayingUntil,
	}
	for _, l := range o.Lines {
		out.Lines = append(out.Lines, stock.OrderLine{Seat: stock.SeatID(l.Seat), Type: l.Type, Face: l.Face, Fee: l.Fee, Tax: l.Tax})
	}
	for i := range o.Payments {
		out.Payments = append(out.Payments, paymentOf(&o.Payments[i]))
	}
	return out
}

func paymentOf(p *ledger.Payment) api.Payment {
	return api.Payment{ID: p.ID, Provider: p.Provider, State: p.State, Attempt: p.Attempt, PayURL: p.PayUrl}
}
