package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"testing"

	"ticketrush/room"
	"ticketrush/room/host"
)

// Each refusal is the same error on the other side, with what was said of it.
func TestRoomProblemsTravel(t *testing.T) {
	t.Parallel()
	codes := map[string]bool{}
	for _, known := range roomProblems {
		for _, err := range []error{known.err, fmt.Errorf("%w: class 2", known.err)} {
			status, p := ProblemOf(err)
			text, jerr := json.Marshal(p)
			if jerr != nil {
				t.Fatal(jerr)
			}
			var there RoomProblem
			if jerr := json.Unmarshal(text, &there); jerr != nil {
				t.Fatal(jerr)
			}
			got := there.Err()
			if status != known.status || !errors.Is(got, known.err) || got.Error() != err.Error() {
				t.Errorf("%v (%d) arrives as %v (%d)", err, known.status, got, status)
			}
			for _, other := range roomProblems {
				if other.code != known.code && errors.Is(got, other.err) {
					t.Errorf("%v arrives as %v, too", err, other.err)
				}
			}
		}
		if codes[known.code] {
			t.Errorf("the code %s stands for two errors", known.code)
		}
		codes[known.code] = true
	}
	for _, unknown := range []bool{false, true} {
		_, p := ProblemOf(fmt.Errorf("change: %w", &host.InvalidChange{Text: "give a reason", Unknown: unknown}))
		var change *host.InvalidChange
		if !errors.As(p.Err(), &change) || change.Text != "give a reason" || change.Unknown != unknown {
			t.Errorf("an invalid change arrives as %v", p.Err())
		}
	}
	if status, p := ProblemOf(errors.New("anything else")); status != http.StatusServiceUnavailable || !errors.Is(p.Err(), host.ErrNotReady) {
		t.Errorf("what is not known travels as %d %+v", status, p)
	}
	if err := (RoomProblem{Code: "of-a-later-version", Detail: "hm"}).Err(); !errors.Is(err, ErrRoomRequest) {
		t.Errorf("a code of a later version is %v", err)
	}
}

// Whatever a node answers, it is an answer or one of the errors that callers know.
func FuzzRoomAnswer(f *testing.F) {
	f.Add(200, []byte(`{"granted":true,"session":{"rank":7}}`))
	f.Add(200, []byte(`{"granted":7}`))
	f.Add(409, []byte(`{"code":"banned","detail":"x"}`))
	f.Add(422, []byte(`{"code":"","detail":"x"}`))
	f.Add(503, []byte(`not JSON`))
	f.Add(502, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		var claimed host.Claimed
		resp := &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(bytes.NewReader(body))}
		err := answerOf(resp, question{out: &claimed})
		if err == nil && status >= 300 {
			t.Fatalf("a refusal with status %d is taken for an answer", status)
		}
		var change *host.InvalidChange
		known := err == nil || errors.As(err, &change)
		for _, p := range roomProblems {
			known = known || errors.Is(err, p.err)
		}
		if !known {
			t.Fatalf("an error that callers do not know: %v", err)
		}
		if err != nil && claimed.Granted && json.Valid(body) && status >= 300 {
			t.Fatal("a refusal has granted something")
		}
	})
}

// What a node answers to a sync arrives as it was, with a document and without.
func TestSyncedTravels(t *testing.T) {
	t.Parallel()
	for _, document := range [][]byte{nil, []byte("{\"a\":1}"), []byte("two\nlines\n")} {
		want := &room.Answer{Fence: 3, Now: 4, ID: 5, Edition: 6, Phase: room.PhaseOpen, Tag: "x", Document: document, Voids: []room.Void{{N: 7, Tid: room.Tid{8}}}}
		text, err := EncodeSynced(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeSynced(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v arrives as %+v, %v", want, got, err)
		}
	}
	for _, text := range []string{"", "\n{}", "{\"fence\":-1}\n", "null", "{}", `{"fence":1,"id":1,"phase":"open","now":-1}`, `{"fence":1,"id":1,"phase":"dancing"}`,
		`{"fence":1,"id":1,"phase":"open","frontier":["x",0]}`, `{"fence":1,"id":1,"phase":"open","frontier":[18446744073709551615,0]}`, `{"fence":1,"id":1,"phase":"open","lobby":{"draw":{}}}`} {
		if a, err := DecodeSynced([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, a)
		}
	}
}

// FuzzSynced: whatever is answered to a sync, it is an answer that an edge can take, and that is the same again when it is sent on, or the error that callers know.
func FuzzSynced(f *testing.F) {
	whole, err := EncodeSynced(&room.Answer{Fence: 3, Now: 4, ID: 5, Edition: 6, Phase: room.PhaseOpen, Tag: "x", Document: []byte("{}\n"), Voids: []room.Void{{N: 7, Tid: room.Tid{8}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"fence":1,"id":1,"phase":"lobby","lobby":{"opens_at":5,"draw":{"sealed":{"count":3},"drawn":{}}}}`))
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"fence":1,"id":1,"phase":"open","now":253402300800000}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := DecodeSynced(text)
		resp := &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(text))}
		refused := answerOf(resp, question{read: func(text []byte) error { _, err := DecodeSynced(text); return err }})
		if err != nil {
			if !errors.Is(refused, ErrRoomRequest) {
				t.Fatalf("%v comes to callers as %v", err, refused)
			}
			return
		}
		if err := a.Validate(); err != nil || refused != nil {
			t.Fatalf("%q is read as %+v, which is %v, %v", text, a, err, refused)
		}
		again, err := EncodeSynced(a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := DecodeSynced(again)
		if err != nil {
			t.Fatal(err)
		}
		if third, err := EncodeSynced(b); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("%q comes to the next as %q, %v", again, third, err)
		}
	})
}

// Rooms spread over the partitions, and a name has the same one for ever.
func TestPartitionOfRoom(t *testing.T) {
	t.Parallel()
	if part := PartitionOfRoom("spring"); part != 2446 {
		t.Errorf("the room spring is in partition %d, and was in 2446: its row in the ledger says so", part)
	}
	seen := map[uint16]bool{}
	for i := range 1000 {
		seen[uint16(PartitionOfRoom(fmt.Sprint("room-", i)))] = true
	}
	if len(seen) < 800 {
		t.Errorf("1,000 rooms are in %d partitions", len(seen))
	}
}
