package rooms

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/pass"
	"ticketrush/room"
)

// serveEnter creates a room, or says in what the one that is there differs.
func (r *Rooms) serveEnter(w http.ResponseWriter, a *ask) {
	var in client.RoomEnter
	if err := a.read(&in); err != nil {
		refuse(w, err)
		return
	}
	if err := in.Settings.WithDefaults().Validate(); err != nil {
		refuse(w, fmt.Errorf("%w: %w", client.ErrRoomSettings, err))
		return
	}
	text, err := json.Marshal(in.Settings)
	if err != nil {
		refuse(w, fmt.Errorf("%w: %w", client.ErrRoomSettings, err))
		return
	}
	row, created, err := r.node.Ledger().RoomEnter(a.Context(), ledger.Room{Name: a.name, Number: pass.RoomNumber(a.name), Part: int32(a.part), Settings: text})
	switch {
	case errors.Is(err, ledger.ErrExists):
		refuse(w, fmt.Errorf("%w: another room has the number that the name %q gives; choose another name", client.ErrRoomSettings, a.name))
		return
	case err != nil:
		r.log.Warn("a room could not be entered", "room", a.name, "error", err)
		again(w)
		return
	}
	out := client.RoomEntered{Number: row.Number, Created: created}
	if err := json.Unmarshal(row.Settings, &out.Settings); err != nil {
		refuse(w, fmt.Errorf("%w: those in the ledger are malformed: %w", client.ErrRoomSettings, err))
		return
	}
	if out.Differences = differences(in.Settings, out.Settings); created {
		r.log.Info("a room was entered", "room", a.name, "partition", a.part)
	}
	if err := r.begin(row); err != nil {
		r.log.Warn("a room could not be begun", "room", a.name, "error", err)
	}
	say(w, http.StatusOK, out)
}

// differences says where settings do not mean the same.
func differences(asked, inForce room.Settings) (all []client.RoomDifference) {
	a, b := members(asked.WithDefaults()), members(inForce.WithDefaults())
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if string(a[name]) != string(b[name]) {
			all = append(all, client.RoomDifference{Setting: name, Asked: string(a[name]), InForce: string(b[name])})
		}
	}
	return all
}

// members are settings by name, each as JSON; one moment is written in one way. Nothing that is left out is there.
func members(set room.Settings) (all map[string]json.RawMessage) {
	set.OpensAt, set.EndsAt = set.OpensAt.UTC(), set.EndsAt.UTC()
	text, err := json.Marshal(set)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil // settings come from JSON
	}
	return all
}
