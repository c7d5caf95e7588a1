// Package account finds out who the organiser's own site says that a buyer is. The site knows its customers; it signs a JWT (RFC 7519) for the one who
// is logged in, the buyer's client sends it along with a hold, and purchase limits count for the account that it names:
//
//	site: "u_812 is logged in" ── JWT, minutes of life ──► browser ── X-Account-Token ──► stockd: limit of the account u_812
//
// A token is believed when one of the configured keys (a JWK set, RFC 7517) has signed it with the algorithm of that key, it is for this audience,
// comes from this issuer where one is configured, has an end which has not come, and names a subject. The clock is passed in: it is the ledger's.
//
// The package reaches no network: keys are changed by changing the file and starting the nodes anew, one after the other, while the file has both.
package account
