package rooms

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"ticketrush/client"
)

// listWait is how long another node may take to say which rooms it has.
const listWait = 500 * time.Millisecond

// serveList lists all rooms, or those here.
func (r *Rooms) serveList(w http.ResponseWriter, req *http.Request) {
	switch {
	case req.Method != http.MethodGet:
		refuse(w, client.ErrRoomRequest)
	case req.URL.Query().Get("here") != "":
		say(w, http.StatusOK, r.listHere())
	default:
		all, err := r.List(req.Context())
		if err != nil {
			r.log.Debug("the rooms could not be listed", "error", err)
			again(w)
			return
		}
		say(w, http.StatusOK, all)
	}
}

func (r *Rooms) listHere() []client.RoomState {
	all := []client.RoomState{}
	for _, t := range r.here() {
		all = append(all, t.state())
	}
	return sorted(all)
}

func sorted(all []client.RoomState) []client.RoomState {
	slices.SortFunc(all, func(a, b client.RoomState) int { return cmp.Compare(a.Room, b.Room) })
	return all
}

// List tells of all rooms, by name, each as its owner sees it. Of one whose owner does not answer only what the ledger has is told.
func (r *Rooms) List(ctx context.Context) ([]client.RoomState, error) {
	rows, err := r.node.Ledger().Rooms(ctx)
	if err != nil {
		return nil, err
	}
	others := r.node.Others()
	heard := make([][]client.RoomState, len(others)+1)
	heard[len(others)] = r.listHere()
	var calls sync.WaitGroup
	for i, other := range others {
		calls.Go(func() {
			if err := r.node.Ask(ctx, other, client.RoomsPath+"?here=1", &heard[i], listWait); err != nil {
				r.log.Debug("a node did not say which rooms it has", "node", other.NodeID, "error", err)
			}
		})
	}
	calls.Wait()
	known := map[string]client.RoomState{}
	for _, state := range slices.Concat(heard...) {
		if state.Epoch >= known[state.Room].Epoch { // of two who believe to own it the later one does
			known[state.Room] = state
		}
	}
	all := make([]client.RoomState, 0, len(rows))
	for _, row := range rows {
		state, ok := known[row.Name]
		if !ok {
			state = client.RoomState{Room: row.Name, Number: row.Number, Partition: row.Part, Edition: uint16(row.Edition), NotReady: "its owner does not answer"}
			_ = json.Unmarshal(row.Settings, &state.Settings) // who runs it says what is wrong with them
		}
		all = append(all, state)
	}
	return sorted(all), nil
}
