// Package host drives a room.Room: it stores what the room decides, batch by batch, before anybody hears of it, and does the work of the draw.
//
// One Host is the owner of one room for a while: on a lone edge for the life of the process, on a stockd node as long as the node owns the room's
// partition. Owner is what edges ask; Host answers it directly, a stockd client over HTTP.
//
//	edge ── Sync, Claim, Renew, Leave, Ban, Change ──► Host ──(batch)──► Store
//	                                                     └── answers only what Store has taken
//
// Every change is in a batch; a batch is stored again, with the same bytes, until it is taken or the Store says that somebody else owns the room
// (ErrLost). Then the host ends, and nothing that it decided since was ever told.
package host

import (
	"context"
	"errors"
	"io"
	"time"

	"ticketrush/room"
	"ticketrush/room/draw"
)

// Why an owner does not answer.
var (
	// ErrNotReady says that the room is not read yet, that its owner is elsewhere, or that its storage takes no changes. Ask again.
	ErrNotReady = errors.New("the waiting room is not ready")
	// ErrLost is a Store's word that somebody else owns the room; it ends the host.
	ErrLost = errors.New("somebody else owns the room")
	// ErrBroken ends a host whose room has panicked. Nothing was stored that was decided since its last batch.
	ErrBroken = errors.New("the room has panicked")
	// ErrNoDraw says that there is no draw yet, or that the visitor was not in it.
	ErrNoDraw = errors.New("no draw, or the place was not in it")
)

// Claimed is the outcome of a claim.
type Claimed struct {
	Granted bool         `json:"granted"`
	Session room.Session `json:"session"`
	Moved   uint64       `json:"moved,omitempty"` // the rank that the place has from now on; 0: as before
}

// Owner is what an edge may ask of a room's owner. What an answer says is durable. Errors are those of package room, ErrNotReady, or the context's.
type Owner interface {
	// Sync reports, and brings what is new.
	Sync(ctx context.Context, report *room.Report) (*room.Answer, error)
	// Claim asks for a pass; it waits for the decision until claim.Until.
	Claim(ctx context.Context, claim room.Claim) (Claimed, error)
	// Renew gives a living pass a new life, of the room's usual one where life is 0.
	Renew(ctx context.Context, tid room.Tid, renewal uint16, life time.Duration) (room.Session, error)
	// Leave ends a living pass; for somebody who is not inside it does nothing.
	Leave(ctx context.Context, tid room.Tid) error
	// Ban ends a visitor's admission, and refuses their claims until then.
	Ban(ctx context.Context, tid room.Tid, until time.Time) error
	// Redeem gives a visitor a place of the priority class, for an access code that may be used so often.
	Redeem(ctx context.Context, tid room.Tid, serial uint32, uses int) (rank uint64, err error)
	// Offer has a place wait for whoever shows a code, and gives how long; with look it only says whether it still waits. See room.Room.Offer.
	Offer(ctx context.Context, place room.Place, code room.Digest, look bool) (left time.Duration, err error)
	// Handover gives the place that waits for a code to the taker; asked again by the same one it gives the same. See room.Room.Handover.
	Handover(ctx context.Context, code, taker room.Digest) (room.Place, error)
	// IssueCodes takes the serial numbers of n more access codes, and gives the first.
	IssueCodes(ctx context.Context, n uint32, reason string) (first uint32, err error)
	// Receipt gives the proof of a place that was drawn, or ErrNoDraw.
	Receipt(ctx context.Context, tid room.Tid) (*draw.Receipt, error)
	// Log gives a part of the room's transparency log, by its path: "checkpoint", "tile/…" as package openlog has them; or ErrNoLog.
	Log(ctx context.Context, path string) ([]byte, error)
	// Drawn writes the whole draw, as package draw's file, or gives ErrNoDraw before anything is written.
	Drawn(ctx context.Context, w io.Writer) error
	// Change carries out what ops ask for.
	Change(ctx context.Context, change Change) error
}

// Store keeps a room: a snapshot, the batches after it, and the lobby's list. All of it is under a fence: a Store whose owner was replaced refuses.
type Store interface {
	// Load gives what is stored; found is false for a room that never was.
	Load(ctx context.Context) (snapshot room.State, batches []room.Batch, found bool, err error)
	// LoadLobby gives the tids of all batches of the present edition, in their order.
	LoadLobby(ctx context.Context, edition uint16, each func(room.Tids) error) error
	// ReadLog gives the entries of the transparency log from index from up to, and without, index to: those of all batches, in their order, as far as there
	// are any. Anybody may call it, at any time after Load.
	ReadLog(ctx context.Context, from, to int64) ([][]byte, error)
	// Append makes a batch durable, with its part of the lobby's list and of the log. It may be called again with the same batch.
	Append(ctx context.Context, edition uint16, batch *room.Batch) error
	// Compact stores a snapshot; batches up to it are not needed any more, but for their tids and their part of the log.
	Compact(ctx context.Context, snapshot *room.State) error
	// Due says that so much was appended since the last snapshot that one should be made.
	Due() bool
}
