package main

import (
	"fmt"
	"math"
	"strconv"

	"ticketrush/stockd/chart"
)

const (
	stageFront = -22.0 // the edge of the stage that the audience sees
	pitFront   = stageFront + 2
	pitDepth   = 14.0
	floorRows  = 15
	floorDepth = 1.0
	floorSeats = 14 // of a block
)

// edge is a rectangle with round corners: the border of the floor, from which the rows of the bowl are parallel curves.
// Places on it are metres along it, clockwise from the middle of the side behind the stage.
type edge struct{ halfX, halfY, corner float64 } // halves of the straight sides, radius of the corners

var floorEdge = edge{halfX: 11, halfY: 24, corner: 11}

// pieces are the edge's straight sides and corners in order; turn is 0 for a straight one.
func (e edge) pieces() []piece {
	quarter := math.Pi / 2
	return []piece{
		{0, -e.halfY - e.corner, 0, e.halfX, 0},
		{e.halfX, -e.halfY, -quarter, 0, quarter},
		{e.halfX + e.corner, -e.halfY, quarter, 2 * e.halfY, 0},
		{e.halfX, e.halfY, 0, 0, quarter},
		{e.halfX, e.halfY + e.corner, 2 * quarter, 2 * e.halfX, 0},
		{-e.halfX, e.halfY, quarter, 0, quarter},
		{-e.halfX - e.corner, e.halfY, 3 * quarter, 2 * e.halfY, 0},
		{-e.halfX, -e.halfY, 2 * quarter, 0, quarter},
		{-e.halfX, -e.halfY - e.corner, 0, e.halfX, 0},
	}
}

// piece is a straight side from (x, y) in direction heading, or a corner around (x, y) that begins at the angle heading.
type piece struct{ x, y, heading, length, turn float64 }

// size is how long the piece is at an offset from the edge.
func (p piece) size(e edge, offset float64) float64 {
	return p.length + p.turn*(e.corner+offset)
}

// around is the length of the whole edge.
func (e edge) around() float64 {
	sum := 0.0
	for _, p := range e.pieces() {
		sum += p.size(e, 0)
	}
	return sum
}

// length is how long the curve at an offset is between two places of the edge.
func (e edge) length(from, to, offset float64) float64 {
	sum, start := 0.0, 0.0
	for _, p := range e.pieces() {
		size := p.size(e, 0)
		if part := min(to, start+size) - max(from, start); part > 0 {
			sum += part / size * p.size(e, offset)
		}
		start += size
	}
	return sum
}

// after is the place on the edge that is some metres after another one, measured on the curve at an offset.
func (e edge) after(from, offset, metres float64) float64 {
	start := 0.0
	for _, p := range e.pieces() {
		size := p.size(e, 0)
		if left := start + size - max(from, start); left > 0 {
			stretched := left / size * p.size(e, offset)
			if metres <= stretched {
				return max(from, start) + metres/p.size(e, offset)*size
			}
			metres -= stretched
		}
		start += size
	}
	return start
}

// along is the point of the curve at an offset that is some metres after the place from; it is before the place to.
func (e edge) along(from, to, offset, metres float64) (x, y float64) {
	start := 0.0
	for _, p := range e.pieces() {
		size := p.size(e, 0)
		if part := min(to, start+size) - max(from, start); part > 0 {
			stretched := part / size * p.size(e, offset)
			if metres <= stretched || start+size >= to {
				done := (max(from, start)-start)/size + metres/p.size(e, offset)
				return p.at(e, offset, done)
			}
			metres -= stretched
		}
		start += size
	}
	return 0, 0
}

// at is the point at a share of the piece.
func (p piece) at(e edge, offset, share float64) (x, y float64) {
	if p.turn > 0 {
		angle := p.heading + share*p.turn
		return p.x + (e.corner+offset)*math.Cos(angle), p.y + (e.corner+offset)*math.Sin(angle)
	}
	sin, cos := math.Sincos(p.heading)
	return p.x + share*p.length*cos + offset*sin, p.y + share*p.length*sin - offset*cos
}

// floor is the seats before the stage: two blocks wide, three deep, each with a stair in its middle.
func (h house) floor() []chart.Section {
	var sections []chart.Section
	width := (2*floorSeats-1)*pitch + stair
	for i := range 4 {
		s := chart.Section{ID: "F" + strconv.Itoa(i+1), Name: fmt.Sprintf("Floor %d", i+1), Category: "A"}
		left := -width - 0.9
		if i%2 == 1 {
			left = 0.9
		}
		front := pitFront + pitDepth + 2.5 + float64(i/2)*(floorRows*floorDepth+2)
		for j := range floorRows {
			row := chart.Row{Name: strconv.Itoa(j + 1)}
			for b := range 2 {
				var block chart.Block
				for k := range floorSeats {
					n := b*floorSeats + k
					block.Seats = append(block.Seats, h.seat(n+1, left+float64(n)*pitch+float64(b)*stair, front+float64(j)*floorDepth))
				}
				row.Blocks = append(row.Blocks, block)
			}
			if j == floorRows-1 {
				wheelchairs(&s, &row)
			}
			s.Rows = append(s.Rows, row)
		}
		sections = append(sections, s)
	}
	return sections
}

// pit is the standing area before the stage, round towards the seats.
func (h house) pit() chart.Area {
	a := chart.Area{ID: "PIT", Name: "Standing", Category: "B", Capacity: 1500}
	const halfWidth = 17.0
	add := func(x, y float64) {
		x, y = h.place(x, y)
		a.Polygon = append(a.Polygon, [2]float64{x, y})
	}
	add(-halfWidth, pitFront)
	add(halfWidth, pitFront)
	for i := range 13 {
		angle := math.Pi * float64(i) / 12
		add(halfWidth*math.Cos(angle), pitFront+pitDepth-3+3*math.Sin(angle))
	}
	return a
}
