package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
)

// sessionLife is how long after the order's deadline a session ends by itself, when nobody could expire it: the least that Stripe takes for a session is 30
// minutes from its making, and the time must be the same in each repetition.
const sessionLife = 31 * time.Minute

// Create opens a Checkout Session for the whole order.
func (p *Provider) Create(ctx context.Context, in order.Intent) (order.Created, error) {
	amount, currency, err := toStripe(in.Amount, in.Currency)
	if err != nil {
		return order.Created{}, err
	}
	form := url.Values{
		"mode": {"payment"}, "client_reference_id": {in.ID.String()},
		"line_items[0][quantity]":                       {"1"},
		"line_items[0][price_data][currency]":           {currency},
		"line_items[0][price_data][unit_amount]":        {strconv.FormatInt(amount, 10)},
		"line_items[0][price_data][product_data][name]": {"Order ord_" + in.Order.String()},
		"payment_intent_data[capture_method]":           {"manual"},
		"payment_intent_data[description]":              {"Order ord_" + in.Order.String()},
		"success_url":                                   {p.config.ShopURL + in.ReturnURL},
		"cancel_url":                                    {p.config.ShopURL + in.ReturnURL},
	}
	if !in.PayBy.IsZero() {
		form.Set("expires_at", strconv.FormatInt(in.PayBy.Add(sessionLife).Unix(), 10))
	}
	for name, value := range map[string]string{metaCluster: p.config.Cluster, metaOrder: in.Order.String(), metaPayment: in.ID.String()} {
		form.Set("metadata["+name+"]", value)
		form.Set("payment_intent_data[metadata]["+name+"]", value)
	}
	var s session
	err = p.post(ctx, "/v1/checkout/sessions", in.ID.String(), form, &s)
	var e *Error
	if errors.As(err, &e) && e.Replayed && e.Status >= http.StatusInternalServerError {
		// That key answers with the failure for a day. Nobody can pay at a session whose address nobody knows: another one does no harm.
		err = p.post(ctx, "/v1/checkout/sessions", in.ID.String()+":again", form, &s)
	}
	if refused(err) {
		return order.Created{}, fmt.Errorf("%w: %w", order.ErrDeclined, err)
	}
	if err == nil && (s.ID == "" || s.URL == "") {
		err = errors.New("the session of Stripe has no id or no address")
	}
	return order.Created{Ref: s.ID, PayURL: s.URL}, err
}

// Capture takes the authorised amount.
func (p *Provider) Capture(ctx context.Context, ref string, amount int64) error {
	i, err := p.intent(ctx, ref)
	if err != nil {
		return err
	}
	if i == nil {
		return fmt.Errorf("%w: nobody has paid at %s", order.ErrDeclined, ref)
	}
	if i.Status == "succeeded" {
		return nil
	}
	take, _, err := toStripe(amount, strings.ToUpper(i.Currency))
	if err != nil {
		return err
	}
	// The key is new each time: what Stripe would answer from the last time is less than what the PaymentIntent says.
	err = p.post(ctx, "/v1/payment_intents/"+url.PathEscape(i.ID)+"/capture", uuid.NewString(), url.Values{"amount_to_capture": {strconv.FormatInt(take, 10)}}, i)
	if err == nil && i.Status != "succeeded" {
		return fmt.Errorf("the payment %s is %s at Stripe after its capture", i.ID, i.Status)
	}
	if !refused(err) {
		return err
	}
	now, asked := p.intent(ctx, i.ID)
	switch {
	case asked != nil:
		return errors.Join(err, asked)
	case now.Status == "succeeded":
		return nil
	case now.Status == "processing":
		return err
	}
	return fmt.Errorf("%w: %w", order.ErrDeclined, err)
}

// voidTries is how often Void looks again, when a buyer pays while it is at it.
const voidTries = 3

// Void ends a session that nobody has paid at, and cancels what was authorised.
func (p *Provider) Void(ctx context.Context, ref string) error {
	var last error
	for range voidTries {
		s, i, err := p.find(ctx, ref)
		if err != nil {
			return errors.Join(last, err)
		}
		switch {
		case i != nil && i.Status == "canceled":
			return nil
		case i != nil && i.Status == "succeeded":
			return fmt.Errorf("%w: Stripe's payment %s was captured", order.ErrDeclined, i.ID)
		case s != nil && s.Status == "open":
			last = p.post(ctx, "/v1/checkout/sessions/"+url.PathEscape(s.ID)+"/expire", uuid.NewString(), nil, new(session))
			if last == nil && i == nil {
				return nil
			}
		case i != nil:
			if last = p.post(ctx, "/v1/payment_intents/"+url.PathEscape(i.ID)+"/cancel", uuid.NewString(), nil, new(intent)); last == nil {
				return nil
			}
		default:
			return nil // the session has expired and was never paid at
		}
		if last != nil && !refused(last) {
			return last
		}
	}
	return fmt.Errorf("void %s at Stripe: %w", ref, last)
}

