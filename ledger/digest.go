package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"ticketrush/ledger/journal"
)

// workDomain begins what the digest of a work is made of, so that no sum can be taken for another one.
const workDomain = "ticketrush/work/v1"

// digest is the digest of w, as package journal has it: made before the work is sent, of all that was asked for. All integers are fixed-width and big-endian.
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
	out := make([]byte, journal.WholeSumBytes+journal.MoveSumBytes*len(w.Ops))
	copy(out, whole[:])
	for i := range w.Ops {
		if sum, some := opMoveSum(b[:0], &w.Ops[i], f.Now); some {
			copy(out[journal.WholeSumBytes+journal.MoveSumBytes*i:], sum[:])
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

// opMoveSum sums the moves of an operation, in a buffer that may be written to; false when it has none.
func opMoveSum(buffer []byte, op *Op, now time.Time) ([journal.MoveSumBytes]byte, bool) {
	if len(op.Moves) == 0 {
		return [journal.MoveSumBytes]byte{}, false
	}
	b := journal.BeginMoves(buffer)
	m := journal.Movement{Event: op.Event, Kind: op.Kind, Hold: op.Hold, At: now.UnixMicro()}
	if journal.NamesOrder(op.Kind) {
		m.Order, m.Attempt = op.Order, op.Attempt
	}
	for _, move := range op.Moves {
		m.Seat, m.Ver, m.From, m.To = move.Seat, move.Ver, move.From, move.To
		b = m.Append(b)
	}
	return journal.SumMoves(b), true
}
