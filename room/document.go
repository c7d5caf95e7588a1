package room

import "time"

// PointsMax bounds the published histogram.
const PointsMax = 256

// Document is what everybody may know about the room; it shows only what is stored.
type Document struct {
	Phase     Phase
	Edition   uint16
	OpensAt   time.Time // zero when the room is simply open
	Frontier  [2]uint64 // by Group
	Rate      float64
	ShowRate  float64
	Inside    int
	MaxActive int
	Waiting   uint64 // behind the frontiers, whoever of them is still there
	Joined    uint64
	Granted   uint64
	Histogram []Point
}

// Document gives the room's public state.
func (r *Room) Document(now time.Time) Document {
	at := r.step(now)
	lines := &r.state.Lines
	d := Document{
		Phase: r.phase(at), Edition: r.state.Edition, OpensAt: r.set.OpensAt, Frontier: r.shown, Rate: r.rate(), ShowRate: r.lane.showRate(),
		Inside: len(r.state.Inside), MaxActive: r.state.Limits.MaxActive, Granted: r.state.Granted, Histogram: lines.points(PointsMax),
	}
	for g := range groups {
		total := lines.total(g)
		d.Joined += total
		d.Waiting += total - min(total, lines.countUpTo(g, r.shown[g]))
	}
	return d
}
