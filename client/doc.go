// Package client finds the stockd node that owns what a request is about, and carries the request there.
//
// A Client is an http.RoundTripper. It learns the routes (partition → node, epoch) by a long poll on any node's internal listener, reads the
// partition out of the id in the path, and sends the request to its owner. What only concerns the cluster stays inside: an answer 421 (wrong
// node) is followed, 503 with X-Stockd-Retry-After-Ms (moving) is tried again, a node that cannot be dialled is left out for a while,
// and one that the others have counted out is asked, but not waited for.
//
// A request is sent again only when that is harmless: it was not sent, it reads, or it has an Idempotency-Key. When all fails the answer
// is a 503 problem document, never an error and never a 421. An error comes only from a request whose own context or body has ended.
//
// It may not import anything of a node: the edge, rush and sites use it.
package client
