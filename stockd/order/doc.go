// Package order is what happens between a hold and a ticket: the order state machine, payment providers, and the issuing of tickets.
//
// A sale is pin, decide, follow. StartPayment turns the order paying and pins its seats; the provider's word turns it paid, by ledger.decide,
// which finds every seat pinned under the order's lock: that is the commit point. Then the pins become sales, the payment is captured, and
// tickets are issued. The last three are done at once by whoever decided, and again by workers on every node until they are done: a crash
// anywhere only delays them.
//
//	pending_payment ──pay_start──► paying ──pay_ok──► paid ──issue──► issued
//	      │    ▲                     │ │ │              │
//	deadline   └──────pay_fail───────┘ │ └─deadline─┐   └─capture_fail──► cancelled
//	or cancel            provider silent             ▼
//	                          stuck ──deadline──► expired
//
// From paid or issued, money may go back: refunding until it is sent, for all lines or some; disputed while the buyer's bank asks for it. docs/orders.md
// has every state, what may follow, and the postings.
//
// What a provider tells is a fact: it is kept, applied once, and has its result, all in one transaction with the order's move, the postings
// and the call that gives money back. Those calls are made from the outbox: by any node, repeated with growing pauses, at last given up to
// people, who find them in ledger.outbox by dead_at.
//
// What it promises: "paid" is said after its commit only; money that pays nothing is given back, by itself; every call to a provider may be
// repeated. It knows stock only by the commands of a Stock, and Postgres only by the ledger package.
package order
