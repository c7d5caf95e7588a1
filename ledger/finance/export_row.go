package finance

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"ticketrush/ledger/money"
)

// rowWriter appends one row to a buffer. A nil cell is NULL.
type rowWriter func(b []byte, k *exportKind, cells [][]byte) []byte

// appendCSV writes a row of RFC 4180.
func appendCSV(b []byte, k *exportKind, cells [][]byte) []byte {
	for i, c := range k.columns {
		if i > 0 {
			b = append(b, ',')
		}
		switch cell := cells[i]; c.as {
		case asText:
			b = appendCell(b, cell)
		case asInt:
			b = append(b, cell...)
		case asMinor:
			b = append(append(b, cell...), ',')
			b = appendAmount(b, cell, cells[k.currencyAt])
		case asTime:
			b = appendTime(b, cell)
		}
	}
	return append(b, '\r', '\n')
}

// appendCell writes a text. What a spreadsheet would take for a formula gets an apostrophe before it.
func appendCell(b, cell []byte) []byte {
	if len(cell) == 0 {
		return b
	}
	formula := strings.IndexByte("=+-@\t\r", cell[0]) >= 0
	if !bytes.ContainsAny(cell, ",\"\r\n") {
		if formula {
			b = append(b, '\'')
		}
		return append(b, cell...)
	}
	b = append(b, '"')
	if formula {
		b = append(b, '\'')
	}
	for _, c := range cell {
		if c == '"' {
			b = append(b, '"')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// appendAmount writes minor units in major ones.
func appendAmount(b, minor, currency []byte) []byte {
	n, err := strconv.ParseInt(string(minor), 10, 64)
	if err != nil {
		return b // NULL
	}
	return money.Append(b, n, string(currency))
}

// appendTime writes a time as Postgres gives it in UTC, 2006-01-02 15:04:05.999999+00, by RFC 3339.
func appendTime(b, cell []byte) []byte {
	cell = bytes.TrimSuffix(cell, []byte("+00"))
	if len(cell) < len("2006-01-02 15") {
		return append(b, cell...) // NULL, or infinity
	}
	at := len(b) + len("2006-01-02")
	b = append(append(b, cell...), 'Z')
	b[at] = 'T'
	return b
}

// appendJSON writes a row as an object on a line. Amounts in major units are strings, so that no reader makes floats of them.
func appendJSON(b []byte, k *exportKind, cells [][]byte) []byte {
	b = append(b, '{')
	for i, c := range k.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), c.name...), '"', ':')
		switch cell := cells[i]; {
		case cell == nil:
			b = append(b, "null"...)
		case c.as == asText:
			text, _ := json.Marshal(string(cell)) // a string can always be written
			b = append(b, text...)
		case c.as == asTime:
			b = append(appendTime(append(b, '"'), cell), '"')
		default:
			b = append(b, cell...)
		}
		if c.as == asMinor && cells[i] != nil {
			b = append(append(append(b, `,"`...), strings.TrimSuffix(c.name, "_minor")...), `":"`...)
			b = append(appendAmount(b, cells[i], cells[k.currencyAt]), '"')
		}
	}
	return append(b, '}', '\n')
}

// csvHeader is the first line.
func csvHeader(k *exportKind) []byte {
	var names []string
	for _, c := range k.columns {
		names = append(names, c.name)
		if c.as == asMinor {
			names = append(names, strings.TrimSuffix(c.name, "_minor"))
		}
	}
	return []byte(strings.Join(names, ",") + "\r\n")
}
