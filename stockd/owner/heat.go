package owner

import "time"

// heat tells whether a partition is in the first minutes of a rush. A move costs everybody who asks for it meanwhile a part of a second, so it
// then stays where it is, as far as balance goes; a sale that goes on for longer does not keep the cluster lopsided.
type heat struct {
	window time.Duration // when the window began that is being counted
	count  int           // operations of it
	since  time.Duration // when the rush began
	last   time.Duration // the end of its last hot window
	rush   bool
}

const (
	heatWindow = time.Second      // HotRate is per second
	heatCools  = 30 * time.Second // a rush that has been quiet for so long is over: the next one is a new one
)

// note counts an operation of somebody who asked for it.
func (h *heat) note(now time.Duration, rate int) {
	h.roll(now, rate)
	h.count++
}

// roll judges the window when it is over. Nothing is counted after its end, however late that is noticed.
func (h *heat) roll(now time.Duration, rate int) {
	if now-h.window < heatWindow {
		return
	}
	if h.count >= rate {
		if !h.rush || h.window-h.last > heatCools {
			h.rush, h.since = true, h.window
		}
		h.last = h.window + heatWindow
	}
	h.window, h.count = now, 0
}

// stays is whether a rush began within the last of the minutes in which a partition does not move.
func (h *heat) stays(now time.Duration, rate int, stay time.Duration) bool {
	h.roll(now, rate)
	return h.rush && now-h.last <= heatCools && now-h.since < stay
}
