package draw

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// nth is a tid as they are: a hash.
func nth(n int) Tid {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return Tid(sum[:tidSize])
}

func listOf(tb testing.TB, tids ...Tid) *List {
	tb.Helper()
	l := new(List)
	for _, tid := range tids {
		if err := l.Append(tid); err != nil {
			tb.Fatal(err)
		}
	}
	return l
}

func numbered(tb testing.TB, n int) *List {
	tb.Helper()
	l := new(List)
	for i := range n {
		if err := l.Append(nth(i)); err != nil {
			tb.Fatal(err)
		}
	}
	return l
}

var (
	testSecret  = Secret(nth32(0))
	testEntered = Beacon{Source: "lotto 6/49 of 2026-12-01", Value: "3 17 22 31 44 49"}
)

func nth32(first byte) (b [32]byte) {
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func drawn(tb testing.TB, l *List, beacon Beacon) *Drawn {
	tb.Helper()
	d, err := Seal(l).Draw("spring-tour", 3, testSecret, beacon)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// TestRuleIsAsWritten has numbers that a second program computed, in another language, from the package documentation alone.
func TestRuleIsAsWritten(t *testing.T) {
	t.Parallel()
	tids := make([]Tid, 5)
	for i := range tids {
		sum := sha256.Sum256([]byte{byte(i)})
		tids[i] = Tid(sum[:tidSize])
	}
	type place struct {
		tid     string
		rank    uint64
		ordinal int64
	}
	for _, tc := range []struct {
		room    string
		edition uint16
		beacon  Beacon
		seed    string
		places  []place
	}{
		{"spring-tour", 3, round1000, "5e3cd04a253c20313dd03de7895ff846ed77a923f7f5d4388da083c004d345e0", []place{
			{"084fed08b978af4d7d196a7446a86b58", 2787120323108536932, 2}, {"4bf5122f344554c53bde2ebb8cd2b7e3", 3632030549921219485, 4},
			{"6e340b9cffb37a989ca544e6bb780a2c", 2832913815928459122, 3}, {"dbc1b4c900ffe48d575b5da5c6380401", 4223501403636285935, 5},
			{"e52d9c508c502347344d8c07ad91cbd6", 2385077431269475878, 1},
		}},
		{"Frühling", 65535, Beacon{}, "932ca3b9cb1607daa3140afdddf45fe3ab6a2b0536d4c76f435c1027a61f7c63", []place{
			{"084fed08b978af4d7d196a7446a86b58", 4247917284454500409, 5}, {"4bf5122f344554c53bde2ebb8cd2b7e3", 3459111785676036031, 2},
			{"6e340b9cffb37a989ca544e6bb780a2c", 3566785058482729614, 3}, {"dbc1b4c900ffe48d575b5da5c6380401", 4183009042306001161, 4},
			{"e52d9c508c502347344d8c07ad91cbd6", 2546010595572633343, 1},
		}},
	} {
		d, err := Seal(listOf(t, tids...)).Draw(tc.room, tc.edition, testSecret, tc.beacon)
		if err != nil {
			t.Fatal(err)
		}
		terms := d.Terms()
		if got := terms.Commitment.String(); got != "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd" {
			t.Errorf("C = %s", got)
		}
		if got := terms.Root.String(); got != "292f0d1005888c793cffd05d47653112e03170b79a040a23f8166ba4bef32839" {
			t.Errorf("R = %s", got)
		}
		if d.Seed().String() != tc.seed {
			t.Errorf("seed of %s = %v", tc.room, d.Seed())
		}
		for _, p := range tc.places {
			var tid Tid
			if _, err := hex.Decode(tid[:], []byte(p.tid)); err != nil {
				t.Fatal(err)
			}
			if rank, ordinal, ok := d.Place(tid); !ok || rank != p.rank || ordinal != p.ordinal {
				t.Errorf("%s: %s has rank %d and ordinal %d, want %d and %d", tc.room, p.tid, rank, ordinal, p.rank, p.ordinal)
			}
		}
	}
}

// tidsGen makes lists with repetitions, crowded first bytes and any order.
var tidsGen = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) (tid Tid) {
	tid[0] = rapid.SampledFrom([]byte{0, 1, 0xfe, 0xff}).Draw(t, "first")
	tid[15] = byte(rapid.IntRange(0, 60).Draw(t, "last"))
	return tid
}), 0, 300)

func TestTheListIsASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		tids := tidsGen.Draw(rt, "tids")
		set := slices.Clone(tids)
		slices.SortFunc(set, func(a, b Tid) int { return bytes.Compare(a[:], b[:]) })
		set = slices.Compact(set)
		again := append(slices.Clone(tids), rapid.SliceOf(rapid.SampledFrom(append(tids, Tid{}))).Filter(func(more []Tid) bool {
			return len(tids) > 0 || len(more) == 0
		}).Draw(rt, "again")...)
		again = slices.DeleteFunc(again, func(tid Tid) bool { return !slices.Contains(tids, tid) })
		again = rapid.Permutation(again).Draw(rt, "order")

		a, b := drawn(t, listOf(t, tids...), testEntered), drawn(t, listOf(t, again...), testEntered)
		if got := slices.Collect(a.Tids()); !slices.Equal(got, set) {
			rt.Fatalf("sealed %x, want %x", got, set)
		}
		if a.Root() != b.Root() || a.N() != b.N() || a.Seed() != b.Seed() || !slices.Equal(a.ranks, b.ranks) {
			rt.Fatal("another order or repetitions changed the draw")
		}
		if want := naiveRoot(set); a.Root() != want {
			rt.Fatalf("root %v, want %v", a.Root(), want)
		}
	})
}

// naiveRoot is section 2.1 of RFC 6962 as it stands there.
func naiveRoot(tids []Tid) Hash {
	switch len(tids) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, tids[0][:]...))
	}
	k := 1
	for 2*k < len(tids) {
		k *= 2
	}
	left, right := naiveRoot(tids[:k]), naiveRoot(tids[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

// TestEachOrdinalOnce also has ranks that several tids share, which no real seed will ever show.
func TestEachOrdinalOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := Seal(listOf(t, tidsGen.Draw(rt, "tids")...))
		ranks := uint64(rapid.IntRange(1, 40).Draw(rt, "ranks"))
		d := &Drawn{Sealed: s, rank: func(tid *Tid) uint64 { return Class<<ClassShift + uint64(tid[0]+tid[15])%ranks }}
		d.order(d.rank)

		order := slices.Collect(s.Tids())
		slices.SortStableFunc(order, func(a, b Tid) int {
			return int(int64(d.rank(&a)) - int64(d.rank(&b))) // stable: of equal ranks the smaller tid is first
		})
		for i, tid := range order {
			rank, ordinal, ok := d.Place(tid)
			if !ok || ordinal != int64(i)+1 || rank != d.rank(&tid) || d.RankAt(ordinal) != rank {
				rt.Fatalf("%x: rank %d, ordinal %d, want %d", tid, rank, ordinal, i+1)
			}
		}
		if d.RankAt(0) != before || d.RankAt(-5) != before || d.CountUpTo(before) != 0 {
			rt.Fatal("before the first there must be nobody")
		}
		if n := d.N(); n > 0 && (d.RankAt(n+7) != d.RankAt(n) || d.CountUpTo(d.RankAt(n)) != n) {
			rt.Fatal("after the last there must be nobody")
		}
		checkHistogram(rt, d, rapid.IntRange(-1, 50).Draw(rt, "points"))
	})
}

func checkHistogram(rt *rapid.T, d *Drawn, limit int) {
	points := d.Histogram(limit)
	if len(points) > max(limit, 0) || (len(points) == 0) != (limit <= 0 || d.N() == 0) {
		rt.Fatalf("%d points of at most %d for %d", len(points), limit, d.N())
	}
	for i, p := range points {
		if p.Count != uint64(d.CountUpTo(p.Rank)) || (i > 0 && (p.Rank <= points[i-1].Rank || p.Count <= points[i-1].Count)) {
			rt.Fatalf("point %d of %v", i, points)
		}
	}
	if len(points) > 0 && points[len(points)-1].Count != uint64(d.N()) {
		rt.Fatalf("the last point is %v of %d", points[len(points)-1], d.N())
	}
}

// TestTreeIsThatOfTlog has sizes around the subtrees that are kept, and all proofs.
func TestTreeIsThatOfTlog(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 255, 256, 257, 511, 512, 700, 1025} {
		s := Seal(numbered(t, n))
		tids := slices.Collect(s.Tids())
		if want := naiveRoot(tids); s.Root() != want || s.N() != int64(n) {
			t.Fatalf("%d tids: root %v, want %v", n, s.Root(), want)
		}
		for i, tid := range tids {
			if err := tlog.CheckRecord(s.tree.proof(int64(i)), s.N(), tlog.Hash(s.Root()), int64(i), tlog.RecordHash(tid[:])); err != nil {
				t.Fatalf("%d of %d tids: %v", i, n, err)
			}
		}
	}
}

