package reconcile

import (
	"cmp"
	"encoding/binary"
	"errors"
	"time"

	"ticketrush/ledger/journal"

	"github.com/google/uuid"
)

// Reconcile reads the journal, the seats and the sales as records of fixed width, many in one value: to read a row column by column costs the client
// more than all checks of it. The widths are those of the ..._send functions in queries/reconcile.sql, in their order; what is NULL is zero.
const (
	movementBytes = 6*8 + 4 + 8 + 8 + 16 + 16
	seatBytes     = 4 + 8 + 2 + 4 + 4 + 16 + 16
	saleBytes     = 4 + 8 + 4 + 4 + 8 + 8 + 8 + 16 + 16
)

// postgresEpoch is what Postgres counts microseconds from, in Unix microseconds.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// errRecord is a database that packs records in another way than it says.
var errRecord = errors.New("the database sent records that cannot be read")

// record reads the columns of a record from its front.
type record []byte

func (r *record) int16() int16 { return int16(binary.BigEndian.Uint16(r.next(2))) }
func (r *record) int32() int32 { return int32(binary.BigEndian.Uint32(r.next(4))) }
func (r *record) int64() int64 { return int64(binary.BigEndian.Uint64(r.next(8))) }
func (r *record) uuid() (id uuid.UUID) {
	copy(id[:], r.next(len(id)))
	return id
}

// pair are two numbers in one column.
func (r *record) pair() (high, low int32) {
	both := r.int64()
	return int32(both >> 32), int32(both)
}

func (r *record) next(n int) []byte {
	b := (*r)[:n]
	*r = (*r)[n:]
	return b
}

// readRecords calls take with each record of a value.
func readRecords(packed []byte, width int, take func(r record)) error {
	if len(packed)%width != 0 {
		return errRecord
	}
	for ; len(packed) > 0; packed = packed[width:] {
		take(record(packed[:width]))
	}
	return nil
}

// place is where in the journal a batch or a movement is.
type place struct {
	part int32
	seq  int64
}

func (p place) before(q place) bool { return p.part < q.part || p.part == q.part && p.seq < q.seq }

// seatKey is a seat of an event.
type seatKey struct {
	event int32
	seat  int64
}

func (k seatKey) compare(o seatKey) int {
	return cmp.Or(cmp.Compare(k.event, o.event), cmp.Compare(k.seat, o.seat))
}

// journalRow is a movement: where it stands, what is summed of it, and what it cost.
type journalRow struct {
	place
	no    int32
	epoch int64
	price int64
	journal.Movement
}

func (m *journalRow) key() seatKey { return seatKey{m.Event, m.Seat} }

func readMovements(packed []byte, rows []journalRow) ([]journalRow, error) {
	err := readRecords(packed, movementBytes, func(r record) {
		var m journalRow
		m.part, m.no = r.pair()
		m.seq, m.epoch = r.int64(), r.int64()
		m.Event, m.Ver = r.pair()
		m.Seat = r.int64()
		kind := r.int64()
		m.Kind, m.From, m.To = int16(kind>>32), int16(kind>>16), int16(kind)
		m.Attempt, m.price, m.At = r.int32(), r.int64(), r.int64()+postgresEpoch
		m.Hold, m.Order = r.uuid(), r.uuid()
		rows = append(rows, m)
	})
	return rows, err
}

// seatRecord is a row of seats.
type seatRecord struct {
	seatKey
	state        int16
	ver, attempt int32
	hold, order  uuid.UUID
}

func readSeats(packed []byte, take func(s *seatRecord)) error {
	return readRecords(packed, seatBytes, func(r record) {
		take(&seatRecord{seatKey: seatKey{r.int32(), r.int64()}, state: r.int16(), ver: r.int32(), attempt: r.int32(), hold: r.uuid(), order: r.uuid()})
	})
}

// saleRecord is a row of sales, or what the journal makes of one.
type saleRecord struct {
	seatKey
	ver         int32
	part        int32
	sold, ended int64 // sequence numbers of its partition; 0: it has not ended
	price       int64
	order, hold uuid.UUID
}

func readSales(packed []byte, take func(s *saleRecord)) error {
	return readRecords(packed, saleBytes, func(r record) {
		take(&saleRecord{seatKey: seatKey{r.int32(), r.int64()}, ver: r.int32(), part: r.int32(), sold: r.int64(), ended: r.int64(), price: r.int64(), order: r.uuid(), hold: r.uuid()})
	})
}
