package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// batchDomain begins what the hash of a batch is made of. The same bytes are in ledger.flush.
const batchDomain = "ticketrush/batch/v1"

// batchesPerRead bounds how many batches, with their movements, are in memory at once.
const batchesPerRead = 4000

// chainShares is into how many shares of about as many batches the partitions are divided, for as many connections.
const chainShares = 4

// checkChain recomputes the chain of every partition of a share, and proves that the journal has the movements that the batches asked for.
func checkChain(share int) func(context.Context, *reconciler) error {
	return func(ctx context.Context, r *reconciler) error {
		parts, err := r.q.ReconcileParts(ctx, r.tx, r.event)
		if err != nil {
			return err
		}
		var all, before int64
		for _, p := range parts {
			all += p.AppliedSeq
		}
		parts = slices.DeleteFunc(parts, func(p db.ReconcilePartsRow) bool {
			of := before * chainShares / max(all, 1)
			before += p.AppliedSeq
			return of != int64(share)
		})
		for len(parts) > 0 {
			n := 1 // neighbours are read together
			for n < len(parts) && parts[n].Part == parts[n-1].Part+1 {
				n++
			}
			c := chain{r: r, part: parts[0].Part - 1}
			if err := c.run(ctx, parts[:n]); err != nil {
				return err
			}
			parts = parts[n:]
		}
		return nil
	}
}

// chain walks the batches of partitions that are neighbours.
type chain struct {
	r    *reconciler
	part int32
	seq  int64  // of the last batch seen
	prev []byte // its hash as it is stored: after a break only the row itself is named, not all that follow
}

func (c *chain) run(ctx context.Context, parts []db.ReconcilePartsRow) error {
	last := parts[len(parts)-1].Part
	c.begin(parts[0].Part)
	for {
		batches, err := c.r.q.BatchRange(ctx, c.r.tx, db.BatchRangeParams{Part: c.part, After: c.seq, LastPart: last, MaxRows: batchesPerRead})
		if err != nil {
			return err
		}
		for i := range batches {
			b := &batches[i]
			for ; c.part < b.Part; parts = parts[1:] {
				c.end(&parts[0])
			}
			moves, err := unpack(b.Moves)
			if err != nil {
				return err
			}
			c.batch(b)
			c.movements(b, moves)
			c.seq, c.prev = b.Seq, b.Hash
		}
		c.r.rows(int64(len(batches)))
		if len(batches) < batchesPerRead {
			break
		}
	}
	for i := range parts {
		c.end(&parts[i])
	}
	return nil
}

func (c *chain) begin(part int32) {
	c.part, c.seq, c.prev = part, 0, make([]byte, sha256.Size)
}

// end compares a partition's head with the last of its batches, and goes on to the next.
func (c *chain) end(p *db.ReconcilePartsRow) {
	if !bytes.Equal(c.prev, p.HeadHash) {
		c.r.broken(fmt.Sprintf("part %d", p.Part), "head_hash is %x…, but its last batch has %x…", p.HeadHash[:4], c.prev[:4])
	}
	c.begin(p.Part + 1)
}

// batch checks one batch's place and hash.
func (c *chain) batch(b *db.BatchRangeRow) {
	row := batchRow(c.part, b.Seq)
	if b.Seq != c.seq+1 {
		c.r.broken(row, "the one before it is %d: batches are missing", c.seq)
	} else if !bytes.Equal(b.PrevHash, c.prev) {
		c.r.broken(row, "it follows hash %x…, but the batch before it has %x…", b.PrevHash[:4], c.prev[:4])
	}
	if sum := batchHash(b); !bytes.Equal(sum[:], b.Hash) {
		c.r.broken(row, "its hash is %x…, but its content makes %x…: it was changed", b.Hash[:4], sum[:4])
	}
}

func batchHash(b *db.BatchRangeRow) [sha256.Size]byte {
	m := make([]byte, 0, 256)
	m = append(m, batchDomain...)
	m = binary.BigEndian.AppendUint32(m, uint32(b.Part))
	m = binary.BigEndian.AppendUint64(m, uint64(b.Seq))
	m = binary.BigEndian.AppendUint64(m, uint64(b.Epoch))
	m = append(m, b.Batch[:]...)
	m = append(m, b.PrevHash...)
	m = append(m, b.Digest...)
	m = append(m, b.Outcomes...)
	return sha256.Sum256(m)
}

