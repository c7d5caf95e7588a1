// stockd keeps the stock of events on sale, sells it, and proves afterwards that nothing was sold twice. This package is its command line and
// holds no logic of its own: one file for each command. What a node is told is package config, what it is made of package serve.
//
// Exit codes, the same for all commands:
//
//	0  done; for rush, demo --rush, reconcile and verify-draw: everything holds
//	1  it does not hold, or the work failed half way
//	2  the command line or the configuration is wrong; nothing was started
//	3  something that is needed is not there: Postgres, a port, a node, a file
//
// Every failure prints one message: what was wrong, where, and what to do.
package main
