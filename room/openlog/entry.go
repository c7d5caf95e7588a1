package openlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"ticketrush/room/draw"
)

// EntryMax bounds an entry, in bytes, kindMax the name of its kind.
const (
	EntryMax = 4 << 10
	kindMax  = 32
)

// Kind says what an entry is about.
type Kind string

// The kinds. Of the first four this package knows the fields; of the others the room's owner does.
const (
	KindCommit   Kind = "commit"   // Commit: the room is configured, C and the rule are published
	KindSeal     Kind = "seal"     // Seal: the lobby is closed
	KindDraw     Kind = "draw"     // Draw: S and the seed
	KindFrontier Kind = "frontier" // Frontier: people become eligible
	KindRate     Kind = "rate"     // the rate or the limits were set
	KindPause    Kind = "pause"
	KindResume   Kind = "resume"
	KindEnd      Kind = "end"
	KindEdition  Kind = "edition" // a new edition voids all places
	KindGrant    Kind = "grant"   // a place by hand
	KindLate     Kind = "late"    // a lobby token that came too late for the seal, now first of the arrivals

	KindCodes       Kind = "codes"        // so many more access codes were issued
	KindCodeRevoked Kind = "code_revoked" // one of them opens no more places
	KindSchedule    Kind = "schedule"     // opening, lobby, end or repetition were set
	KindBan         Kind = "ban"          // the site ended somebody's admission, and keeps them out for some time
	KindPassthrough Kind = "passthrough"  // the edges hold nobody back
	KindEnforce     Kind = "enforce"      // they do again
)

// Head is what every entry has.
type Head struct {
	N       int64     `json:"n"` // index in the log, from 0 on
	At      time.Time `json:"at"`
	Kind    Kind      `json:"kind"`
	Edition uint16    `json:"edition"`
	Why     string    `json:"why,omitempty"`
}

// Commit is the entry of a commitment. There is one for each edition that has a draw.
type Commit struct {
	Head
	Room       string    `json:"room"`
	Rule       string    `json:"rule"`
	Commitment draw.Hash `json:"commitment"`
}

// Seal is the entry of a sealed list. Source and Round name the beacon that the draw will use; empty in the mode "operator".
type Seal struct {
	Head
	Root   draw.Hash `json:"root"`
	Count  int64     `json:"count"`
	Source string    `json:"source,omitempty"`
	Round  uint64    `json:"round,omitempty"`
}

// Draw is the entry of a draw.
type Draw struct {
	Head
	Secret draw.Secret `json:"secret"`
	Beacon draw.Beacon `json:"beacon"`
	Seed   draw.Hash   `json:"seed"`
}

// Frontier is the entry of a move: the ranks up to which people are eligible, of the line and of the slow lane. As JSON they are decimal text.
type Frontier struct {
	Head
	Frontier Frontiers `json:"frontier"`
}

// Frontiers has a rank for each group.
type Frontiers struct {
	Main uint64 `json:"main,string"`
	Slow uint64 `json:"slow,string"`
}

// ErrEntry is returned for bytes that are no entry.
var ErrEntry = errors.New("openlog: not an entry")

// checkEntry reads the head of an entry that has to be number n.
func checkEntry(entry []byte, n int64) (head Head, err error) {
	wrong := func(format string, args ...any) (Head, error) {
		return Head{}, fmt.Errorf("%w: %s", ErrEntry, fmt.Sprintf(format, args...))
	}
	switch {
	case len(entry) > EntryMax:
		return wrong("it has %d bytes, at most %d", len(entry), EntryMax)
	case bytes.ContainsAny(entry, "\r\n") || !utf8.Valid(entry):
		return wrong("it is not one line of UTF-8")
	case len(entry) == 0 || entry[0] != '{':
		return wrong("it is not a JSON object")
	}
	head.N = -1
	if err := json.Unmarshal(entry, &head); err != nil {
		return wrong("%v", err)
	}
	if head.N != n {
		return wrong(`"n" is %d, its index is %d`, head.N, n)
	}
	if head.Kind == "" || len(head.Kind) > kindMax {
		return wrong(`its "kind" must have 1 to %d bytes`, kindMax)
	}
	return head, nil
}