// journalRow is a movement: its number, and what is summed.
type journalRow struct {
	no int32
	movement
}

// packedColumns are the widths in bytes of the columns of a movement as BatchRange packs them. An order may be NULL.
var packedColumns = [...]int{4, 4, 8, 4, 2, 2, 2, 16, 16, 4, 8}

// errPacked is a database that packs records in another way than it says.
var errPacked = errors.New("the database sent a movement that cannot be read")

// unpack reads the movements of a batch, and puts them into their order. A record is the number of its columns, and of each the type's number, the
// length, -1 for NULL, and the value.
func unpack(packed []byte) ([]journalRow, error) {
	var rows []journalRow
	for len(packed) > 0 {
		var column [len(packedColumns)][]byte
		if len(packed) < 4 || binary.BigEndian.Uint32(packed) != uint32(len(column)) {
			return nil, errPacked
		}
		packed = packed[4:]
		for i, width := range packedColumns {
			if len(packed) < 8 {
				return nil, errPacked
			}
			is := int(int32(binary.BigEndian.Uint32(packed[4:])))
			packed = packed[8:]
			if is < 0 && i == 8 {
				column[i] = uuid.Nil[:]
				continue
			}
			if is != width || len(packed) < width {
				return nil, errPacked
			}
			column[i], packed = packed[:width], packed[width:]
		}
		small := func(i int) int16 { return int16(binary.BigEndian.Uint16(column[i])) }
		whole := func(i int) int32 { return int32(binary.BigEndian.Uint32(column[i])) }
		big := func(i int) int64 { return int64(binary.BigEndian.Uint64(column[i])) }
		rows = append(rows, journalRow{no: whole(0), movement: movement{
			event: whole(1), seat: big(2), ver: whole(3), kind: small(4), from: small(5), to: small(6), hold: uuid.UUID(column[7]), order: uuid.UUID(column[8]),
			attempt: whole(9), at: big(10) + postgresEpoch,
		}})
	}
	slices.SortFunc(rows, func(a, b journalRow) int { return int(a.no) - int(b.no) })
	return rows, nil
}

// movements checks that the rows of a batch are the moves of its operations that were applied, no more and no less. An operation's rows have
// one hold and one kind, and no two operations of a batch have both in common.
func (c *chain) movements(b *db.BatchRangeRow, rows []journalRow) {
	outcomes := decodeInt16s(b.Outcomes)
	if len(b.Digest) != wholeSumBytes+moveSumBytes*len(outcomes) {
		c.r.broken(batchRow(c.part, b.Seq), "it has %d outcomes and a digest of %d bytes, which do not fit", len(outcomes), len(b.Digest))
		return
	}
	var none [moveSumBytes]byte
	for i, outcome := range outcomes {
		want := b.Digest[wholeSumBytes+moveSumBytes*i:][:moveSumBytes]
		if outcome != 0 || bytes.Equal(want, none[:]) {
			continue
		}
		n := operation(rows)
		if n == 0 {
			c.r.broken(batchRow(c.part, b.Seq), "operation %d was applied, but its movements are not in the journal", i)
			return
		}
		if sum := movementsSum(rows[:n]); !bytes.Equal(sum[:], want) {
			c.r.broken(movementRow(c.part, b.Seq, rows[0].no), "this row or one of the %d of its operation is not what batch %s asked for (hold %s, event %d, seat %d): the journal was changed",
				n, b.Batch, rows[0].hold, rows[0].event, rows[0].seat)
		}
		rows = rows[n:]
	}
	if len(rows) > 0 {
		c.r.broken(movementRow(c.part, b.Seq, rows[0].no), "no operation of batch %s asked for it", b.Batch)
	}
}

// operation is how many of the first rows are of one operation.
func operation(rows []journalRow) int {
	n := 0
	for n < len(rows) && rows[n].hold == rows[0].hold && rows[n].kind == rows[0].kind {
		n++
	}
	return n
}

func movementsSum(rows []journalRow) [moveSumBytes]byte {
	b := append(make([]byte, 0, 512), moveDomain...)
	for i := range rows {
		b = rows[i].append(b)
	}
	return moveSum(b)
}
