// Package sim is a seeded, single-threaded simulator of the cluster. It drives stockd/owner and stockd/stock as they are; only the clocks, the
// network, the ledger, the payment provider and chance are simulated. The same seed is the same run, to the last message.
//
//	clients ──► processes, each with an owner.Core and its stock.Segments ──► Ledger
//	   ▲            │ ▲ gossip, forwards, announcements: late, false, cut          ▲
//	   └─ checker ◄─┘ └─ faults: kill, pause, cut, restart, clocks, twins …        │ flushes, claims, loads, orders: slow, lost, doubled
//
// What each file does: world.go has time and the schedule, process.go and driver.go what stockd/node does for a core, route.go how a command
// finds its owner, share.go what it does for areas with several segments, wide.go for holds over several, sale.go and tidy.go what stockd/order does for
// an order, late.go for one that is paid when it has ended, refund.go for what goes back, provider.go the bank, client.go the buyers, fault.go what goes
// wrong, plan.go what a seed is about, check*.go the invariants, counts.go what has to be seen now and then.
//
// The simulated ledger (ledger*.go) is one transaction per method, in memory. A test runs random sequences at Postgres and at it and compares each
// answer and all rows. What Postgres does between two transactions (locks, snapshots, lost connections) is in driver.go and process.go: a flush
// holds the rows of its partitions from its beginning to its commit, a claim passes over them, a change of an order locks it, a crash of the
// server forgets both, and the answer to a commit may be lost.
//
// The invariants are those of docs/design.md. They are checked after each commit and each answer that reaches somebody, by reading the rows. When
// the faults end, every partition has to have an owner and every order, hold and payment to reach its end.
//
// Mutants are wrong on purpose, and each has to be noticed: those of the simulated parts are in mutant.go, those of the product's code in
// package mutants, which changes the code while it is built.
//
// What is not simulated: the money journal (what the bank has is compared with what was sold and given back), disputes; HTTP. That concurrent transactions of Postgres are worth the same as some order of them is tested in
// package ledger, on a real server.
package sim
