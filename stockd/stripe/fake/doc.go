// Package fake is a small Stripe for tests: Checkout Sessions, PaymentIntents that are captured by hand, and refunds, kept in memory and moved as Stripe's
// documentation says, with its idempotency keys, its errors and its signed events. It fails when it is told to.
//
// It imports nothing of this module, so that the provider is tested against what Stripe says and not against itself. No program may use it.
package fake
