// Package chart reads seat maps and compiles them into what the engine sells from.
//
//	ticketrush-chart/1 ── Parse ──────┐
//	CSV ───────────────── FromCSV ────┼──► Chart ── Compile ──► segments, layouts, labels
//	pretix seating plan ─ FromPretix ─┘
//
// A chart has sections, a section has rows, a row has blocks (aisle to aisle), a block has seats; areas are capacities without seats.
// A seat's label is section-row-seat and unique. Schema is the JSON Schema of the own format.
//
// Compile is deterministic: every node compiles the stored chart for itself and must get the same segments, seats and numbers.
//
// The package is pure: it imports no network, no database and no clock.
package chart