// Refund sends captured money back. A refund that has failed at Stripe is made anew, under the same id of ours.
func (p *Provider) Refund(ctx context.Context, ref string, id uuid.UUID, amount int64) error {
	i, err := p.intent(ctx, ref)
	if err != nil {
		return err
	}
	if i == nil {
		return fmt.Errorf("%w: nobody has paid at %s", order.ErrDeclined, ref)
	}
	back, _, err := toStripe(amount, strings.ToUpper(i.Currency))
	if err != nil {
		return err
	}
	var made struct {
		Data []refund `json:"data"`
	}
	if err := p.get(ctx, "/v1/refunds", url.Values{"payment_intent": {i.ID}, "limit": {"100"}}, &made); err != nil {
		return err
	}
	failed := 0
	for _, r := range made.Data {
		if r.Metadata.refund() != id {
			continue
		}
		if !r.dead() {
			return nil
		}
		failed++
	}
	form := url.Values{"payment_intent": {i.ID}, "amount": {strconv.FormatInt(back, 10)}}
	for name, value := range map[string]string{metaCluster: p.config.Cluster, metaPayment: i.Metadata[metaPayment], metaRefund: id.String()} {
		form.Set("metadata["+name+"]", value)
	}
	key := id.String()
	if failed > 0 {
		key += ":" + strconv.Itoa(failed)
	}
	var r refund
	err = p.post(ctx, "/v1/refunds", key, form, &r)
	var e *Error
	if errors.As(err, &e) && e.Replayed && e.Status >= http.StatusInternalServerError {
		err = p.post(ctx, "/v1/refunds", key+":again", form, &r) // it failed at Stripe, and the list above says that it left nothing behind
	}
	switch {
	case refused(err):
		return fmt.Errorf("%w: %w", order.ErrDeclined, err)
	case err == nil && r.dead():
		return fmt.Errorf("the refund %s is %s at Stripe", r.ID, r.Status)
	}
	return err
}

// Status is what Stripe knows of a payment.
func (p *Provider) Status(ctx context.Context, ref string) (order.Status, error) {
	s, i, err := p.find(ctx, ref)
	if err != nil {
		return order.Status{}, err
	}
	state, amount, currency := order.PaymentCreated, int64(0), ""
	if s != nil {
		amount, currency = s.AmountTotal, s.Currency
		if s.Status == "expired" {
			state = order.PaymentFailed
		}
	}
	also := ""
	if i != nil {
		amount, currency, also = i.Amount, i.Currency, i.ID
		switch i.Status {
		case "requires_capture":
			state, amount = order.PaymentAuthorized, i.AmountCapturable
		case "succeeded":
			state, amount = order.PaymentCaptured, i.AmountReceived
			if i.Charge.Object != nil && i.Charge.Object.Refunded {
				state = order.PaymentRefunded
			}
		case "canceled":
			state = order.PaymentVoided
		}
	}
	amount, currency = fromStripe(amount, currency)
	return order.Status{State: state, Amount: amount, Currency: currency, Also: also}, nil
}

// intent is the PaymentIntent of a payment; nil while there is none.
func (p *Provider) intent(ctx context.Context, ref string) (*intent, error) {
	_, i, err := p.find(ctx, ref)
	return i, err
}

// find reads a payment by the id of its session, or, of one that we do not know, of its PaymentIntent.
func (p *Provider) find(ctx context.Context, ref string) (*session, *intent, error) {
	if strings.HasPrefix(ref, "pi_") {
		i := new(intent)
		return nil, i, p.get(ctx, "/v1/payment_intents/"+url.PathEscape(ref), url.Values{"expand[]": {"latest_charge"}}, i)
	}
	s := new(session)
	err := p.get(ctx, "/v1/checkout/sessions/"+url.PathEscape(ref), url.Values{"expand[]": {"payment_intent.latest_charge"}}, s)
	return s, s.Intent.Object, err
}
