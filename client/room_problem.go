package client

import (
	"errors"
	"net/http"

	"ticketrush/room"
	"ticketrush/room/host"
)

// Refusals that concern a room as a whole.
var (
	// ErrNoRoom says that no room of this name was ever entered.
	ErrNoRoom = errors.New("there is no waiting room of this name")
	// ErrRoomSettings says that settings cannot work; the text says why.
	ErrRoomSettings = errors.New("the settings of the waiting room are wrong")
	// ErrRoomKeys says that the nodes have no keys for rooms: the setting room_keys_file.
	ErrRoomKeys = errors.New("stockd has no room_keys_file, and runs no waiting rooms without")
	// ErrRoomRequest says that stockd does not understand the request: it is of another version, perhaps.
	ErrRoomRequest = errors.New("stockd does not understand the request about a waiting room")
)

// RoomProblem is a refusal as it travels.
type RoomProblem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// roomProblems are the codes of refusals. They never change their meaning.
var roomProblems = []struct {
	code   string
	status int
	err    error
}{
	{"edge-twice", http.StatusConflict, room.ErrEdgeTwice},
	{"edges-full", http.StatusConflict, room.ErrEdgesFull},
	{"not-inside", http.StatusConflict, room.ErrNotInside},
	{"old-pass", http.StatusConflict, room.ErrOldPass},
	{"banned", http.StatusConflict, room.ErrBanned},
	{"stay", http.StatusConflict, room.ErrStay},
	{"code-used", http.StatusConflict, room.ErrCodeUsed},
	{"code-revoked", http.StatusConflict, room.ErrCodeRevoked},
	{"code-unknown", http.StatusConflict, room.ErrCodeUnknown},
	{"handed-over", http.StatusConflict, room.ErrHandedOver},
	{"no-offer", http.StatusConflict, room.ErrNoOffer},
	{"tries", http.StatusConflict, room.ErrTries},
	{"inside", http.StatusConflict, room.ErrInside},
	{"handover-max", http.StatusConflict, room.ErrHandoverMax},
	{"offers-full", http.StatusConflict, room.ErrOffersFull},
	{"closed", http.StatusConflict, room.ErrClosed},
	{"no-draw", http.StatusNotFound, host.ErrNoDraw},
	{"no-log", http.StatusNotFound, host.ErrNoLog},
	{"report", http.StatusUnprocessableEntity, room.ErrReport},
	{"settings", http.StatusUnprocessableEntity, ErrRoomSettings},
	{"request", http.StatusBadRequest, ErrRoomRequest},
	{"no-room", http.StatusNotFound, ErrNoRoom},
	{"no-keys", http.StatusServiceUnavailable, ErrRoomKeys},
	{"not-ready", http.StatusServiceUnavailable, host.ErrNotReady},
}

// Codes of *host.InvalidChange.
const (
	codeChange = "change"
	codeAction = "action" // Unknown
)

// ProblemOf says how an error of a room's owner travels. What it does not know is host.ErrNotReady to the other side: ask again.
func ProblemOf(err error) (status int, p RoomProblem) {
	var change *host.InvalidChange
	if errors.As(err, &change) {
		code := codeChange
		if change.Unknown {
			code = codeAction
		}
		return http.StatusUnprocessableEntity, RoomProblem{code, change.Text}
	}
	for _, known := range roomProblems {
		if errors.Is(err, known.err) {
			return known.status, RoomProblem{known.code, err.Error()}
		}
	}
	return http.StatusServiceUnavailable, RoomProblem{"not-ready", host.ErrNotReady.Error()}
}

// refusal is an error of the other side: it is what it was there, and says what was said there.
type refusal struct {
	text string
	is   error
}

func (e *refusal) Error() string { return e.text }
func (e *refusal) Unwrap() error { return e.is }

// Err is the error that ProblemOf was given, as far as it travels: errors.Is and errors.As find the same. A code of a later version is
// ErrRoomRequest.
func (p RoomProblem) Err() error {
	if p.Code == codeChange || p.Code == codeAction {
		return &host.InvalidChange{Text: p.Detail, Unknown: p.Code == codeAction}
	}
	for _, known := range roomProblems {
		if p.Code == known.code {
			if p.Detail == "" || p.Detail == known.err.Error() {
				return known.err
			}
			return &refusal{p.Detail, known.err}
		}
	}
	return &refusal{ErrRoomRequest.Error() + ": " + p.Code + " " + p.Detail, ErrRoomRequest}
}
