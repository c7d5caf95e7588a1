package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ticketrush/room/draw"
	"ticketrush/room/openlog"
	"ticketrush/stockd/failure"
)

// verifiedRoom is a folder with what a room published under its address: log/draw, log/checkpoint, log/tile/…; and what people kept.
type verifiedRoom struct {
	dir, key, seen string
	receipts       []string
}

func (r *verifiedRoom) file(name string) string {
	return filepath.Join(r.dir, filepath.FromSlash(name))
}

// change rewrites one of the room's files.
func (r *verifiedRoom) change(t *testing.T, name, was, is string) {
	t.Helper()
	text, err := os.ReadFile(r.file(name))
	if err != nil || !strings.Contains(string(text), was) {
		t.Fatalf("%s has no %q: %v", name, was, err)
	}
	if err := os.WriteFile(r.file(name), []byte(strings.Replace(string(text), was, is, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *verifiedRoom) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.file(name)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.file(name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// kept gives the stored entries to the tiles.
type kept [][]byte

func (k kept) ReadEntries(from, to int64) ([][]byte, error) { return k[from:to], nil }

// publishedRoom draws a lobby of 1,000 and publishes everything, with 400 moves of the frontier after it.
func publishedRoom(t *testing.T) *verifiedRoom {
	t.Helper()
	list := new(draw.List)
	for i := range 1000 {
		if err := list.Append(draw.Tid{byte(i >> 8), byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	d, err := draw.Seal(list).Draw("spring-tour", 1, draw.Secret{7}, draw.Beacon{})
	if err != nil {
		t.Fatal(err)
	}
	r := &verifiedRoom{dir: t.TempDir()}
	terms, log := d.Terms(), new(openlog.Log)
	var entries kept
	head := func(kind openlog.Kind) openlog.Head {
		return openlog.Head{N: log.Size(), At: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), Kind: kind, Edition: 1}
	}
	add := func(e any) {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := log.Append(text); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, text)
	}
	add(&openlog.Commit{Head: head(openlog.KindCommit), Room: terms.Room, Rule: terms.Rule, Commitment: terms.Commitment})
	add(&openlog.Seal{Head: head(openlog.KindSeal), Root: terms.Root, Count: terms.N})
	sign := r.keys(t)
	r.write(t, "seen", sign(log))
	r.seen = r.file("seen")
	add(&openlog.Draw{Head: head(openlog.KindDraw), Secret: terms.Secret, Seed: d.Seed()})
	for i := range int64(400) {
		add(&openlog.Frontier{Head: head(openlog.KindFrontier), Frontier: openlog.Frontiers{Main: d.RankAt(i)}})
	}
	add(head(openlog.KindGrant))
	r.write(t, "log/checkpoint", sign(log))
	tiles := openlog.NewTiles(entries)
	for n, width := range []int{256, int(log.Size() - 256)} {
		path := openlog.EntriesPath(int64(n), width)
		bundle, err := tiles.Serve(path, log.Size())
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, "log/"+path, bundle)
	}
	var file bytes.Buffer
	if err := d.WriteFile(&file, &draw.LogHead{Size: log.Size(), Root: log.Root()}); err != nil {
		t.Fatal(err)
	}
	r.write(t, "log/draw", file.Bytes())
	for i := range 2 {
		receipt, _ := d.Receipt(draw.Tid{0, byte(i)})
		text, err := json.Marshal(receipt)
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, fmt.Sprintf("receipt%d", i), text)
		r.receipts = append(r.receipts, r.file(fmt.Sprintf("receipt%d", i)))
	}
	return r
}

// keys makes the room's key, and gives what signs a log's head with it.
func (r *verifiedRoom) keys(t *testing.T) func(*openlog.Log) []byte {
	t.Helper()
	const origin = "tickets.example.com/.wr/v1/spring-tour/log"
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))
	signer, err := openlog.NewSigner(origin, private)
	if err != nil {
		t.Fatal(err)
	}
	if r.key, err = openlog.VerifierKey(origin, private.Public().(ed25519.PublicKey)); err != nil {
		t.Fatal(err)
	}
	return func(log *openlog.Log) []byte {
		text, err := log.Checkpoint(origin).Sign(signer)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func TestVerifyDrawOfFilesAndOfARoom(t *testing.T) {
	t.Parallel()
	r := publishedRoom(t)
	room := httptest.NewServer(http.StripPrefix("/.wr/v1/spring-tour/", http.FileServerFS(os.DirFS(r.dir))))
	defer room.Close()
	address := room.URL + "/.wr/v1/spring-tour"
	all := []string{"--key", r.key, "--seen", r.seen, "--receipt", r.receipts[0], "--receipt", r.receipts[1], "--tid", "0001" + strings.Repeat("0", 28), "--tid", strings.Repeat("f", 32)}
	keyFile := write(t, "room.key", r.key+"\n")
	for name, tc := range map[string]struct {
		args []string
		says []string
	}{
		"files":         {append([]string{r.file("log/draw"), "--log", r.file("log")}, all...), []string{"the draw holds: 18 steps, 1 more"}},
		"address":       {append([]string{address}, all...), []string{"the draw holds: 18 steps, 1 more"}},
		"with a slash":  {append([]string{address + "/"}, all...), []string{"the draw holds: 18 steps, 1 more", "frontier 400, grant 1, seal 1", "signed by tickets.example.com"}},
		"the draw's":    {append([]string{address + "/log/draw"}, all...), []string{"the draw holds: 18 steps, 1 more", "number 108 of 1000", "ffffffff is not on the list"}},
		"key in a file": {[]string{address, "--key", keyFile}, []string{"the draw holds: 15 steps, 1 more"}},
		"file, log afar": {[]string{r.file("log/draw"), "--log", address + "/log"},
			[]string{"--      checkpoint", "the draw holds: 14 steps, 2 more could not be checked"}},
		"draw alone":        {[]string{r.file("log/draw")}, []string{"the draw holds: 4 steps, 2 more", "--      log"}},
		"address, no log":   {[]string{address, "--log", "none"}, []string{"the draw holds: 4 steps, 2 more"}},
		"capitals in --tid": {[]string{r.file("log/draw"), "--tid", "00AA" + strings.Repeat("0", 28)}, []string{"00aa"}},
	} {
		code, out, errs := stockd(t, append([]string{"verify-draw"}, tc.args...)...)
		if code != failure.Done || errs != "" || strings.Contains(out, "FAILED") {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, errs)
		}
		for _, want := range append(tc.says, "ok      list        1000 tids", "--      beacon      no beacon (mode operator)") {
			if !strings.Contains(out, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, out)
			}
		}
	}
}

func TestVerifyDrawThatDoesNotHold(t *testing.T) {
	t.Parallel()
	other := publishedRoom(t).receipts[1]
	for name, tc := range map[string]struct {
		change func(r *verifiedRoom)
		args   func(r *verifiedRoom) []string
		says   []string
	}{
		"a tid changed":    {func(r *verifiedRoom) { r.change(t, "log/draw", "\n0003", "\n0002") }, nil, []string{"FAILED  list", "line 5"}},
		"a header changed": {func(r *verifiedRoom) { r.change(t, "log/draw", `"edition":1`, `"edition":2`) }, nil, []string{"FAILED  seed", "FAILED  once", "edition 2"}},
		"no draw at all":   {func(r *verifiedRoom) { r.write(t, "log/draw", []byte("<html>\n")) }, nil, []string{"FAILED  format"}},
		"a receipt forged": {func(r *verifiedRoom) { r.change(t, "receipt0", `"ordinal":`, `"ordinal":1`) },
			func(r *verifiedRoom) []string {
				return []string{"--receipt", r.receipts[0], "--receipt", r.receipts[1]}
			}, []string{"FAILED  receipt", "ok      receipt"}},
		"no receipt": {func(r *verifiedRoom) { r.write(t, "receipt0", []byte("{")) },
			func(r *verifiedRoom) []string { return []string{"--receipt", r.receipts[0]} }, []string{"FAILED  receipt", "JSON"}},
		"a receipt of another draw": {func(r *verifiedRoom) { r.change(t, "log/draw", `"room":"spring-tour"`, `"room":"autumn-tour"`) },
			func(*verifiedRoom) []string { return []string{"--receipt", other} }, []string{"FAILED  receipt", "FAILED  commitment"}},
		"the log changed": {func(r *verifiedRoom) { r.change(t, "log/tile/entries/000", `"count":1000`, `"count":1001`) }, nil,
			[]string{"FAILED  log", "FAILED  root"}},
		"the log cut": {func(r *verifiedRoom) { r.change(t, "log/checkpoint", "\n404\n", "\n403\n") },
			func(r *verifiedRoom) []string { return []string{"--key", r.key} }, []string{"FAILED  checkpoint"}},
		"a bundle gone": {func(r *verifiedRoom) { _ = os.Remove(r.file("log/tile/entries/000")) }, nil, []string{"FAILED  log"}},
		"no log":        {func(r *verifiedRoom) { _ = os.RemoveAll(r.file("log/checkpoint")) }, nil, []string{"FAILED  checkpoint"}},
		"the log written anew": {func(r *verifiedRoom) {
			sign := r.keys(t)
			log := new(openlog.Log)
			if _, _, err := log.Append([]byte(`{"n":0,"kind":"commit"}`)); err != nil {
				t.Fatal(err)
			}
			r.write(t, "seen", sign(log))
		}, func(r *verifiedRoom) []string { return []string{"--seen", r.seen, "--key", r.key} }, []string{"FAILED  seen", "written anew"}},
	} {
		r := publishedRoom(t)
		tc.change(r)
		args := []string{"verify-draw", r.file("log/draw"), "--log", r.file("log")}
		if tc.args != nil {
			args = append(args, tc.args(r)...)
		}
		code, out, errs := stockd(t, args...)
		if code != failure.Failed || !strings.Contains(out, "the draw does not hold: ") || errs != "" {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, errs)
		}
		for _, want := range tc.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, out)
			}
		}
	}
}

func TestVerifyDrawSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	r := publishedRoom(t)
	file := r.file("log/draw")
	room := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch {
		case strings.HasPrefix(q.URL.Path, "/cut/"):
			w.Header().Set("Content-Length", "100000")
			text, _ := fs.ReadFile(os.DirFS(r.dir), "log/draw")
			w.Write(text[:5000])
		case strings.HasPrefix(q.URL.Path, "/busy/"):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			http.NotFound(w, q)
		}
	}))
	defer room.Close()
	for name, tc := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"nothing":         {nil, failure.Misused, []string{"<draw>"}},
		"no file":         {[]string{"/nowhere/draw"}, failure.Missing, []string{"/nowhere/draw"}},
		"no folder":       {[]string{file, "--log", "/nowhere/log"}, failure.Misused, []string{"--log", "/nowhere/log"}},
		"no key":          {[]string{file, "--key", "spring"}, failure.Misused, []string{"--key", "name+hash+base64"}},
		"no key in it":    {[]string{file, "--key", file}, failure.Misused, []string{"--key"}},
		"no kept":         {[]string{file, "--seen", "/nowhere/checkpoint"}, failure.Misused, []string{"--seen", "/nowhere/checkpoint"}},
		"kept nonsense":   {[]string{file, "--seen", r.receipts[0]}, failure.Misused, []string{"--seen"}},
		"no receipt file": {[]string{file, "--receipt", "/nowhere/r"}, failure.Misused, []string{"--receipt", "/nowhere/r"}},
		"no tid":          {[]string{file, "--tid", "me"}, failure.Misused, []string{"--tid", "32 hexadecimal digits"}},
		"not drawn yet":   {[]string{room.URL + "/early"}, failure.Missing, []string{"/early/log/draw", "once it has drawn"}},
		"busy":            {[]string{room.URL + "/busy"}, failure.Missing, []string{"503"}},
		"cut":             {[]string{room.URL + "/cut", "--log", "none"}, failure.Failed, []string{"/cut/log/draw", "unexpected EOF"}},
		"log busy":        {[]string{file, "--log", room.URL + "/busy"}, failure.Missing, []string{"503", "the log"}},
		"nobody listens":  {[]string{"http://127.0.0.1:1/"}, failure.Missing, []string{"127.0.0.1:1"}},
	} {
		code, out, errs := stockd(t, append([]string{"verify-draw"}, tc.args...)...)
		if code != tc.code {
			t.Errorf("%s: exit code %d, want %d\n%s%s", name, code, tc.code, out, errs)
		}
		for _, want := range tc.says {
			if !strings.Contains(errs, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, errs)
			}
		}
		if strings.Contains(out, "the draw holds") {
			t.Errorf("%s: it says that the draw holds", name)
		}
	}
}
