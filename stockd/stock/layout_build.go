package stock

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrLayout is the cause of every refusal of NewLayout.
var ErrLayout = errors.New("seats do not make a layout")

// draft is a block while the layout is built.
type draft struct {
	block
	row   int32
	x, y  float64 // centre
	seats []SeatSpec
}

// NewLayout builds the geometry. The same seats always give the same layout.
func NewLayout(seats []SeatSpec) (*Layout, error) {
	if len(seats) == 0 || len(seats) > MaxIndex {
		return nil, fmt.Errorf("%w: %d seats, 1 to %d are possible", ErrLayout, len(seats), MaxIndex)
	}
	drafts, err := draftBlocks(seats)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(drafts, func(a, b draft) int {
		return cmp.Or(cmp.Compare(a.min, b.min), cmp.Compare(a.first, b.first))
	})
	l := &Layout{
		blocks:  make([]block, len(drafts)),
		dist:    make([]float32, len(seats)),
		cat:     make([]uint8, len(seats)),
		blockOf: make([]uint16, len(seats)),
		near:    nearestBlocks(drafts),
	}
	linkRows(drafts)
	for i, s := range seats {
		l.dist[i], l.cat[i] = s.Distance, s.Category
		for _, c := range s.Companions {
			if c < 0 || int(c) >= len(seats) || seats[c].Flags&SeatCompanion == 0 {
				return nil, fmt.Errorf("%w: seat %d has a companion %d that is no companion seat", ErrLayout, i, c)
			}
			l.companions = append(l.companions, companionLink{int32(i), c})
		}
	}
	for b := range drafts {
		l.addBlock(b, &drafts[b].block)
	}
	return l, nil
}

func (l *Layout) addBlock(b int, blk *block) {
	l.blocks[b] = *blk
	for i := int32(0); i < int32(blk.n); i++ {
		l.blockOf[blk.first+i] = uint16(b)
		c := l.cat[blk.first+i]
		for len(l.catBlocks) <= int(c) {
			l.catBlocks = append(l.catBlocks, nil)
		}
		if l.catBlocks[c] == nil {
			l.catBlocks[c] = make([]uint64, (len(l.blocks)+63)/64)
		}
		l.catBlocks[c][b/64] |= 1 << (b % 64)
	}
	if blk.accessible != 0 {
		l.accessible = append(l.accessible, uint16(b))
	}
}

// draftBlocks cuts the seats into blocks and checks them.
func draftBlocks(seats []SeatSpec) ([]draft, error) {
	var drafts []draft
	seen := map[int32]bool{}
	for from := 0; from < len(seats); {
		to := from + 1
		for to < len(seats) && seats[to].Block == seats[from].Block {
			to++
		}
		if seen[seats[from].Block] {
			return nil, fmt.Errorf("%w: the seats of block %d do not follow each other (seat %d)", ErrLayout, seats[from].Block, from)
		}
		seen[seats[from].Block] = true
		if to-from > BlockSeatsMax {
			return nil, fmt.Errorf("%w: block %d has %d seats, at most %d", ErrLayout, seats[from].Block, to-from, BlockSeatsMax)
		}
		d, err := draftBlock(seats[from:to], int32(from))
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, d)
		from = to
	}
	if len(drafts) >= BlocksMax {
		return nil, fmt.Errorf("%w: %d blocks, at most %d", ErrLayout, len(drafts), BlocksMax-1)
	}
	return drafts, nil
}

func draftBlock(seats []SeatSpec, first int32) (draft, error) {
	d := draft{seats: seats, row: seats[0].Row, block: block{first: first, n: uint8(len(seats)), min: float32(math.Inf(1)), behind: noBlock}}
	d.full = ^uint64(0) >> (64 - len(seats))
	for i, s := range seats {
		switch {
		case s.Row != d.row:
			return d, fmt.Errorf("%w: block %d is in two rows", ErrLayout, s.Block)
		case s.Category >= CategoriesMax:
			return d, fmt.Errorf("%w: seat %d has category %d, below %d are possible", ErrLayout, int(first)+i, s.Category, CategoriesMax)
		case !finite(s.X) || !finite(s.Y) || !finite(s.Distance):
			return d, fmt.Errorf("%w: seat %d has no finite place", ErrLayout, int(first)+i)
		case s.Flags&SeatAccessible == 0 && len(s.Companions) > 0:
			return d, fmt.Errorf("%w: seat %d has companions and is not accessible", ErrLayout, int(first)+i)
		}
		bit := uint64(1) << i
		if s.Flags&SeatAccessible != 0 {
			d.accessible |= bit
			d.special |= bit
		}
		if s.Flags&SeatCompanion != 0 {
			d.special |= bit
		}
		d.cats |= 1 << s.Category
		d.min = min(d.min, s.Distance)
		d.x += float64(s.X) / float64(len(seats))
		d.y += float64(s.Y) / float64(len(seats))
	}
	d.nearest = valley(seats)
	return d, nil
}

// valley is the place of the smallest distance when no distance falls on the way from it to either end, else -1.
func valley(seats []SeatSpec) int8 {
	low := 0
	for i, s := range seats {
		if s.Distance < seats[low].Distance {
			low = i
		}
	}
	for i := 1; i < len(seats); i++ {
		if falls := seats[i].Distance < seats[i-1].Distance; falls && i > low || !falls && i <= low && seats[i].Distance > seats[i-1].Distance {
			return -1
		}
	}
	return int8(low)
}

func finite(f float32) bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

// linkRows finds for each block the block of the next row that faces most of it, and how the two are aligned: the shift that most
// seats agree on, each with the seat that is nearest to it there. So rows may be curved and of unequal length.
func linkRows(drafts []draft) {
	rows := map[int32][]int{}
	for b := range drafts {
		rows[drafts[b].row] = append(rows[drafts[b].row], b)
	}
	for b := range drafts {
		d := &drafts[b]
		next := rows[d.row+1]
		if len(next) == 0 {
			continue
		}
		votes := map[[2]int]int{} // (block, shift) → seats
		for i, s := range d.seats {
			best, at := math.Inf(1), [2]int{}
			for _, n := range next {
				for j, t := range drafts[n].seats {
					dx, dy := float64(s.X-t.X), float64(s.Y-t.Y)
					if gap := dx*dx + dy*dy; gap < best {
						best, at = gap, [2]int{n, i - j}
					}
				}
			}
			votes[at]++
		}
		most := 0
		for at, n := range votes {
			if n > most || n == most && (at[0] < int(d.behind) || at[0] == int(d.behind) && at[1] < int(d.shift)) {
				most, d.behind, d.shift = n, uint16(at[0]), int8(at[1])
			}
		}
	}
}

// nearestBlocks lists for each block those whose centres are nearest.
func nearestBlocks(drafts []draft) []uint16 {
	near := make([]uint16, len(drafts)*nearBlocks)
	for i := range near {
		near[i] = noBlock
	}
	for a := range drafts {
		var gaps [nearBlocks]float64
		list, n := near[a*nearBlocks:(a+1)*nearBlocks], 0
		for b := range drafts {
			if a == b {
				continue
			}
			dx, dy := drafts[a].x-drafts[b].x, drafts[a].y-drafts[b].y
			gap := dx*dx + dy*dy
			if n == nearBlocks && gap >= gaps[n-1] {
				continue
			}
			at := min(n, nearBlocks-1)
			for ; at > 0 && gaps[at-1] > gap; at-- {
				gaps[at], list[at] = gaps[at-1], list[at-1]
			}
			gaps[at], list[at] = gap, uint16(b)
			n = min(n+1, nearBlocks)
		}
	}
	return near
}
