package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/merkle"
	"ticketrush/room/openlog"
)

// ErrNoLog says that the room's log has no such part.
var ErrNoLog = errors.New("the room's log has no such part")

// LogOrigin names a room's log in its checkpoints, and the key that signs them. Rooms of one name are told apart by their keys.
func LogOrigin(name string) string { return "ticketrush/room/" + name }

// whyMax bounds the reason of an entry, bytes: a room's log is read by everybody, for ever.
const whyMax = 300

// logbook writes what a room does into its transparency log. Entries follow from a batch and nothing else, and are stored with it: so a batch that
// is sent again has the same, and there is none of something that was never stored.
type logbook struct {
	room   string
	log    *openlog.Log
	stored openlog.State // as of the last batch that is stored
}

// loadLog brings the room's log back, from where the snapshot has it to its end.
func (h *Host) loadLog(ctx context.Context, r *room.Room) error {
	log, err := openlog.Restore(r.Log())
	if err != nil {
		return err
	}
	for {
		entries, err := h.opt.Store.ReadLog(ctx, log.Size(), log.Size()+logAtOnce)
		if err != nil {
			return fmt.Errorf("read the room's log: %w", err)
		}
		for _, entry := range entries {
			if _, _, err := log.Append(entry); err != nil {
				return fmt.Errorf("read the room's log: %w", err)
			}
		}
		if len(entries) < logAtOnce {
			break
		}
	}
	h.book = logbook{room: h.opt.Name, log: log, stored: log.State()}
	return nil
}

// logAtOnce is how many entries are read at once.
const logAtOnce = 256

// entry is one of the log; the members beside the head are those of its kind.
type entry struct {
	openlog.Head
	Room       string             `json:"room,omitempty"`       // commit
	Rule       string             `json:"rule,omitempty"`       // commit
	Commitment *draw.Hash         `json:"commitment,omitempty"` // commit
	Beacon     any                `json:"beacon,omitempty"`     // commit: the agreed source; draw: its value
	Opens      *time.Time         `json:"opens,omitempty"`      // commit of a room with a lobby, edition of a schedule, schedule
	Ends       *time.Time         `json:"ends,omitempty"`       // schedule
	LobbyS     int64              `json:"lobby_s,omitempty"`    // schedule: for how long before the opening
	EveryS     int64              `json:"every_s,omitempty"`    // schedule
	Until      *time.Time         `json:"until,omitempty"`      // ban
	Root       *draw.Hash         `json:"root,omitempty"`       // seal
	Count      *int64             `json:"count,omitempty"`      // seal: of the places; codes: so many more
	Source     string             `json:"source,omitempty"`     // seal
	Round      uint64             `json:"round,omitempty"`      // seal
	Secret     *draw.Secret       `json:"secret,omitempty"`     // draw
	Seed       *draw.Hash         `json:"seed,omitempty"`       // draw
	Frontier   *openlog.Frontiers `json:"frontier,omitempty"`
	Rate       float64            `json:"rate,omitempty"`       // rate, passes per second
	MaxActive  int                `json:"max_active,omitempty"` // rate
	Serial     *uint32            `json:"serial,omitempty"`     // code_revoked, grant: of the access code
	Rank       uint64             `json:"rank,omitempty,string"`
	Tid        *room.Tid          `json:"tid,omitempty"` // late
}

// write adds to a batch the entries of what it does. edition is the room's after the batch.
func (b *logbook) write(batch *room.Batch, set room.Settings, edition uint16) error {
	for i := range batch.Records {
		if begins(&batch.Records[i]) {
			edition--
		}
	}
	at := time.UnixMilli(batch.At).UTC()
	for i := range batch.Records {
		r := &batch.Records[i]
		if begins(r) {
			edition++
		}
		if i+1 < len(batch.Records) && follows(r, &batch.Records[i+1]) {
			continue // the next one says where the frontier is
		}
		e := entry{Head: openlog.Head{N: b.log.Size(), At: at, Edition: edition, Why: bounded(r.Reason)}}
		if !e.take(b.room, r, set) {
			continue
		}
		text, err := json.Marshal(e)
		if err == nil {
			_, _, err = b.log.Append(text)
		}
		if err != nil {
			return fmt.Errorf("write the room's log: %w", err)
		}
		batch.Log = append(batch.Log, text)
	}
	return nil
}

// begins says whether a record begins an edition.
func begins(r *room.Record) bool {
	return r.Kind == room.KindEdition || r.Kind == room.KindOccurrence && r.Base != 0
}

// follows says whether two moves of the frontier are one: of the same tick, for the same reason.
func follows(r, next *room.Record) bool {
	return r.Kind == room.KindFrontier && next.Kind == room.KindFrontier && r.Reason == next.Reason
}

// bounded cuts a reason off where it is too long.
func bounded(why string) string {
	if len(why) <= whyMax {
		return strings.ToValidUTF8(why, "")
	}
	return strings.ToValidUTF8(why[:whyMax], "") + "…"
}

