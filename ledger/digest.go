package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// The digest of a work is what its partition was asked for, made before it is sent: 32 bytes of the whole, then moveSumBytes for the moves of
// each operation. The second part is what lets reconcile prove that the journal's rows are the ones that were asked for: the moves of every
// operation that was applied are in seat_movements, and can be summed again. All integers are fixed-width and big-endian.

// wholeSumBytes is the length of the first part of a digest.
const wholeSumBytes = sha256.Size

// moveSumBytes is the length of the sum of one operation's moves: a truncated SHA-256. It is zero for an operation without moves.
const moveSumBytes = 16

const (
	workDomain = "ticketrush/work/v1"
	moveDomain = "ticketrush/moves/v1"
)

// digest is the digest of w.
func digest(f *Flush, w *Work) []byte {
	b := make([]byte, 0, 256*(1+len(w.Ops)))
	b = append(b, workDomain...)
	b = append(b, f.Batch[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(f.Session))
	b = binary.BigEndian.AppendUint64(b, uint64(f.Now.UnixMicro()))
	b = binary.BigEndian.AppendUint32(b, uint32(w.Part))
	b = binary.BigEndian.AppendUint64(b, uint64(w.Epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(w.Seq))
	for i := range w.Ops {
		b = appendOp(b, &w.Ops[i])
	}
	whole := sha256.Sum256(b)
	out := make([]byte, wholeSumBytes+moveSumBytes*len(w.Ops))
	copy(out, whole[:])
	for i := range w.Ops {
		if sum, some := opMoveSum(b[:0], &w.Ops[i], f.Now); some {
			copy(out[wholeSumBytes+moveSumBytes*i:], sum[:])
		}
	}
	return out
}

func appendOp(b []byte, op *Op) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(op.Kind))
	b = binary.BigEndian.AppendUint32(b, uint32(op.Event))
	b = binary.BigEndian.AppendUint32(b, uint32(op.Segment))
	b = binary.BigEndian.AppendUint32(b, uint32(op.Other))
	b = append(b, flag(op.Area), flag(op.Free), flag(op.Leg))
	for _, id := range [][16]byte{op.Hold, op.Scope, op.Key, op.Fingerprint, op.Order} {
		b = append(b, id[:]...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(op.Generation))
	b = binary.BigEndian.AppendUint32(b, uint32(op.Quantity))
	b = binary.BigEndian.AppendUint32(b, uint32(op.Attempt))
	b = binary.BigEndian.AppendUint16(b, uint16(op.Refused))
	b = binary.BigEndian.AppendUint64(b, uint64(op.Deadline.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(op.MaxExpires.UnixMicro()))
	b = binary.BigEndian.AppendUint32(b, uint32(len(op.Quotas)))
	for _, q := range op.Quotas {
		b = binary.BigEndian.AppendUint16(b, uint16(q.Dimension))
		b = append(b, q.Key[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(q.Limit))
		b = binary.BigEndian.AppendUint64(b, uint64(q.Seat))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(op.Moves)))
	for _, m := range op.Moves {
		b = binary.BigEndian.AppendUint64(b, uint64(m.Seat))
		b = binary.BigEndian.AppendUint32(b, uint32(m.Ver))
		b = append(b, byte(m.From), byte(m.To))
		b = binary.BigEndian.AppendUint16(b, uint16(m.Type))
	}
	if op.NewOrder == nil {
		return append(b, 0)
	}
	b = append(append(b, 1), op.NewOrder.ID[:]...)
	for _, s := range []string{op.NewOrder.Buyer, op.NewOrder.Currency, op.NewOrder.ClientIP} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, l := range op.NewOrder.Lines {
		for _, v := range []int64{l.Seat, int64(l.Type), l.Face, l.Fee, l.Tax} {
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		}
	}
	return b
}

func flag(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// movement is a row of the journal, as far as it is decided by who asks.
type movement struct {
	event    int32
	seat     int64
	ver      int32
	kind     int16
	from, to int16
	hold     uuid.UUID
	order    uuid.UUID // zero but for pin, unpin, sell and refund
	attempt  int32     // likewise
	at       int64     // when it occurred, in Unix microseconds
}

func (m *movement) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(m.event))
	b = binary.BigEndian.AppendUint64(b, uint64(m.seat))
	b = binary.BigEndian.AppendUint32(b, uint32(m.ver))
	b = binary.BigEndian.AppendUint16(b, uint16(m.kind))
	b = append(b, byte(m.from), byte(m.to))
	b = append(b, m.hold[:]...)
	b = append(b, m.order[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(m.attempt))
	return binary.BigEndian.AppendUint64(b, uint64(m.at))
}

// namesOrder says that a movement of the kind names an order and its attempt.
func namesOrder(kind int16) bool { return kind == 3 || kind == 4 || kind == 7 || kind == 8 }

// opMoveSum sums the moves of an operation, in a buffer that may be written to; false when it has none.
func opMoveSum(buffer []byte, op *Op, now time.Time) ([moveSumBytes]byte, bool) {
	if len(op.Moves) == 0 {
		return [moveSumBytes]byte{}, false
	}
	b := append(buffer, moveDomain...)
	m := movement{event: op.Event, kind: op.Kind, hold: op.Hold, at: now.UnixMicro()}
	if namesOrder(op.Kind) {
		m.order, m.attempt = op.Order, op.Attempt
	}
	for _, move := range op.Moves {
		m.seat, m.ver, m.from, m.to = move.Seat, move.Ver, move.From, move.To
		b = m.append(b)
	}
	return moveSum(b), true
}

func moveSum(b []byte) (sum [moveSumBytes]byte) {
	whole := sha256.Sum256(b)
	copy(sum[:], whole[:])
	return sum
}
