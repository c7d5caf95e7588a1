package serve

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/client"
	"ticketrush/stockd/admin"
	"ticketrush/stockd/config"
	"ticketrush/stockd/node"
	"ticketrush/stockd/rooms"
	"ticketrush/stockd/shed"
)

// waiting are the waiting rooms of a node, with the gate whose state tells them how it works.
type waiting struct {
	rooms *rooms.Rooms
	gate  *shed.Gate
	began time.Time // the gate's clock counts from here
}

// newWaiting makes the waiting rooms of a node that is opened and not started.
func newWaiting(c config.Config, s config.Secrets, log *slog.Logger, registry prometheus.Registerer, n *node.Node) (*waiting, error) {
	w := &waiting{began: time.Now()}
	var err error
	if w.gate, err = shed.New(shed.Config{Work: c.WorkMax, Reads: c.WorkMax, Target: time.Duration(c.ShedTarget)}); err != nil {
		return nil, err
	}
	if w.rooms, err = rooms.New(rooms.Config{Node: n, Keys: s.Rooms, Strain: w.strain, Log: log, Registry: registry}); err != nil {
		return nil, err
	}
	n.Attach(w.rooms)
	return w, nil
}

// shedStrain is what it means that somebody with work is refused: rooms with an automatic rate let fewer in from there on.
const shedStrain = 0.8

// strain is how hard the public API works: 0 while everybody with work is let in, else shedStrain and more, the smaller the share that is.
func (w *waiting) strain() (most float64) {
	n := w.gate.Numbers(time.Since(w.began))
	for _, class := range []shed.Class{shed.Hold, shed.Look, shed.Buy} {
		if share := n.Share[class]; share < 1 {
			most = max(most, shedStrain+(1-shedStrain)*(1-share))
		}
	}
	return most
}

// adminRoom is a room as the admin page draws it.
func adminRoom(s client.RoomState) admin.Room {
	out := admin.Room{
		Name: s.Room, State: string(s.Phase), Owner: s.Owner, Waiting: int64(s.Waiting), Inside: int64(s.Inside), MaxActive: int64(s.MaxActive), Rate: s.Rate,
		Admitted: s.Admitted, Why: s.NotReady,
	}
	if s.Settings.Auto && out.Why == "" {
		out.Why = "automatic"
	}
	return out
}
