// Package pgdev runs a private Postgres server: for the demo, for tests, for trying things out. It needs the server's binaries and nothing
// else: no port that is taken by default, no cluster of the system, no configuration. The server listens on a Unix socket in its own
// folder, runs as an ordinary user even when the caller is root (Postgres refuses root), and ends with its parent.
//
// It is not for production: there the ledger is a Postgres that somebody backs up.
package pgdev
