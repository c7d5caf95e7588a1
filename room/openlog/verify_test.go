package openlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"ticketrush/room/draw"
)

// files is a log as somebody else has it.
type files map[string][]byte

func (f files) Read(path string) ([]byte, error) {
	b, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

// round1000 is a round of drand's quicknet.
var round1000 = draw.Beacon{
	Source: draw.QuicknetSource, Round: 1000, Value: "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
	Signature: "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
}

// sale is a room's log in the making, and the draw in it.
type sale struct {
	tb      testing.TB
	now     time.Time
	drawn   *draw.Drawn
	entries []any
	header  draw.Header
}

func lobby(tb testing.TB, beacon draw.Beacon, people int) *draw.Drawn {
	tb.Helper()
	l := new(draw.List)
	for i := range people {
		if err := l.Append(draw.Tid{byte(i), byte(i >> 8)}); err != nil {
			tb.Fatal(err)
		}
	}
	d, err := draw.Seal(l).Draw("spring-tour", 1, draw.Secret{1, 2, 3}, beacon)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// newSale tells the story of a sale as it should go: a commitment, a lobby, a seal, the draw, the frontier.
func newSale(tb testing.TB, beacon draw.Beacon, moves int) *sale {
	tb.Helper()
	out := draw.Quicknet().TimeOf(1000)
	s := &sale{tb: tb, now: out.Add(-time.Hour), drawn: lobby(tb, beacon, 50)}
	t := s.drawn.Terms()
	s.header = draw.Header{Format: draw.FileFormat, Terms: t, Seed: s.drawn.Seed()}
	s.add(&Commit{Head: s.head(KindCommit, "configured"), Room: t.Room, Rule: t.Rule, Commitment: t.Commitment})
	s.add(s.head(KindRate, "50 a second"))
	s.now = out.Add(-2 * time.Second)
	s.add(&Seal{Head: s.head(KindSeal, "the lobby is closed"), Root: t.Root, Count: t.N, Source: beacon.Source, Round: beacon.Round})
	s.now = out.Add(2 * time.Second)
	s.add(&Draw{Head: s.head(KindDraw, ""), Secret: t.Secret, Beacon: beacon, Seed: s.drawn.Seed()})
	for i := range moves {
		f := Frontiers{Main: s.drawn.RankAt(int64(i) + 1), Slow: draw.Class << draw.ClassShift * 3}
		s.add(&Frontier{Head: s.head(KindFrontier, "rate"), Frontier: f})
	}
	s.add(s.head(KindEnd, "sold out"))
	return s
}

func (s *sale) head(kind Kind, why string) Head {
	return Head{At: s.now, Kind: kind, Edition: 1, Why: why}
}

func (s *sale) add(e any) { s.entries = append(s.entries, e) }

// log numbers the entries and gives the log and its files.
func (s *sale) log() (*Log, files) {
	s.tb.Helper()
	l, m := new(Log), new(memory)
	for i, e := range s.entries {
		text, ok := e.([]byte)
		if !ok {
			text = numbered(s.tb, e, i)
		}
		m.entries = append(m.entries, text)
		l.edge.Append(tlog.RecordHash(text))
	}
	return l, publish(s.tb, l, m)
}

// numbered writes an entry with its number.
func numbered(tb testing.TB, e any, n int) []byte {
	tb.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		tb.Fatal(err)
	}
	fields["n"] = n
	if text, err = json.Marshal(fields); err != nil {
		tb.Fatal(err)
	}
	return text
}

func publish(tb testing.TB, l *Log, m *memory) files {
	tb.Helper()
	sign, _, _ := testKey(tb)
	f := files{}
	var err error
	if f["checkpoint"], err = l.Checkpoint(origin).Sign(sign); err != nil {
		tb.Fatal(err)
	}
	tiles := NewTiles(m)
	for n := int64(0); n*tileWidth < l.Size(); n++ {
		path := EntriesPath(n, int(min(l.Size()-n*tileWidth, tileWidth)))
		if f[path], err = tiles.Serve(path, l.Size()); err != nil {
			tb.Fatal(err)
		}
	}
	return f
}

func found(r *Report) (steps []draw.Step, text string) {
	for _, c := range r.Checks {
		if c.Err != nil {
			steps = append(steps, c.Step)
			text += fmt.Sprintf("%s: %v\n", c.Step, c.Err)
		}
	}
	return steps, text
}

func TestLogOfASaleVerifies(t *testing.T) {
	t.Parallel()
	_, key, _ := testKey(t)
	for _, moves := range []int{1, 49, 251, 252, 600} {
		for _, beacon := range []draw.Beacon{{}, round1000, {Source: "dice", Value: "6"}} {
			s := newSale(t, beacon, moves)
			l, f := s.log()
			part := *s
			part.entries = s.entries[:3]
			early, _ := part.log()
			s.header.Log = &draw.LogHead{Size: l.Size(), Root: l.Root()}
			r, err := Verify(f, Options{Key: key, Draw: &s.header, Seen: []Checkpoint{{Origin: origin, Root: new(Log).Root()}, early.Checkpoint(origin), l.Checkpoint(origin)}})
			if err != nil || !r.OK() || len(r.Checks) != 14 {
				t.Fatalf("%d moves, %v: %d checks, %+v %v", moves, beacon.Mode(), len(r.Checks), r, err)
			}
			want := map[Kind]int64{KindCommit: 1, KindRate: 1, KindSeal: 1, KindDraw: 1, KindFrontier: int64(moves), KindEnd: 1}
			if !maps.Equal(r.Kinds, want) {
				t.Errorf("%v, want %v", r.Kinds, want)
			}
		}
	}
}

func TestLogsThatDoNotHold(t *testing.T) {
	t.Parallel()
	_, key, _ := testKey(t)
	for name, tc := range map[string]struct {
		change func(s *sale)
		steps  []draw.Step
		says   string
	}{
		"two commitments":    {func(s *sale) { s.entries = slices.Insert(s.entries, 1, s.entries[0]) }, []draw.Step{StepOnce}, "entry 1: a second time"},
		"seal, then commit":  {func(s *sale) { s.entries[0], s.entries[2] = s.entries[2], s.entries[0] }, []draw.Step{StepOnce}, "entry 0: before"},
		"draw, then seal":    {func(s *sale) { s.entries[2], s.entries[3] = s.entries[3], s.entries[2] }, []draw.Step{StepOnce}, "entry 2: before"},
		"no seal":            {func(s *sale) { s.entries[2] = s.entries[1] }, []draw.Step{StepOnce, StepOnce}, "lacks"},
		"another commitment": {func(s *sale) { s.entries[0].(*Commit).Commitment[0]++ }, []draw.Step{draw.StepCommitment, draw.StepSeed}, "committed was C"},
		"another room":       {func(s *sale) { s.entries[0].(*Commit).Room = "autumn-tour" }, []draw.Step{draw.StepCommitment}, "autumn-tour"},
		"another rule":       {func(s *sale) { s.entries[0].(*Commit).Rule = "as we like" }, []draw.Step{draw.StepCommitment}, "as we like"},
		"another root":       {func(s *sale) { s.entries[2].(*Seal).Root[0]++ }, []draw.Step{draw.StepRoot}, "sealed were"},
		"another count":      {func(s *sale) { s.entries[2].(*Seal).Count++ }, []draw.Step{draw.StepRoot}, "51 tids"},
		"another round":      {func(s *sale) { s.entries[2].(*Seal).Round++ }, []draw.Step{draw.StepBeacon}, "1001"},
		"no source":          {func(s *sale) { s.entries[2].(*Seal).Source = "" }, []draw.Step{draw.StepBeacon}, "seal names"},
		"a round known":      {func(s *sale) { s.entries[2].(*Seal).At = draw.Quicknet().TimeOf(1000) }, []draw.Step{draw.StepBeacon}, "was known"},
		"another secret":     {func(s *sale) { s.entries[3].(*Draw).Secret[9]++ }, []draw.Step{draw.StepSeed}, "SHA-256"},
		"another beacon":     {func(s *sale) { s.entries[3].(*Draw).Beacon.Value += "0" }, []draw.Step{draw.StepSeed}, "another beacon"},
		"another seed":       {func(s *sale) { s.entries[3].(*Draw).Seed[9]++ }, []draw.Step{draw.StepSeed}, "it should be"},
		"another edition":    {func(s *sale) { s.header.Edition = 2 }, []draw.Step{StepOnce}, "edition 2"},
		"frontier goes back": {func(s *sale) { s.entries[5], s.entries[6] = s.entries[6], s.entries[5] }, []draw.Step{StepFrontier}, "entry 6: the frontier goes back"},
		"slow lane too":      {func(s *sale) { s.entries[6].(*Frontier).Frontier.Slow-- }, []draw.Step{StepFrontier}, "entry 6"},
		"two steps back": {func(s *sale) {
			slices.Reverse(s.entries[4:7])
		}, []draw.Step{StepFrontier}, "(and 1 more)"},
		"opened before the draw": {func(s *sale) { s.entries[3], s.entries[4] = s.entries[4], s.entries[3] }, []draw.Step{StepFrontier}, "entry 3 let the lobby in"},
		"a hole":                 {func(s *sale) { s.entries[1] = []byte(`{"n":7,"kind":"rate"}`) }, []draw.Step{StepEntries}, "entry 1"},
		"no JSON":                {func(s *sale) { s.entries[1] = []byte("{") }, []draw.Step{StepEntries}, "entry 1"},
		"no frontier":            {func(s *sale) { s.entries[4] = entry(4, KindFrontier, `,"frontier":7`) }, []draw.Step{StepEntries}, "entry 4"},
		"no hash":                {func(s *sale) { s.entries[3] = entry(3, KindDraw, `,"secret":"00"`) }, []draw.Step{StepEntries, StepOnce}, "entry 3"},
		"log of the file":        {func(s *sale) { s.header.Log = &draw.LogHead{Size: 5} }, []draw.Step{StepLog}, "written anew"},
		"longer log":             {func(s *sale) { s.header.Log = &draw.LogHead{Size: 99} }, []draw.Step{StepLog}, "has only"},
	} {
		s := newSale(t, round1000, 6)
		tc.change(s)
		_, f := s.log()
		r, err := Verify(f, Options{Key: key, Draw: &s.header})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if steps, text := found(r); r.OK() || !slices.Equal(steps, tc.steps) || !strings.Contains(text, tc.says) {
			t.Errorf("%s: %v, want %v\n%s", name, steps, tc.steps, text)
		}
	}
	s := newSale(t, round1000, 6)
	s.header.Log = &draw.LogHead{Size: 3}
	three := *s
	three.entries = s.entries[:3]
	l, _ := three.log()
	s.header.Log.Root = l.Root()
	_, f := s.log()
	if r, err := Verify(f, Options{Draw: &s.header}); err != nil || r.OK() {
		t.Errorf("a draw that was published before it was logged: %v %v", r, err)
	}
}

func TestFilesOfALogThatDoNotHold(t *testing.T) {
	t.Parallel()
	_, key, _ := testKey(t)
	s := newSale(t, draw.Beacon{}, 300)
	l, good := s.log()
	last := EntriesPath(1, int(l.Size()-tileWidth))
	rewritten := newSale(t, draw.Beacon{}, 299)
	old, _ := rewritten.log()
	for name, tc := range map[string]struct {
		change func(f files)
		seen   []Checkpoint
		steps  []draw.Step
		says   string
	}{
		"no checkpoint":  {func(f files) { delete(f, "checkpoint") }, nil, []draw.Step{StepCheckpoint}, "not exist"},
		"no note":        {func(f files) { f["checkpoint"] = []byte("hello") }, nil, []draw.Step{StepCheckpoint}, "open the checkpoint"},
		"forged":         {func(f files) { f["checkpoint"] = []byte(strings.Replace(string(f["checkpoint"]), "305", "304", 1)) }, nil, []draw.Step{StepCheckpoint, StepLog}, "signature"},
		"bundle missing": {func(f files) { delete(f, "tile/entries/000") }, nil, []draw.Step{StepLog}, "not exist"},
		"bundle torn":    {func(f files) { f[last] = f[last][:len(f[last])-1] }, nil, []draw.Step{StepLog}, last},
		"bundle long":    {func(f files) { f[last] = append(slices.Clone(f[last]), 0) }, nil, []draw.Step{StepLog}, "1 bytes stand after"},
		"byte changed":   {func(f files) { f[last] = []byte(strings.Replace(string(f[last]), "sold out", "sold Out", 1)) }, nil, []draw.Step{StepLog}, "the entries have the root"},
		"written anew":   {func(files) {}, []Checkpoint{old.Checkpoint(origin)}, []draw.Step{StepSeen}, "written anew"},
		"cut":            {func(files) {}, []Checkpoint{{Origin: origin, Size: l.Size() + 1}}, []draw.Step{StepSeen}, "has only"},
		"another log":    {func(files) {}, []Checkpoint{{Origin: "elsewhere", Size: l.Size(), Root: l.Root()}}, []draw.Step{StepSeen}, "elsewhere"},
	} {
		f := maps.Clone(good)
		tc.change(f)
		r, err := Verify(f, Options{Key: key, Seen: tc.seen})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if steps, text := found(r); r.OK() || !slices.Equal(steps, tc.steps) || !strings.Contains(text, tc.says) {
			t.Errorf("%s: %v, want %v\n%s", name, steps, tc.steps, text)
		}
	}
}

func TestPartialBundleMayBeGone(t *testing.T) {
	t.Parallel()
	s := newSale(t, draw.Beacon{}, 600)
	_, later := s.log()
	s.entries = s.entries[:300]
	l, f := s.log()
	delete(f, EntriesPath(1, 44))
	f[EntriesPath(1, 256)] = later[EntriesPath(1, 256)]
	r, err := Verify(f, Options{Seen: []Checkpoint{l.Checkpoint(origin)}})
	if err != nil || !r.OK() || !r.Checks[0].Skipped {
		t.Errorf("%+v %v", r, err)
	}
}

// cut is a line that breaks.
type cut struct {
	files
	at string
}

func (c cut) Read(path string) ([]byte, error) {
	if path == c.at {
		return nil, io.ErrUnexpectedEOF
	}
	return c.files.Read(path)
}

func TestWhatCannotBeReadIsNotCalledWrong(t *testing.T) {
	t.Parallel()
	_, f := newSale(t, draw.Beacon{}, 300).log()
	for _, at := range []string{"checkpoint", "tile/entries/000"} {
		if r, err := Verify(cut{f, at}, Options{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %+v %v", at, r, err)
		}
	}
}

func TestKindsOfAHostileLogAreBounded(t *testing.T) {
	t.Parallel()
	s := newSale(t, draw.Beacon{}, 0)
	for i := range 300 {
		s.add(s.head(Kind(fmt.Sprintf("kind %d", i)), ""))
	}
	_, f := s.log()
	if r, err := Verify(f, Options{}); err != nil || len(r.Kinds) > kindsMax+1 || r.Kinds["other"] == 0 {
		t.Errorf("%d kinds, %v", len(r.Kinds), err)
	}
}
