package draw

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func published(tb testing.TB, d *Drawn, log *LogHead) string {
	tb.Helper()
	var out bytes.Buffer
	if err := d.WriteFile(&out, log); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// faults gives the steps of a report that failed, and their texts.
func faults(r *Report) (steps []Step, text string) {
	for _, c := range r.Checks {
		if c.Err != nil {
			steps = append(steps, c.Step)
			text += fmt.Sprintf("%s: %v\n", c.Step, c.Err)
		}
	}
	return steps, text
}

func TestPublishedDrawVerifies(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 257, 3000} {
		for _, beacon := range []Beacon{{}, testEntered, round1000} {
			d := drawn(t, numbered(t, n), beacon)
			file := published(t, d, &LogHead{Size: 9})
			r, err := VerifyDraw(iotest.HalfReader(strings.NewReader(file)), nth(0), nth(n), nth(n/2))
			if err != nil || !r.OK() || len(r.Checks) != 5 {
				t.Fatalf("%d tids: %+v %v", n, r, err)
			}
			if r.Header.Terms != d.Terms() || r.Header.Seed != d.Seed() || *r.Header.Log != (LogHead{Size: 9}) {
				t.Errorf("%+v", r.Header)
			}
			for _, p := range r.Places {
				rank, ordinal, ok := d.Place(p.Tid)
				if p.Member != ok || p.Rank != rank || p.Ordinal != ordinal {
					t.Errorf("%d tids: %+v, want %d %d %v", n, p, rank, ordinal, ok)
				}
			}
			checkReceipts(t, d, r, n)
		}
	}
}

func checkReceipts(t *testing.T, d *Drawn, r *Report, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	receipt, _ := mustReceipt(t, d, nth(0))
	if err := r.CheckReceipt(receipt); err != nil {
		t.Errorf("%d tids: %v", n, err)
	}
	var f *Fault
	receipt.Ordinal = receipt.Ordinal%d.N() + 1
	if err := r.CheckReceipt(receipt); n > 1 && (!errors.As(err, &f) || f.Step != StepOrdinal) {
		t.Errorf("%d tids: a wrong ordinal: %v", n, err)
	}
	if n > 2 {
		if receipt, _ := mustReceipt(t, d, nth(2)); nth(2) != nth(n/2) && r.CheckReceipt(receipt) == nil {
			t.Error("the place of nobody asked for was compared")
		}
	}
}

func TestFilesThatDoNotHold(t *testing.T) {
	t.Parallel()
	good := published(t, drawn(t, numbered(t, 300), testEntered), nil)
	lines := strings.SplitAfter(good, "\n") // the last is empty
	line := func(i int, text string) string {
		changed := slices.Clone(lines)
		changed[i] = text
		return strings.Join(changed, "")
	}
	header := func(was, is string) string {
		if !strings.Contains(lines[0], was) {
			t.Fatalf("%s has no %s", lines[0], was)
		}
		return strings.Replace(good, was, is, 1)
	}
	flip := func(text string, i int) string {
		b := []byte(text)
		b[i] = "0123456789abcdef0"[strings.IndexByte("0123456789abcdef", b[i])+1]
		return string(b)
	}
	secret := strings.Index(good, `"secret":"`) + len(`"secret":"`)
	root := strings.Index(good, `"root":"`) + len(`"root":"`)
	seed := strings.Index(good, `"seed":"`) + len(`"seed":"`)
	for name, tc := range map[string]struct {
		file  string
		steps []Step
		says  string
	}{
		"empty":          {"", []Step{StepFormat}, "empty"},
		"a page":         {"<html>\n<body>\n", []Step{StepFormat}, "line 1"},
		"no line":        {strings.Repeat("x", 100), []Step{StepFormat}, "within line 1"},
		"one long line":  {strings.Repeat("x", 100_000), []Step{StepFormat}, "line 1 has more than"},
		"next version":   {header("ticketrush-draw/1", "ticketrush-draw/2"), []Step{StepFormat}, "ticketrush-draw/1"},
		"another rule":   {header("ticketrush/draw/v1", "ticketrush/draw/v0"), []Step{StepFormat}, "rule"},
		"unknown field":  {header(`"room"`, `"hall"`), []Step{StepFormat}, "hall"},
		"another secret": {flip(good, secret), []Step{StepSecret, StepSeed}, "SHA-256 of the secret"},
		"another root":   {flip(good, root), []Step{StepSeed, StepList}, "the list has the root"},
		"another seed":   {flip(good, seed), []Step{StepSeed}, "by the rest of the header"},
		"another value":  {header("3 17 22", "3 17 23"), []Step{StepSeed}, "by the rest"},
		"another room":   {header("spring", "autumn"), []Step{StepSeed}, "by the rest"},
		"a tid changed":  {line(17, flip(lines[17], 31)), []Step{StepList}, "the list has the root"},
		"a tid missing":  {line(17, ""), []Step{StepList}, "line 301: the file ends here after 299 of 300"},
		"a tid twice":    {line(17, lines[17]+lines[17]), []Step{StepList}, "line 19: "},
		"not sorted":     {line(17, lines[18]+lines[17]), []Step{StepList}, "line 19: "},
		"one too many":   {good + strings.Repeat("f", 32) + "\n", []Step{StepList}, "line 302: there is more"},
		"torn":           {good[:len(good)-5], []Step{StepList}, "line 301: the file ends"},
		"no last feed":   {good[:len(good)-1], []Step{StepList}, "line 301: the file ends"},
		"carriage":       {strings.ReplaceAll(good, "\n", "\r\n"), []Step{StepList}, "line 2: 33 characters"},
		"capitals":       {line(17, strings.ToUpper(lines[17])), []Step{StepList}, "line 18: "},
		"an endless tid": {line(17, strings.Repeat("a", 100_000)), []Step{StepList}, "line 18: "},
		"a blank line":   {line(17, "\n"+lines[17]), []Step{StepList}, "line 18: 0 characters"},
	} {
		r, err := VerifyDraw(strings.NewReader(tc.file), nth(1))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if steps, text := faults(r); r.OK() || !slices.Equal(steps, tc.steps) || !strings.Contains(text, tc.says) {
			t.Errorf("%s: %v, want %v\n%s", name, steps, tc.steps, text)
		}
	}
	forged := round1000
	forged.Round++
	d := drawn(t, numbered(t, 3), Beacon{})
	d.terms.Beacon = forged
	if steps, _ := faults(must(VerifyDraw(strings.NewReader(published(t, d, nil))))); !slices.Contains(steps, StepBeacon) {
		t.Errorf("a forged beacon: %v", steps)
	}
}

