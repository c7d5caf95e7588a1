package host

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/openlog"
)

// write gives the entries that a new logbook makes of records, as JSON objects.
func write(t *testing.T, edition uint16, records ...room.Record) (entries []map[string]any, raw [][]byte) {
	t.Helper()
	book := logbook{room: "spring", log: &openlog.Log{}}
	batch := room.Batch{Seq: 7, At: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC).UnixMilli(), Records: records}
	if err := book.write(&batch, room.Settings{Beacon: "https://relay.example"}, edition); err != nil {
		t.Fatal(err)
	}
	for _, text := range batch.Log {
		var e map[string]any
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	if book.log.Size() != int64(len(batch.Log)) {
		t.Errorf("%d entries in the tree, %d in the batch", book.log.Size(), len(batch.Log))
	}
	return entries, batch.Log
}

func move(main uint64, why string) room.Record {
	return room.Record{Kind: room.KindFrontier, Frontier: &[2]uint64{main, 9}, Reason: why}
}

// What is of one tick and one reason is one entry; each has the edition that it belongs to, and none has what is nobody's business.
func TestABatchIsWrittenDown(t *testing.T) {
	t.Parallel()
	secret := draw.Secret{1, 2, 3}
	commitment := secret.Commitment()
	tid := room.Tid{5}
	entries, raw := write(t, 3,
		move(10, ""), move(20, ""), move(30, "manual: by hand"), move(40, "pressure"),
		room.Record{Kind: room.KindGrant, Tid: &tid, Session: &room.Session{}},
		room.Record{Kind: room.KindBan, Tid: &tid, Until: 5},
		room.Record{Kind: room.KindEdition, Base: 1, Reason: "again"},
		room.Record{Kind: room.KindCommit, Draw: &room.Lottery{Secret: &secret, Commitment: &commitment}},
		room.Record{Kind: room.KindOccurrence, Opens: 2},
		room.Record{Kind: room.KindOccurrence, Opens: 3, Base: 4},
		room.Record{Kind: room.KindSeal, Draw: &room.Lottery{Sealed: &room.Seal{Count: 12, Beacon: "https://api.drand.sh", Round: 99}}},
		room.Record{Kind: room.KindLate, Tid: &tid, Rank: 1 << 62},
		room.Record{Kind: room.KindTimes, Times: &room.Times{Opens: 7, Lobby: 60_000, Every: 120_000}, Reason: "configuration"},
	)
	want := []struct {
		kind    openlog.Kind
		edition float64
		why     any
	}{
		{openlog.KindFrontier, 1, "rate"}, {openlog.KindFrontier, 1, "manual: by hand"}, {openlog.KindFrontier, 1, "pressure"},
		{openlog.KindBan, 1, "the site"}, {openlog.KindEdition, 2, "again"},
		{openlog.KindCommit, 2, nil}, {openlog.KindEdition, 3, "the schedule"}, {openlog.KindSeal, 3, nil}, {openlog.KindLate, 3, "not in the sealed list"},
		{openlog.KindSchedule, 3, "configuration"},
	}
	if len(entries) != len(want) {
		t.Fatalf("%d entries, want %d: %s", len(entries), len(want), raw)
	}
	for i, w := range want {
		e := entries[i]
		if e["kind"] != string(w.kind) || e["edition"] != w.edition || e["why"] != w.why || e["n"] != float64(i) || e["at"] != "2026-12-01T09:00:00Z" {
			t.Errorf("entry %d: %s, want %v", i, raw[i], w)
		}
	}
	if f := entries[0]["frontier"].(map[string]any); f["main"] != "20" || f["slow"] != "9" {
		t.Errorf("two moves of one tick: %v", f)
	}
	if e := entries[3]; e["until"] != "1970-01-01T00:00:00.005Z" || e["tid"] != nil {
		t.Errorf("a ban: %v", e)
	}
	if e := entries[9]; e["opens"] != "1970-01-01T00:00:00.007Z" || e["lobby_s"] != 60.0 || e["every_s"] != 120.0 || e["ends"] != nil {
		t.Errorf("a schedule: %v", e)
	}
	if entries[6]["opens"] != "1970-01-01T00:00:00.003Z" {
		t.Errorf("an occurrence: %v", entries[6])
	}
	if e := entries[7]; e["source"] != draw.QuicknetSource || e["round"] != 99.0 || e["count"] != 12.0 {
		t.Errorf("the seal: %v", e)
	}
	for _, text := range raw {
		if hidden, _ := secret.MarshalText(); strings.Contains(string(text), string(hidden)) {
			t.Errorf("the secret is told before the draw: %s", text)
		}
	}
}

func TestAReasonIsBounded(t *testing.T) {
	t.Parallel()
	for _, why := range []string{strings.Repeat("é", 400), "a\xff" + strings.Repeat("x", 400), "\xff"} {
		entries, raw := write(t, 1, room.Record{Kind: room.KindPause, Reason: why})
		if len(raw) != 1 || len(raw[0]) > 2*whyMax || !utf8.Valid(raw[0]) {
			t.Errorf("%q: %s", why[:2], raw)
		}
		if got, _ := entries[0]["why"].(string); strings.ContainsRune(got, utf8.RuneError) {
			t.Errorf("%q became %q", why[:2], got)
		}
	}
}

// What the log grows by at most: the frontier moves four times a second.
func TestHowFastTheLogGrows(t *testing.T) {
	t.Parallel()
	_, raw := write(t, 1, move(4611686041772886017, "manual: by hand"), move(4611686041772886018, ""))
	size := len(raw[1])
	t.Logf("a move of the frontier is an entry of %d bytes: at four a second %.1f MB an hour", size, float64(size)*4*3600/1e6)
	if size > 200 {
		t.Errorf("a move of the frontier is an entry of %d bytes", size)
	}
}