func TestListIsStoredAndReloadedInPieces(t *testing.T) {
	t.Parallel()
	const n = 2*chunkTids + 77
	l := numbered(t, n)
	for _, from := range []int64{-1, 0, 1, chunkTids - 1, chunkTids, n - 1, n, n + 5} {
		again := numbered(t, int(min(max(from, 0), n)))
		for piece := range l.Raw(from) {
			if len(piece) > chunkSize {
				t.Fatalf("a piece of %d bytes", len(piece))
			}
			if err := again.AppendRaw(piece); err != nil {
				t.Fatal(err)
			}
		}
		if again.Len() != n {
			t.Fatalf("from %d: %d tids, want %d", from, again.Len(), n)
		}
		if got, want := Seal(again).Root(), Seal(numbered(t, n)).Root(); got != want {
			t.Errorf("from %d: root %v, want %v", from, got, want)
		}
	}
	if err := l.AppendRaw(make([]byte, 17)); !errors.Is(err, errTorn) || l.Len() != n {
		t.Errorf("17 bytes: %v, %d tids", err, l.Len())
	}
	full := List{n: ListMax}
	if err := full.Append(Tid{}); !errors.Is(err, ErrListFull) {
		t.Errorf("one more than the most: %v", err)
	}
	if err := (&List{n: ListMax - 1}).AppendRaw(make([]byte, 32)); !errors.Is(err, ErrListFull) {
		t.Errorf("two for one place: %v", err)
	}
	Seal(l)
	if l.Len() != 0 || l.Append(nth(1)) != nil || l.Len() != 1 {
		t.Error("a sealed list must be left empty and usable")
	}
}

func TestDrawRefusesWhatNobodyCouldVerify(t *testing.T) {
	t.Parallel()
	s := Seal(numbered(t, 3))
	forged := round1000
	forged.Round = 1001
	unlike := round1000
	unlike.Value = strings.Repeat("0", 64)
	for name, tc := range map[string]struct {
		room   string
		beacon Beacon
		says   string
	}{
		"no room":           {"", Beacon{}, "name"},
		"long room":         {strings.Repeat("r", roomMax+1), Beacon{}, "100 bytes"},
		"room not UTF-8":    {"\xff", Beacon{}, "UTF-8"},
		"value of nobody":   {"r", Beacon{Value: "5"}, "no source"},
		"source of nothing": {"r", Beacon{Source: "dice"}, "no value"},
		"signed dice":       {"r", Beacon{Source: "dice", Value: "5", Signature: "ab"}, "no signature"},
		"long value":        {"r", Beacon{Source: "dice", Value: strings.Repeat("5", valueMax+1)}, "too large"},
		"value not UTF-8":   {"r", Beacon{Source: "dice", Value: "\xff"}, "UTF-8"},
		"unsigned drand":    {"r", Beacon{Source: QuicknetSource, Round: 1000, Value: round1000.Value}, "signature"},
		"another round":     {"r", forged, "round 1001"},
		"another value":     {"r", unlike, "SHA-256 of drand's signature"},
	} {
		if d, err := s.Draw(tc.room, 1, testSecret, tc.beacon); d != nil || err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSourcesThatMayBeNamed: what is accepted when a room is configured has to be accepted at its draw.
func TestSourcesThatMayBeNamed(t *testing.T) {
	t.Parallel()
	s := Seal(numbered(t, 3))
	for name, ok := range map[string]bool{
		"dice": true, strings.Repeat("s", sourceMax): true, "": false, strings.Repeat("s", sourceMax+1): false, "\xff": false, QuicknetSource: false,
	} {
		if err := CheckSource(name); (err == nil) != ok {
			t.Errorf("%.20q: %v", name, err)
		}
		if _, err := s.Draw("r", 1, testSecret, Beacon{Source: name, Value: "6"}); (err == nil) != ok {
			t.Errorf("%.20q: draw: %v", name, err)
		}
	}
	_, text := mustReceipt(t, drawn(t, numbered(t, 300), Beacon{Source: strings.Repeat("<", sourceMax), Value: strings.Repeat(">", valueMax)}), nth(1))
	if _, err := ParseReceipt(text); err != nil {
		t.Errorf("the longest names: %v", err)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	a, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := NewSecret(rand.Reader); err != nil || a == b {
		t.Errorf("%v %v", err, a == b)
	}
	if _, err := NewSecret(strings.NewReader("short")); err == nil {
		t.Error("made a secret of 5 bytes")
	}
	text, err := a.MarshalText()
	var again Secret
	if err != nil || again.UnmarshalText(text) != nil || again != a {
		t.Errorf("%s", text)
	}
	for _, bad := range []string{"", "00", strings.Repeat("g", 64), strings.Repeat("A", 64)} {
		if again.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("read %q", bad)
		}
	}
}

func TestRankerAgrees(t *testing.T) {
	t.Parallel()
	seed := Hash(nth32(9))
	r := NewRanker(seed)
	for i := range 100 {
		if tid := nth(i); r.Rank(tid) != Rank(seed, tid) || r.Rank(tid)>>ClassShift != Class {
			t.Fatalf("%x: %d", tid, r.Rank(tid))
		}
	}
}
