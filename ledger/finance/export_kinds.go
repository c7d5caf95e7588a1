package finance

import (
	"slices"

	"ticketrush/ledger/db"
)

// as is how a column is written.
type as byte

const (
	asText  as = iota // quoted where needed; what a spreadsheet would take for a formula is made harmless
	asInt             // a number
	asMinor           // an amount in minor units of the row's currency; the same in major units follows in a column without _minor
	asTime            // RFC 3339, UTC
)

// column is one column of an export.
type column struct {
	name string
	as   as
}

// exportKind is one kind of rows.
type exportKind struct {
	query   string
	columns []column
	event   bool // its rows may be chosen by event

	currencyAt int // where the currency stands
}

// exportKinds are all kinds, with the columns that their queries return, in that order.
var exportKinds = map[string]exportKind{
	"transfers": {query: db.ExportTransfers, event: true, columns: []column{
		{"id", asInt}, {"day", asText}, {"source", asText}, {"leg", asInt}, {"debit", asText}, {"credit", asText}, {"currency", asText}, {"amount_minor", asMinor},
		{"order", asText}, {"effective_at", asTime}, {"recorded_at", asTime}, {"reverses", asInt},
	}},
	"movements": {query: db.ExportMovements, event: true, columns: []column{
		{"part", asInt}, {"seq", asInt}, {"row", asInt}, {"event", asText}, {"seat", asInt}, {"label", asText}, {"seat_ver", asInt}, {"kind", asInt}, {"from_state", asInt},
		{"to_state", asInt}, {"hold", asText}, {"order", asText}, {"attempt", asInt}, {"currency", asText}, {"price_minor", asMinor}, {"occurred_at", asTime}, {"recorded_at", asTime},
	}},
	"orders": {query: db.ExportOrders, event: true, columns: []column{
		{"id", asText}, {"event", asText}, {"state", asText}, {"attempt", asInt}, {"buyer_ref", asText}, {"currency", asText}, {"total_minor", asMinor}, {"seats", asInt},
		{"captured_minor", asMinor}, {"refunded_minor", asMinor}, {"created_at", asTime}, {"updated_at", asTime},
	}},
	"settlement": {query: db.ExportSettlement, columns: []column{
		{"provider", asText}, {"txn", asText}, {"category", asText}, {"ref", asText}, {"payout", asText}, {"currency", asText}, {"gross_minor", asMinor}, {"fee_minor", asMinor},
		{"net_minor", asMinor}, {"occurred_at", asTime}, {"file", asText}, {"line", asInt},
	}},
}

// currencyColumn is where a kind has its currency.
func (k exportKind) currencyColumn() int {
	return slices.IndexFunc(k.columns, func(c column) bool { return c.name == "currency" })
}
