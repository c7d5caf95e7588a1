package stock

import (
	"slices"
	"sort"
)

// SeatFlags are what matters about a seat beside its place.
type SeatFlags uint8

const (
	// SeatAccessible is a place for a wheelchair, or one that is reached without steps. Sold by name or on request only.
	SeatAccessible SeatFlags = 1 << iota
	// SeatCompanion goes with an accessible seat; others get it when they take any seats and nothing else is left.
	SeatCompanion
)

const (
	// BlockSeatsMax is the most seats from one aisle to the next.
	BlockSeatsMax = 64
	// BlocksMax is the most blocks of a layout.
	BlocksMax = 1<<16 - 1
	// CategoriesMax is the number of categories that a mask can tell apart.
	CategoriesMax = 64

	nearBlocks = 6
	noBlock    = BlocksMax
)

// SeatSpec describes one seat to NewLayout. Seats come in the order of their index; those of a block and those of a row follow each other.
type SeatSpec struct {
	Row        int32   // rows in order, so that neighbours differ by one
	Block      int32   // any number that is the same for the seats from aisle to aisle and no others
	X, Y       float32 // in the chart's units
	Distance   float32 // to the focal point, in the chart's units
	Category   uint8   // below CategoriesMax
	Flags      SeatFlags
	Companions []int32 // indexes of the companion seats of an accessible seat
}

// Layout is the geometry of a segment's seats, shared by all events of a chart. It never changes.
type Layout struct {
	blocks     []block // by distance to the focal point
	dist       []float32
	cat        []uint8
	blockOf    []uint16
	near       []uint16   // nearBlocks for each block, nearest first, noBlock where there are no more
	catBlocks  [][]uint64 // per category the set of blocks that have it
	accessible []uint16   // blocks with accessible seats
	companions []companionLink
}

// block is the seats from aisle to aisle. Bit i of its masks is the seat with index first+i.
type block struct {
	full       uint64
	special    uint64 // accessible and companion seats: never offered unasked
	accessible uint64
	cats       uint64  // set of the categories of its seats
	min        float32 // the smallest distance of its seats
	first      int32
	behind     uint16 // the block of the next row that overlaps most, or noBlock
	shift      int8   // bit i here has bit i-shift behind it
	n          uint8
	nearest    int8 // the bit of the nearest seat when distances grow from it to both sides, else -1
}

type companionLink struct{ seat, companion int32 }

// Capacity is the number of seats.
func (l *Layout) Capacity() int32 { return int32(len(l.dist)) }

// Category is the category of the seat with that index.
func (l *Layout) Category(index int32) int16 { return int16(l.cat[index]) }

// Categories is the mask of the categories that occur.
func (l *Layout) Categories() uint64 {
	var mask uint64
	for i := range l.blocks {
		mask |= l.blocks[i].cats
	}
	return mask
}

// bit is the place of a seat in its block.
func (l *Layout) bit(index int32) (b int, bit uint) {
	b = int(l.blockOf[index])
	return b, uint(index - l.blocks[b].first)
}

// categoryMask is the seats of a block in one of the categories.
func (l *Layout) categoryMask(b int, cats uint64) uint64 {
	blk := &l.blocks[b]
	var mask uint64
	for i, c := range l.cat[blk.first : blk.first+int32(blk.n)] {
		mask |= cats >> c & 1 << i
	}
	return mask
}

// categoryWord is 64 blocks, those of word i that have one of the categories.
func (l *Layout) categoryWord(i int, cats uint64) uint64 {
	var word uint64
	for c, set := range l.catBlocks {
		if cats>>c&1 != 0 && set != nil {
			word |= set[i]
		}
	}
	return word
}

// nearest is the blocks around b, nearest first.
func (l *Layout) nearest(b int) []uint16 {
	near := l.near[b*nearBlocks : (b+1)*nearBlocks]
	if end := slices.Index(near, noBlock); end >= 0 {
		near = near[:end]
	}
	return near
}

// companionsOf is the companion seats of an accessible seat.
func (l *Layout) companionsOf(index int32) []companionLink {
	from := sort.Search(len(l.companions), func(i int) bool { return l.companions[i].seat >= index })
	to := from
	for to < len(l.companions) && l.companions[to].seat == index {
		to++
	}
	return l.companions[from:to]
}
