package stock

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Partitions is the fixed number of units of ownership. It is part of every stored id: changing it is a migration.
const Partitions = 4096

// EventID is the ledger's number of an event.
type EventID int32

// SegmentNo numbers the segments of an event from 1.
type SegmentNo int32

// PartitionID is in [0, Partitions).
type PartitionID uint16

// SeatID is unique in an event: the segment's number shifted by 24, and the seat's index (or an area's unit) in the segment.
type SeatID int64

// MaxIndex bounds the index of a seat, or the counter of an area's units, in a segment.
const MaxIndex = 1<<24 - 1

// NewSeatID joins a segment and an index.
func NewSeatID(segment SegmentNo, index int32) SeatID {
	return SeatID(int64(segment)<<24 | int64(index))
}

// Segment is the segment that the seat belongs to.
func (s SeatID) Segment() SegmentNo { return SegmentNo(s >> 24) }

// Index is the seat's index in its segment, or the number of an area's unit.
func (s SeatID) Index() int32 { return int32(s & MaxIndex) }

// PartitionOf is the partition that owns a segment: xxh64 of event and segment, big endian, modulo Partitions.
func PartitionOf(event EventID, segment SegmentNo) PartitionID {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:4], uint32(event))
	binary.BigEndian.PutUint32(b[4:], uint32(segment))
	return PartitionID(xxhash.Sum64(b[:]) % Partitions)
}
