package crowd

// faults lets things go wrong: a course that has each of them at the moment when it hurts most, and after it one every few seconds by chance.
func (w *World) faults() {
	opens := w.opening()
	w.after(opens/3, func() { w.edges[0].restart(4000) })
	w.after(opens*2/3, func() { w.owner.kill(w.takeOver()) })
	// An edge that is cut off while the list is sealed: those who came to it in its last seconds are not in the draw.
	w.after(opens-12_000, func() { w.edges[len(w.edges)-1].cutOff(20_000) })
	w.after(opens+1500, func() { w.owner.kill(w.takeOver()) }) // with the flood
	w.after(opens+4000, func() { w.edges[len(w.edges)/2].cutOff(8000) })
	w.after(opens+9000, func() { w.edges[len(w.edges)/3].restart(3000) })
	w.after(opens+20_000, w.mishap)
}

// takeOver is how long the room has no owner: after a crash its session has to end first.
func (w *World) takeOver() moment { return w.between(200, 4000) }

func (w *World) mishap() {
	e := w.edges[w.rng.IntN(len(w.edges))]
	switch w.rng.IntN(5) {
	case 0:
		w.owner.kill(w.takeOver())
	case 1:
		e.restart(w.between(1000, 10_000))
	case 2:
		e.cutOff(w.between(500, 30_000))
	case 3:
		if w.owner.up {
			w.check.faults["paused and resumed"]++
			w.owner.room.Pause(w.now.time(), "simulated")
			w.after(w.between(500, 5000), func() {
				if w.owner.up {
					w.owner.room.Resume(w.now.time(), "simulated")
				} else {
					w.check.paused = true
				}
			})
		}
	case 4:
		if w.owner.up && w.left > 0 {
			w.check.faults["opened by hand"]++
			w.owner.room.OpenPlaces(w.now.time(), uint64(w.cfg.Rate), "simulated")
		}
	}
	w.after(w.between(8000, 25_000), w.mishap)
}
