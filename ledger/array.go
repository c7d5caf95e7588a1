package ledger

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// array writes one Postgres array in its text form. pq.Array does the same by reflection, at several times the cost; a flush has 43 of them.
type array struct {
	b []byte
	n int
}

func (a *array) next() {
	if a.n == 0 {
		a.b = append(a.b, '{')
	} else {
		a.b = append(a.b, ',')
	}
	a.n++
}

func (a *array) int(v int64) {
	a.next()
	a.b = strconv.AppendInt(a.b, v, 10)
}

func (a *array) bool(v bool) {
	a.next()
	if v {
		a.b = append(a.b, 't')
	} else {
		a.b = append(a.b, 'f')
	}
}

func (a *array) uuid(v [16]byte) {
	a.next()
	a.b = hex.AppendEncode(a.b, v[:]) // Postgres reads it without hyphens
}

func (a *array) bytes(v []byte) {
	a.next()
	a.b = append(a.b, `"\\x`...)
	a.b = hex.AppendEncode(a.b, v)
	a.b = append(a.b, '"')
}

// time is truncated to microseconds, which is what timestamptz keeps.
func (a *array) time(v time.Time) {
	a.next()
	a.b = append(a.b, '"')
	a.b = v.UTC().Truncate(time.Microsecond).AppendFormat(a.b, "2006-01-02 15:04:05.999999Z07:00")
	a.b = append(a.b, '"')
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", "")

func (a *array) string(v string) {
	a.next()
	a.b = append(a.b, '"')
	a.b = append(a.b, escape.Replace(v)...)
	a.b = append(a.b, '"')
}

func (a *array) text() string {
	if a.n == 0 {
		return "{}"
	}
	a.b = append(a.b, '}')
	return string(a.b)
}
