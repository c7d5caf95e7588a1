// Package stripe is the payment provider Stripe, by plain HTTP against its public API, version 1.
//
// A payment is a Checkout Session with a PaymentIntent that is captured by hand: the buyer pays on Stripe's page, which authorises; the seats are
// sold; then the money is captured. So money is taken for sold seats only.
//
//	Create   POST /v1/checkout/sessions           the pay URL; the session's id is the payment's ref
//	Capture  POST /v1/payment_intents/ID/capture
//	Void     POST /v1/checkout/sessions/ID/expire while nobody has paid, else POST /v1/payment_intents/ID/cancel
//	Refund   POST /v1/refunds                     of all or a part
//	Status   GET  /v1/checkout/sessions/ID        with its PaymentIntent and the charge
//
// Stripe makes the PaymentIntent when the buyer begins to pay, and tells of payments by its id. Everything therefore carries our ids as metadata, and each
// message says by which other name Stripe knows the payment, which the order service keeps.
//
// An account may be used by other systems too. What carries no metadata of this cluster is theirs and is left alone.
//
// What is final: a payment that cannot be created, captured or refunded as it is (order.ErrDeclined). Everything else is not known: no answer, a limit, an
// error of Stripe's, a key that is not accepted. Every POST has an Idempotency-Key.
//
// Sources: docs.stripe.com/api, /webhooks, /currencies, /error-low-level, /payments/place-a-hold-on-a-payment-method.
package stripe
