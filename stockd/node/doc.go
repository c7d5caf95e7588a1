// Package node is a running stockd node: it drives the ownership core with real time, the ledger and the gossip, answers commands for the
// whole cluster, and keeps the catalog, the routes and the availability of events.
//
//	Do ── owner here? ── yes ──► loop ──► owner.Core ──► effects: lanes (flush), sessions, claims, replies
//	        └─ no ── one hop ──► the owner's internal listener
//
// One goroutine, the loop, drives the core; nothing else touches it. Effects run elsewhere and come back as inputs. The catalog is an
// immutable snapshot behind an atomic pointer; the routes and the boards (counts and seats of an event) have a mutex each, held for
// memory work only and never together.
//
// What a node says about others (routes, counts) is advice. Only what its core committed is a promise.
package node
