// Package journal is the form in which the ledger's journal is summed and chained. Who writes it and who checks it share these bytes, and nothing else.
// All integers are fixed-width and big-endian.
package journal

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

// The digest of a work is what its partition was asked for, made before it is sent: WholeSumBytes of the whole, then MoveSumBytes for the moves of each
// operation. The second part is what lets people prove that the journal's rows are the ones that were asked for: the moves of every operation that was
// applied are in seat_movements, and can be summed again.
const (
	// WholeSumBytes is the length of the first part of a digest.
	WholeSumBytes = sha256.Size
	// MoveSumBytes is the length of the sum of one operation's moves: a truncated SHA-256. It is zero for an operation without moves.
	MoveSumBytes = 16
)

// What begins the bytes that are summed, so that no sum can be taken for another one. The same bytes as batchDomain's are in ledger.flush.
const (
	batchDomain = "ticketrush/batch/v1"
	moveDomain  = "ticketrush/moves/v1"
)

// Movement is a row of the journal, as far as it is decided by who asks.
type Movement struct {
	Event    int32
	Seat     int64
	Ver      int32
	Kind     int16
	From, To int16
	Hold     uuid.UUID
	Order    uuid.UUID // zero but for pin, unpin, sell and refund
	Attempt  int32     // likewise
	At       int64     // when it occurred, in Unix microseconds
}

// Append adds the movement to bytes that BeginMoves began.
func (m *Movement) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(m.Event))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Seat))
	b = binary.BigEndian.AppendUint32(b, uint32(m.Ver))
	b = binary.BigEndian.AppendUint16(b, uint16(m.Kind))
	b = append(b, byte(m.From), byte(m.To))
	b = append(b, m.Hold[:]...)
	b = append(b, m.Order[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(m.Attempt))
	return binary.BigEndian.AppendUint64(b, uint64(m.At))
}

// NamesOrder says that a movement of the kind names an order and its attempt.
func NamesOrder(kind int16) bool { return kind == 3 || kind == 4 || kind == 7 || kind == 8 }

// BeginMoves begins the bytes that the moves of one operation are summed over, in a buffer that is written to; Movement.Append adds each move.
func BeginMoves(buffer []byte) []byte { return append(buffer[:0], moveDomain...) }

// SumMoves sums them.
func SumMoves(b []byte) (sum [MoveSumBytes]byte) {
	whole := sha256.Sum256(b)
	copy(sum[:], whole[:])
	return sum
}

// Batch is a row of flush_batches, as far as it is chained.
type Batch struct {
	Part       int32
	Seq, Epoch int64
	ID         uuid.UUID
	PrevHash   []byte
	Digest     []byte
	Outcomes   []byte
}

// Hash is the hash of a batch. The next one has it as its PrevHash.
func (b *Batch) Hash() [sha256.Size]byte {
	m := make([]byte, 0, 256)
	m = append(m, batchDomain...)
	m = binary.BigEndian.AppendUint32(m, uint32(b.Part))
	m = binary.BigEndian.AppendUint64(m, uint64(b.Seq))
	m = binary.BigEndian.AppendUint64(m, uint64(b.Epoch))
	m = append(m, b.ID[:]...)
	m = append(m, b.PrevHash...)
	m = append(m, b.Digest...)
	m = append(m, b.Outcomes...)
	return sha256.Sum256(m)
}

// Outcomes reads what became of each operation of a batch.
func Outcomes(b []byte) []int16 {
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.BigEndian.Uint16(b[2*i:]))
	}
	return out
}
