// Package charts holds the seat maps that come with the program.
package charts

import _ "embed" // the charts

// Arena is the demo's arena in the format ticketrush-chart/1. `make generate` writes it, by charts/arena.
//
//go:embed arena.json
var Arena []byte