func TestWhatCannotBeReadIsNotCalledWrong(t *testing.T) {
	t.Parallel()
	good := published(t, drawn(t, numbered(t, 300), testEntered), nil)
	for _, size := range []int{0, 10, 5000} {
		broken := io.MultiReader(strings.NewReader(good[:size]), iotest.ErrReader(io.ErrClosedPipe))
		if r, err := VerifyDraw(broken); r != nil || !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %d bytes: %+v %v", size, r, err)
		}
	}
	d := drawn(t, numbered(t, 5000), testEntered)
	for _, room := range []int{0, 10, 70_000} {
		if err := d.WriteFile(&narrow{room}, nil); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("a disk of %d bytes: %v", room, err)
		}
	}
}

// narrow is a disk that is soon full.
type narrow struct{ left int }

func (n *narrow) Write(b []byte) (int, error) {
	if n.left -= len(b); n.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestRandomDrawsArePublishedAndVerified(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := drawn(t, listOf(t, tidsGen.Draw(rt, "tids")...), testEntered)
		file := published(t, d, nil)
		r, err := VerifyDraw(strings.NewReader(file), slices.Collect(d.Tids())...)
		if err != nil || !r.OK() {
			rt.Fatalf("%+v %v", r, err)
		}
		for _, p := range r.Places {
			if rank, ordinal, ok := d.Place(p.Tid); !ok || !p.Member || p.Rank != rank || p.Ordinal != ordinal {
				rt.Fatalf("%+v, want %d %d", p, rank, ordinal)
			}
		}
	})
}

func TestPlacesOfEqualRanksGoByTid(t *testing.T) {
	t.Parallel()
	tids := []Tid{{1}, {2}, {3}}
	places := []Place{{Tid: tids[1], Rank: 7, Ordinal: 1}}
	for _, tid := range tids {
		count(places, tid, 7)
	}
	if want := (Place{Tid: tids[1], Member: true, Rank: 7, Ordinal: 2}); places[0] != want {
		t.Errorf("%+v, want %+v", places[0], want)
	}
}

// FuzzFile: a file that verifies is one that the draw's writer would have written for this list; nothing else may pass, and nothing may panic.
func FuzzFile(f *testing.F) {
	for _, n := range []int{0, 1, 5} {
		f.Add([]byte(published(f, drawn(f, numbered(f, n), testEntered), nil)))
	}
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := VerifyDraw(bytes.NewReader(file), nth(1))
		if err != nil {
			t.Fatal(err)
		}
		if !r.OK() {
			return
		}
		in, err := NewFileReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		l := new(List)
		for tid, err := in.Next(); err == nil; tid, err = in.Next() {
			l.Append(tid)
		}
		h := in.Header
		d, err := Seal(l).Draw(h.Room, h.Edition, h.Secret, h.Beacon)
		if err != nil || d.Terms() != h.Terms || d.Seed() != h.Seed {
			t.Fatalf("verifies, and nobody drew it: %v\n%s", err, file)
		}
	})
}
