package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// batchDomain begins what the hash of a batch is made of. The same bytes are in ledger.flush.
const batchDomain = "ticketrush/batch/v1"

// batchesPerRead bounds how many batches, with their movements, are in memory at once.
const batchesPerRead = 2000

// checkChain recomputes the chain of every partition, and proves that the journal has the movements that the batches asked for.
func checkChain(ctx context.Context, r *reconciler) error {
	parts, err := r.q.ReconcileParts(ctx, r.tx, r.event)
	if err != nil {
		return err
	}
	for _, p := range parts {
		c := chain{r: r, part: p.Part, prev: make([]byte, sha256.Size)}
		if err := c.run(ctx); err != nil {
			return err
		}
		if !bytes.Equal(c.prev, p.HeadHash) {
			r.broken(fmt.Sprintf("part %d", p.Part), "head_hash is %x…, but its last batch has %x…", p.HeadHash[:4], c.prev[:4])
		}
	}
	return nil
}

// chain walks the batches of one partition.
type chain struct {
	r    *reconciler
	part int32
	seq  int64  // of the last batch seen
	prev []byte // its hash as it is stored: after a break only the row itself is named, not all that follow
}

func (c *chain) run(ctx context.Context) error {
	for {
		batches, err := c.r.q.BatchRange(ctx, c.r.tx, db.BatchRangeParams{Part: c.part, After: c.seq, MaxRows: batchesPerRead})
		if err != nil || len(batches) == 0 {
			return err
		}
		last := batches[len(batches)-1].Seq
		moves, err := c.r.q.MovementRange(ctx, c.r.tx, db.MovementRangeParams{Part: c.part, After: c.seq, Last: last})
		if err != nil {
			return err
		}
		for i := range batches {
			b := &batches[i]
			n := 0
			for n < len(moves) && moves[n].Seq <= b.Seq {
				n++
			}
			c.batch(b)
			c.movements(b, moves[:n])
			moves = moves[n:]
			c.seq, c.prev = b.Seq, b.Hash
		}
		c.r.rows(int64(len(batches)))
	}
}

// batch checks one batch's place and hash.
func (c *chain) batch(b *db.BatchRangeRow) {
	row := batchRow(c.part, b.Seq)
	if b.Seq != c.seq+1 {
		c.r.broken(row, "the one before it is %d: batches are missing", c.seq)
	} else if !bytes.Equal(b.PrevHash, c.prev) {
		c.r.broken(row, "it follows hash %x…, but the batch before it has %x…", b.PrevHash[:4], c.prev[:4])
	}
	if sum := batchHash(c.part, b); !bytes.Equal(sum[:], b.Hash) {
		c.r.broken(row, "its hash is %x…, but its content makes %x…: it was changed", b.Hash[:4], sum[:4])
	}
}

func batchHash(part int32, b *db.BatchRangeRow) [sha256.Size]byte {
	m := make([]byte, 0, 256)
	m = append(m, batchDomain...)
	m = binary.BigEndian.AppendUint32(m, uint32(part))
	m = binary.BigEndian.AppendUint64(m, uint64(b.Seq))
	m = binary.BigEndian.AppendUint64(m, uint64(b.Epoch))
	m = append(m, b.Batch[:]...)
	m = append(m, b.PrevHash...)
	m = append(m, b.Digest...)
	m = append(m, b.Outcomes...)
	return sha256.Sum256(m)
}

// movements checks that the rows of a batch are the moves of its operations that were applied, no more and no less. An operation's rows have
// one hold and one kind, and no two operations of a batch have both in common.
func (c *chain) movements(b *db.BatchRangeRow, rows []db.MovementRangeRow) {
	outcomes := decodeInt16s(b.Outcomes)
	if len(b.Digest) != wholeSumBytes+moveSumBytes*len(outcomes) {
		c.r.broken(batchRow(c.part, b.Seq), "it has %d outcomes and a digest of %d bytes, which do not fit", len(outcomes), len(b.Digest))
		return
	}
	for i, outcome := range outcomes {
		want := b.Digest[wholeSumBytes+moveSumBytes*i:][:moveSumBytes]
		if outcome != 0 || bytes.Equal(want, make([]byte, moveSumBytes)) {
			continue
		}
		n := operation(rows)
		if n == 0 {
			c.r.broken(batchRow(c.part, b.Seq), "operation %d was applied, but its movements are not in the journal", i)
			return
		}
		if sum := movementsSum(rows[:n]); !bytes.Equal(sum[:], want) {
			c.r.broken(movementRow(c.part, b.Seq, rows[0].RowNo), "this row or one of the %d of its operation is not what batch %s asked for (hold %s, event %d, seat %d): the journal was changed",
				n, b.Batch, rows[0].Hold, rows[0].Event, rows[0].Seat)
		}
		rows = rows[n:]
	}
	if len(rows) > 0 {
		c.r.broken(movementRow(c.part, b.Seq, rows[0].RowNo), "no operation of batch %s asked for it", b.Batch)
	}
}

// operation is how many of the first rows are of one operation.
func operation(rows []db.MovementRangeRow) int {
	n := 0
	for n < len(rows) && rows[n].Hold == rows[0].Hold && rows[n].Kind == rows[0].Kind {
		n++
	}
	return n
}

func movementsSum(rows []db.MovementRangeRow) [moveSumBytes]byte {
	b := append(make([]byte, 0, 128*len(rows)), moveDomain...)
	for i := range rows {
		m := &rows[i]
		var order uuid.UUID
		if m.OrderID.Valid {
			order = m.OrderID.UUID
		}
		row := movement{event: m.Event, seat: m.Seat, ver: m.SeatVer, kind: m.Kind, from: m.FromState, to: m.ToState, hold: m.Hold, order: order,
			attempt: m.Attempt, occurredAt: m.OccurredAt}
		b = row.append(b)
	}
	return moveSum(b)
}
