package reconcile

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"ticketrush/ledger/db"
	"ticketrush/ledger/journal"
)

// chain recomputes the hashes of partitions' batches, in their order, and proves that the journal has the movements that the batches asked for.
type chain struct {
	*tally
	parts []db.ReconcilePartsRow // the first is the one whose batches come now
	seq   int64                  // of the last batch seen
	prev  []byte                 // its hash as it is stored: after a break only the row itself is named, not all that follow
}

func (c *chain) begin() { c.seq, c.prev = 0, make([]byte, sha256.Size) }

// end compares a partition's head with the last of its batches, and goes on to the next.
func (c *chain) end() {
	p := &c.parts[0]
	if !bytes.Equal(c.prev, p.HeadHash) {
		c.broken(fmt.Sprintf("part %d", p.Part), "head_hash is %x…, but its last batch has %x…", p.HeadHash[:4], c.prev[:4])
	}
	c.parts = c.parts[1:]
	c.begin()
}

// finish ends the partitions that are left.
func (c *chain) finish() {
	for len(c.parts) > 0 {
		c.end()
	}
}

// batch checks one batch's place and hash.
func (c *chain) batch(b *db.BatchPageRow) {
	for len(c.parts) > 0 && c.parts[0].Part < b.Part {
		c.end()
	}
	c.rows(1)
	broken := func(format string, args ...any) { c.broken(batchRow(b.Part, b.Seq), format, args...) }
	if len(c.parts) == 0 || c.parts[0].Part != b.Part {
		broken("there is no partition %d", b.Part)
		return
	}
	if b.Seq != c.seq+1 {
		broken("the one before it is %d: batches are missing", c.seq)
	} else if !bytes.Equal(b.PrevHash, c.prev) {
		broken("it follows hash %x…, but the batch before it has %x…", b.PrevHash[:4], c.prev[:4])
	}
	of := journal.Batch{Part: b.Part, Seq: b.Seq, Epoch: b.Epoch, ID: b.Batch, PrevHash: b.PrevHash, Digest: b.Digest, Outcomes: b.Outcomes}
	if sum := of.Hash(); !bytes.Equal(sum[:], b.Hash) {
		broken("its hash is %x…, but its content makes %x…: it was changed", b.Hash[:4], sum[:4])
	}
	c.seq, c.prev = b.Seq, b.Hash
}

// movements checks that the rows of a batch are the moves of its operations that were applied, no more and no less. An operation's rows have
// one hold and one kind, and no two operations of a batch have both in common.
func (c *chain) movements(b *db.BatchPageRow, rows []journalRow) {
	outcomes := journal.Outcomes(b.Outcomes)
	if len(b.Digest) != journal.WholeSumBytes+journal.MoveSumBytes*len(outcomes) {
		c.broken(batchRow(b.Part, b.Seq), "it has %d outcomes and a digest of %d bytes, which do not fit", len(outcomes), len(b.Digest))
		return
	}
	var none [journal.MoveSumBytes]byte
	for i, outcome := range outcomes {
		want := b.Digest[journal.WholeSumBytes+journal.MoveSumBytes*i:][:journal.MoveSumBytes]
		if outcome != 0 || bytes.Equal(want, none[:]) {
			continue
		}
		n := operation(rows)
		if n == 0 {
			c.broken(batchRow(b.Part, b.Seq), "operation %d was applied, but its movements are not in the journal", i)
			return
		}
		if sum := movementsSum(rows[:n]); !bytes.Equal(sum[:], want) {
			c.broken(movementRow(&rows[0]), "this row or one of the %d of its operation is not what batch %s asked for (hold %s, event %d, seat %d): the journal was changed",
				n, b.Batch, rows[0].Hold, rows[0].Event, rows[0].Seat)
		}
		rows = rows[n:]
	}
	if len(rows) > 0 {
		c.broken(movementRow(&rows[0]), "no operation of batch %s asked for it", b.Batch)
	}
}

// operation is how many of the first rows are of one operation.
func operation(rows []journalRow) int {
	n := 0
	for n < len(rows) && rows[n].Hold == rows[0].Hold && rows[n].Kind == rows[0].Kind {
		n++
	}
	return n
}

func movementsSum(rows []journalRow) [journal.MoveSumBytes]byte {
	b := journal.BeginMoves(make([]byte, 0, 512))
	for i := range rows {
		b = rows[i].Append(b)
	}
	return journal.SumMoves(b)
}
