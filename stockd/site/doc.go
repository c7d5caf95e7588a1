// Package site is the demo's storefront: a landing page, the shop behind the waiting room, and the tickets page.
//
// It is also the example of how a site uses the public API, so it is plain HTML, CSS and JavaScript modules without a build step, and it has
// no privilege: whatever it does, any other site can do by the same calls. Where to look first:
//
//	static/api.js           one call: idempotency keys, tokens, problems, retries
//	static/availability.js  counts and seat states, live by the stream or by polling
//	static/map.js           the seat map: sections, then the seats of one section
//	static/hold.js          hold, countdown, extend, release
//	static/checkout.js      order, payment, redirect
//	static/order.js         an order after the payment: its states, its tickets, its link for another device
//	static/offer.js         other seats for an order that was paid when its own were gone
//	static/ticket.js        one ticket; give.js, return.js and holder.js are what can be done with it
//	static/t.js             takes a ticket that somebody gives away
//	static/words.js         every problem type in words that help
//
// Paths: /, /tickets, /o/ and /t/ are open to everybody; /buy/ is what the waiting room protects. Tickets are outside of it on purpose: somebody who
// was at the bank longer than their pass lasts must still see what they bought.
//
// It imports nothing of this module.
package site
