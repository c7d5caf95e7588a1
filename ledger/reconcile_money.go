package ledger

// moneyChecks compare seats, orders, tickets, payments and postings with each other.
var moneyChecks []check
