package draw

import (
	"errors"
	"fmt"
	"iter"
)

// Tid names a visitor within a room. Any type of 16 bytes can be assigned to it.
type Tid = [16]byte

const (
	tidSize   = 16
	chunkTids = 4096
	chunkSize = chunkTids * tidSize
)

// ListMax is the most tids of one list: 256 MiB of them.
const ListMax = 1 << 24

// ErrListFull is returned for a list that would grow beyond ListMax.
var ErrListFull = fmt.Errorf("draw: the list has %d tids and takes no more", ListMax)

var errTorn = errors.New("draw: raw tids must come in multiples of 16 bytes")

// List is the tids of a lobby in the order in which they came, repetitions included: 16 bytes each and nothing else. It grows by 64 KiB at a time
// and is never copied. The zero value is an empty list.
type List struct {
	chunks [][]byte // all full but the last
	n      int64
}

// Len gives how many tids were appended.
func (l *List) Len() int64 { return l.n }

// Append adds a tid. It fails with ErrListFull only.
func (l *List) Append(tid Tid) error {
	if l.n == ListMax {
		return ErrListFull
	}
	last := len(l.chunks) - 1
	if last < 0 || len(l.chunks[last]) == chunkSize {
		l.chunks = append(l.chunks, make([]byte, 0, chunkSize))
		last++
	}
	l.chunks[last] = append(l.chunks[last], tid[:]...)
	l.n++
	return nil
}

// AppendRaw adds the tids of a piece that Raw gave. It adds all of them or none.
func (l *List) AppendRaw(raw []byte) error {
	if len(raw)%tidSize != 0 {
		return fmt.Errorf("%w, and these are %d", errTorn, len(raw))
	}
	if l.n+int64(len(raw)/tidSize) > ListMax {
		return ErrListFull
	}
	for ; len(raw) > 0; raw = raw[tidSize:] {
		if err := l.Append(Tid(raw)); err != nil {
			return err
		}
	}
	return nil
}

// Raw gives the tids from number from on (0 is the first) as bytes, in pieces of at most 64 KiB, for a driver to store. A piece is valid, and must not
// be changed, until the next Append.
func (l *List) Raw(from int64) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := max(from, 0); i < l.n; {
			chunk := l.chunks[i/chunkTids][i%chunkTids*tidSize:]
			if !yield(chunk) {
				return
			}
			i += int64(len(chunk) / tidSize)
		}
	}
}

// at gives the i-th tid, in place.
func (l *List) at(i int64) *Tid {
	return (*Tid)(l.chunks[i/chunkTids][i%chunkTids*tidSize:])
}

// truncate keeps the first n tids.
func (l *List) truncate(n int64) {
	full := (n + chunkTids - 1) / chunkTids
	clear(l.chunks[full:])
	l.chunks, l.n = l.chunks[:full], n
	if rest := n % chunkTids; rest > 0 {
		l.chunks[full-1] = l.chunks[full-1][:rest*tidSize]
	}
}
