package openlog

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "tickets.example.com/.wr/v1/spring-tour/log"

func testKey(tb testing.TB) (note.Signer, note.Verifier, string) {
	tb.Helper()
	key := ed25519.NewKeyFromSeed([]byte("a seed of exactly 32 bytes, yes!"))
	s, err := NewSigner(origin, key)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		tb.Fatal(err)
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		tb.Fatal(err)
	}
	return s, v, text
}

// memory keeps a log's entries as a driver would.
type memory struct {
	entries [][]byte
	reads   int
	fails   error
}

func (m *memory) ReadEntries(from, to int64) ([][]byte, error) {
	m.reads++
	if m.fails != nil {
		return nil, m.fails
	}
	if from < 0 || to > int64(len(m.entries)) || to-from > tileWidth {
		return nil, fmt.Errorf("asked for entries %d to %d of %d", from, to, len(m.entries))
	}
	return m.entries[from:to], nil
}

// entry makes the n-th entry.
func entry(n int, kind Kind, more string) []byte {
	return fmt.Appendf(nil, `{"n":%d,"at":"2026-12-01T09:00:00Z","kind":%q,"edition":1%s}`, n, kind, more)
}

// pauses is a log of n entries that say little.
func pauses(tb testing.TB, n int) (*Log, *memory) {
	tb.Helper()
	l, m := new(Log), new(memory)
	for i := range n {
		e := entry(i, KindPause, "")
		index, leaf, err := l.Append(e)
		if err != nil || index != int64(i) || leaf != tlog.RecordHash(e) {
			tb.Fatalf("entry %d: %d %v %v", i, index, leaf, err)
		}
		m.entries = append(m.entries, e)
	}
	return l, m
}

func TestStateSurvivesARestart(t *testing.T) {
	t.Parallel()
	want, m := pauses(t, 300)
	l := new(Log)
	for i, e := range m.entries {
		state, err := json.Marshal(l.State())
		if err != nil {
			t.Fatal(err)
		}
		var again State
		if err := json.Unmarshal(state, &again); err != nil {
			t.Fatal(err)
		}
		if l, err = Restore(again); err != nil {
			t.Fatalf("after %d entries: %v in %s", i, err, state)
		}
		if _, _, err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if l.Root() != want.Root() || l.Size() != want.Size() || len(l.State().Hashes) > 63 {
		t.Errorf("%d entries, root %v, want %v", l.Size(), l.Root(), want.Root())
	}
	if _, err := Restore(State{Size: 3}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("restored a state without hashes: %v", err)
	}
}

func TestAppendRefusesWhatIsNoEntry(t *testing.T) {
	t.Parallel()
	l, _ := pauses(t, 5)
	before := l.Root()
	for name, e := range map[string]string{
		"nothing":      "",
		"no object":    `["n",5]`,
		"torn":         `{"n":5,"kind":"pause"`,
		"two lines":    "{\"n\":5,\n\"kind\":\"pause\"}",
		"a line after": "{\"n\":5,\"kind\":\"pause\"}\n",
		"two":          `{"n":5,"kind":"pause"}{"n":6,"kind":"pause"}`,
		"not UTF-8":    "{\"n\":5,\"kind\":\"pause\",\"why\":\"\xff\"}",
		"earlier":      `{"n":4,"kind":"pause"}`,
		"later":        `{"n":6,"kind":"pause"}`,
		"no number":    `{"kind":"pause"}`,
		"no kind":      `{"n":5}`,
		"long kind":    `{"n":5,"kind":"` + strings.Repeat("k", kindMax+1) + `"}`,
		"no time":      `{"n":5,"kind":"pause","at":"yesterday"}`,
		"large":        `{"n":5,"kind":"pause","why":"` + strings.Repeat("w", EntryMax) + `"}`,
	} {
		if _, _, err := l.Append([]byte(e)); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l.Root() != before || l.Size() != 5 {
		t.Error("a refused entry changed the log")
	}
	if _, _, err := l.Append([]byte(`{"n":5,"kind":"something new","of":["the","room"]}`)); err != nil {
		t.Errorf("a kind that only the room knows: %v", err)
	}
}

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	sign, verify, _ := testKey(t)
	l, _ := pauses(t, 7)
	want := l.Checkpoint(origin)
	text, err := want.Sign(sign)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 6 || lines[0] != origin || lines[1] != "7" || lines[2] != l.Root().String() || !strings.HasPrefix(lines[4], "— "+origin+" ") {
		t.Errorf("not as tlog-checkpoint says:\n%s", text)
	}
	for _, keys := range [][]note.Verifier{nil, {verify}} {
		if got, err := OpenCheckpoint(text, keys...); err != nil || got != want {
			t.Errorf("%+v %v", got, err)
		}
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32))
	foreign, err := NewSigner(origin, other)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := want.Sign(foreign)
	if err != nil {
		t.Fatal(err)
	}
	bigger := strings.Replace(string(text), "\n7\n", "\n8\n", 1)
	for name, text := range map[string]string{
		"nothing": "", "no note": "hello\n", "by another key": string(forged), "changed": bigger, "endless": strings.Repeat("x", CheckpointMax+1),
	} {
		if c, err := OpenCheckpoint([]byte(text), verify); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for name, body := range map[string]string{
		"one line": origin + "\n", "no size": origin + "\n\n" + l.Root().String() + "\n", "size 07": origin + "\n07\n" + l.Root().String() + "\n",
		"size -1": origin + "\n-1\n" + l.Root().String() + "\n", "short root": origin + "\n7\nAAAA\n", "no origin": "\n7\n" + l.Root().String() + "\n",
	} {
		text, err := note.Sign(&note.Note{Text: body}, sign)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := OpenCheckpoint(text, verify); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if _, err := (Checkpoint{Origin: "a\nb"}).Sign(sign); err == nil {
		t.Error("signed an origin of two lines")
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	for name, err := range map[string]error{
		"short key":    second(NewSigner(origin, key[:31])),
		"a space":      second(NewSigner("spring tour", key)),
		"a plus":       second(NewSigner("spring+tour", key)),
		"no name":      second(NewSigner("", key)),
		"short public": second(VerifierKey(origin, ed25519.PublicKey(key[:5]))),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzOpenCheckpoint(f *testing.F) {
	sign, verify, _ := testKey(f)
	text, err := Checkpoint{Origin: origin, Size: 7}.Sign(sign)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— a AAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := OpenCheckpoint(text, verify)
		if err == nil && (c != Checkpoint{Origin: origin, Size: 7}) {
			t.Fatalf("a checkpoint that nobody signed: %+v", c)
		}
		if c, err := OpenCheckpoint(text); err == nil && !strings.HasPrefix(string(text), c.Text()) {
			t.Fatalf("%q was read from %q", c.Text(), text)
		}
	})
}
