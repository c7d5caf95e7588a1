package openlog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"ticketrush/room/merkle"
)

// Log is the growing end of a room's log: its size and at most 63 hashes. The entries themselves are its driver's. The zero value is an empty log.
type Log struct {
	edge merkle.Edge
}

// State is what a Log has to be rebuilt from, as JSON {"size", "hashes"}; store it with the entries, in one commit.
type State = merkle.Edge

// Restore gives the log of a stored state.
func Restore(s State) (*Log, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("openlog: the stored state is damaged: %w", err)
	}
	return &Log{s.Clone()}, nil
}

// State gives a copy of the log's state. To undo entries whose commit failed, restore the state from before.
func (l *Log) State() State { return l.edge.Clone() }

// Size gives the number of entries: the index, and the "n", of the next one.
func (l *Log) Size() int64 { return l.edge.Size }

// Root gives the Merkle root over all entries.
func (l *Log) Root() tlog.Hash { return l.edge.Root() }

// Append adds an entry, which the driver stores under the index; it wraps ErrEntry and changes nothing when the bytes are not the entry of that index.
func (l *Log) Append(entry []byte) (index int64, leaf tlog.Hash, err error) {
	index = l.edge.Size
	if _, err := checkEntry(entry, index); err != nil {
		return 0, tlog.Hash{}, err
	}
	leaf = tlog.RecordHash(entry)
	l.edge.Append(leaf)
	return index, leaf, nil
}

// Checkpoint gives the log's head, to be signed.
func (l *Log) Checkpoint(origin string) Checkpoint {
	return Checkpoint{Origin: origin, Size: l.Size(), Root: l.Root()}
}
