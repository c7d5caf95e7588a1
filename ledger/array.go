package ledger

import (
	"encoding/binary"
	"time"
)

// Type numbers of Postgres, which its binary format names.
const (
	oidBool        = 16
	oidBytes       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidTimestamptz = 1184
	oidUUID        = 2950
)

// array builds one Postgres array in its binary form. pq.Array would build the text form by reflection; a flush has 43 arrays, and the server
// reads binary ones faster. All elements must be of one type.
type array struct {
	oid uint32
	n   int
	b   []byte // the header is filled in at the end
}

// headerBytes are: dimensions, flags, type, length, lower bound.
const headerBytes = 5 * 4

func (a *array) element(oid uint32, length int) {
	if a.n == 0 {
		a.oid = oid
		a.b = make([]byte, headerBytes, headerBytes+8*(4+length))
	}
	a.n++
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(length))
}

func (a *array) int2(v int16) {
	a.element(oidInt2, 2)
	a.b = binary.BigEndian.AppendUint16(a.b, uint16(v))
}

func (a *array) int4(v int32) {
	a.element(oidInt4, 4)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(v))
}

func (a *array) int8(v int64) {
	a.element(oidInt8, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, uint64(v))
}

func (a *array) bool(v bool) {
	a.element(oidBool, 1)
	a.b = append(a.b, flag(v))
}

func (a *array) uuid(v [16]byte) {
	a.element(oidUUID, len(v))
	a.b = append(a.b, v[:]...)
}

func (a *array) bytes(v []byte) {
	a.element(oidBytes, len(v))
	a.b = append(a.b, v...)
}

func (a *array) text(v string) {
	a.element(oidText, len(v))
	a.b = append(a.b, v...)
}

// postgresEpoch is what Postgres counts microseconds from, in Unix microseconds.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// time is truncated to microseconds, which is what timestamptz keeps.
func (a *array) time(v time.Time) {
	a.element(oidTimestamptz, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, uint64(v.UnixMicro()-postgresEpoch))
}

// argument is the array as an argument of a statement. An empty one, which has no type, is sent as text.
func (a *array) argument() any {
	if a.n == 0 {
		return "{}"
	}
	binary.BigEndian.PutUint32(a.b[0:], 1) // dimensions
	binary.BigEndian.PutUint32(a.b[4:], 0) // no NULLs
	binary.BigEndian.PutUint32(a.b[8:], a.oid)
	binary.BigEndian.PutUint32(a.b[12:], uint32(a.n))
	binary.BigEndian.PutUint32(a.b[16:], 1) // lower bound
	return a.b
}