// take fills an entry from a record; false when the record is none of the public's business, or says nothing new.
func (e *entry) take(name string, r *room.Record, set room.Settings) bool {
	switch r.Kind {
	case room.KindCommit:
		e.Kind, e.Room, e.Rule, e.Commitment = openlog.KindCommit, name, draw.Rule, r.Draw.Commitment
		if set.Beacon != "" {
			e.Beacon = set.Beacon
		}
		if !set.OpensAt.IsZero() && set.Every == 0 {
			opens := set.OpensAt.UTC()
			e.Opens = &opens
		}
	case room.KindSeal:
		seal := *r.Draw.Sealed
		e.Kind, e.Root, e.Count, e.Source, e.Round = openlog.KindSeal, &seal.Root, &seal.Count, sourceOf(seal.Beacon), seal.Round
	case room.KindDraw:
		drawn := *r.Draw.Drawn
		e.Kind, e.Secret, e.Seed, e.Beacon = openlog.KindDraw, &drawn.Secret, &drawn.Seed, drawn.Beacon
	case room.KindFrontier:
		e.Kind, e.Frontier = openlog.KindFrontier, &openlog.Frontiers{Main: r.Frontier[room.GroupMain], Slow: r.Frontier[room.GroupSlow]}
		if e.Why == "" {
			e.Why = "rate"
		}
	case room.KindLimits:
		e.Kind, e.Rate, e.MaxActive = openlog.KindRate, r.Limits.Rate, r.Limits.MaxActive
	case room.KindTimes:
		e.Kind, e.Opens, e.Ends, e.LobbyS, e.EveryS = openlog.KindSchedule, moment(r.Times.Opens), moment(r.Times.Ends), r.Times.Lobby/1000, r.Times.Every/1000
	case room.KindBan:
		// Who it is is between them and the site: everybody may see how many there are, and whoever is banned that it is there.
		e.Kind, e.Until, e.Why = openlog.KindBan, moment(r.Until), "the site"
	case room.KindPause, room.KindResume, room.KindEnd, room.KindPassthrough, room.KindEnforce:
		e.Kind = openlog.Kind(r.Kind)
	case room.KindEdition:
		e.Kind = openlog.KindEdition
	case room.KindOccurrence:
		opens := time.UnixMilli(r.Opens).UTC()
		e.Kind, e.Why, e.Opens = openlog.KindEdition, "the schedule", &opens
		return r.Base != 0
	case room.KindCodes:
		n := int64(r.Count)
		e.Kind, e.Count = openlog.KindCodes, &n
	case room.KindCodeRevoked:
		e.Kind, e.Serial = openlog.KindCodeRevoked, &r.Serial
	case room.KindRedeem:
		e.Kind, e.Serial, e.Rank, e.Why = openlog.KindGrant, &r.Serial, r.Rank, "an access code"
	case room.KindLate:
		e.Kind, e.Tid, e.Rank, e.Why = openlog.KindLate, r.Tid, r.Rank, "not in the sealed list"
	default:
		return false
	}
	return true
}

// moment gives a time of a record; nil where there is none.
func moment(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	at := time.UnixMilli(ms).UTC()
	return &at
}

// stamp says that all that was written is stored. A draw that is among it will be published with the log as it is now: whoever asks for a checkpoint after
// they have seen the draw gets one that is not older. The caller holds the lock.
func (h *Host) stamp() {
	b := &h.book
	b.stored = b.log.State()
	if h.draw.log == nil && h.room.Drawn() != nil {
		h.draw.log = &draw.LogHead{Size: b.stored.Size, Root: b.stored.Root()}
	}
}

// storedLog reads the entries that are stored.
type storedLog struct{ store Store }

// logPatience bounds one reading of entries.
const logPatience = 5 * time.Second

// ReadEntries implements openlog.Entries.
func (s storedLog) ReadEntries(from, to int64) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), logPatience)
	defer cancel()
	return s.store.ReadLog(ctx, from, to)
}

// note adds to a batch that was just taken what the log has to say of it. Who has the room calls it.
func (h *Host) note(r *room.Room, batch *room.Batch, set room.Settings) error {
	if err := h.book.write(batch, set, r.Edition()); err != nil {
		return err
	}
	r.Logged(h.book.log.State())
	return nil
}

// Log implements Owner.
func (h *Host) Log(_ context.Context, path string) ([]byte, error) {
	var stored openlog.State
	if _, err := h.act(func(*room.Room) error { stored = h.book.stored.Clone(); return nil }); err != nil {
		return nil, err
	}
	if path == "checkpoint" {
		return h.checkpoint(&stored)
	}
	text, err := h.tiles.Serve(path, stored.Size)
	switch {
	case errors.Is(err, openlog.ErrNoTile):
		return nil, fmt.Errorf("%w: %q", ErrNoLog, path)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return text, nil
}

func (h *Host) checkpoint(stored *merkle.Edge) ([]byte, error) {
	origin := LogOrigin(h.opt.Name)
	signer, err := openlog.NewSigner(origin, h.opt.LogKey)
	if err != nil {
		return nil, err
	}
	return openlog.Checkpoint{Origin: origin, Size: stored.Size, Root: stored.Root()}.Sign(signer)
}

// sourceOf names the source of a draw's beacon as the draw does.
func sourceOf(beacon string) string {
	if room.IsRelay(beacon) {
		return draw.QuicknetSource
	}
	return beacon
}
