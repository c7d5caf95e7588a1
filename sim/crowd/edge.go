package crowd

import (
	"encoding/json"
	"fmt"
	"time"

	"ticketrush/room"
	"ticketrush/room/draw"
)

// edge is one edge's process: the product's Edge, a clock that is wrong, and a way to the owner.
type edge struct {
	w      *World
	name   string
	room   *room.Edge
	offset time.Duration // of its clock
	drift  float64       // of its clock, per second
	up     bool
	cut    bool // off from the owner
	runs   int  // processes so far
	asked  int  // syncs so far, to tell a late answer
	ranker *draw.Ranker
}

func newEdge(w *World, n int) *edge {
	e := &edge{
		w: w, name: fmt.Sprintf("edge-%d", n), offset: time.Duration(w.rng.Int64N(int64(time.Minute))) - 30*time.Second,
		drift: (w.rng.Float64() - 0.5) * 200e-6,
	}
	e.start()
	return e
}

// clock is the time as the edge's machine has it.
func (e *edge) clock() time.Time {
	passed := time.Duration(e.w.now) * time.Millisecond
	return epoch.Add(passed + time.Duration(float64(passed)*e.drift) + e.offset)
}

func (e *edge) start() {
	e.up, e.ranker = true, nil
	e.runs++
	e.room = room.NewEdge(e.name, uint64(e.clock().UnixNano()), e.clock())
}

// drawn is the rank that the draw gave to somebody of the lobby; 0 before it is known here.
func (e *edge) drawn(p *person) uint64 {
	if e.ranker == nil {
		d := e.room.Draw()
		if d == nil || d.Drawn == nil {
			return 0
		}
		e.ranker = draw.NewRanker(d.Drawn.Seed)
	}
	return e.ranker.Rank(draw.Tid(p.tid()))
}

// sync reports to the owner and takes its answer, all the time.
func (e *edge) sync() {
	w, run := e.w, e.runs
	if !e.up {
		return
	}
	e.asked++
	asked, sent := e.asked, e.clock()
	again := func() {
		if e.up && e.runs == run && e.asked == asked {
			e.sync()
		}
	}
	w.after(1000, again) // no answer
	p := e.room.Report(sent)
	text, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	if e.cut {
		return
	}
	w.after(w.hop(), func() {
		if e.cut || !w.owner.up {
			return
		}
		var told room.Report
		if err := json.Unmarshal(text, &told); err != nil {
			panic(err)
		}
		w.owner.sync(&told, func(answer []byte) {
			w.after(w.hop(), func() {
				if e.cut || !e.up || e.runs != run || e.asked != asked {
					return
				}
				e.took(sent, &p, answer)
				w.after(ms(e.room.NextSync(e.clock())), again)
			})
		})
	})
}

func (e *edge) took(sent time.Time, p *room.Report, answer []byte) {
	var a room.Answer
	if err := json.Unmarshal(answer, &a); err != nil {
		panic(err)
	}
	if e.w.cfg.Wrong == StampsOwnTime {
		a.Now = (sent.UnixMilli() + e.clock().UnixMilli()) / 2
	}
	e.room.Took(sent, e.clock(), p, &a)
}

// restart ends the process; another one comes after a while.
func (e *edge) restart(down moment) {
	if !e.up {
		return
	}
	e.up = false
	e.w.check.faults["edge restarted"]++
	e.w.after(down, e.again)
}

func (e *edge) again() {
	e.start()
	e.sync()
}

// cutOff takes the way to the owner away for a while.
func (e *edge) cutOff(d moment) {
	if e.cut {
		return
	}
	e.cut = true
	e.w.check.faults["edge cut off"]++
	e.w.after(d, func() { e.cut = false })
}
