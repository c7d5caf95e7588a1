package room

// Supply is what the driver knows of the tickets that the room leads to.
type Supply struct {
	Left      int64 // that can be had now
	Returning int64 // in holds that end soon: stock about to come back
	SoldOut   bool  // nothing is left, and nothing comes back by itself
}

// demandPerTicket is how many people are let in for each ticket that can be had: many who come do not buy, and waiting for them to say so would
// leave tickets unsold for the life of a pass.
const demandPerTicket = 3

// Supply takes what is left; nil when nobody knows. People are not called to a sale that has nothing for them, and are there when holds end: so the
// room is neither emptied onto a sold-out sale nor hit by a wave of returns.
func (r *Room) Supply(s *Supply) { r.supply = s }

// wanted is how many more people the stock can use inside; without limit where it is not known.
func (r *Room) wanted(inside float64) float64 {
	if r.supply == nil {
		return float64(r.state.Limits.MaxActive)
	}
	return demandPerTicket*float64(max(0, r.supply.Left+r.supply.Returning)) - inside
}
