// Package api is the public HTTP API of a stockd node. openapi.yaml, embedded, is written first; the handlers follow it, and every request and
// answer of the tests is checked against it.
//
// A request goes through: recover and request id, body limit, the gate (package shed), route, who asks (pass, API key, hold or order token), strict decoding,
// idempotency key, one command to the node, mapping of the engine's answer to a status and a document. No handler decides about stock or money:
// stock decides seats, order decides orders, both behind the two small interfaces Node and Orders.
//
// It may not import the ledger, the owner core or the cluster: what it knows of them comes through node and order.
package api
