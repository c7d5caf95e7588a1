// Package finance is the finance desk: it imports what providers settled, closes business days with a signed proof of their postings, proves single
// postings, and exports rows for other programs.
//
// It posts nothing itself: the functions of 00009_finance.sql do, and sales do by the package ledger. It reads no clock for decisions, and no settlement or
// amount is ever a float.
//
// It may import ledger, ledger/reconcile, ledger/db, ledger/money and room/merkle.
package finance
