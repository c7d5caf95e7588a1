package draw

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustReceipt(tb testing.TB, d *Drawn, tid Tid) (*Receipt, []byte) {
	tb.Helper()
	r, ok := d.Receipt(tid)
	if !ok {
		tb.Fatalf("no receipt for %x", tid)
	}
	text, err := json.Marshal(r)
	if err != nil {
		tb.Fatal(err)
	}
	return r, text
}

func TestEveryMembersReceiptVerifies(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 255, 256, 257, 1000} {
		d := drawn(t, numbered(t, n), testEntered)
		terms := d.Terms()
		seen := map[int64]bool{}
		for i := range n {
			r, text := mustReceipt(t, d, nth(i))
			parsed, err := ParseReceipt(text)
			if err != nil || !reflect.DeepEqual(parsed, r) {
				t.Fatalf("%d of %d: %v\n%s", i, n, err, text)
			}
			if err := parsed.Verify(Trusted{Commitment: terms.Commitment, Root: terms.Root}); err != nil {
				t.Fatalf("%d of %d: %v\n%s", i, n, err, text)
			}
			seen[r.Ordinal] = true
		}
		if len(seen) != n {
			t.Errorf("%d ordinals among %d people", len(seen), n)
		}
		if r, ok := d.Receipt(nth(n)); ok {
			t.Errorf("a receipt for somebody who was not there: %+v", r)
		}
	}
}

// TestAnyChangedByteFails flips each bit of a receipt. What still verifies is the same receipt written differently, or its
// ordinal, which is not proven.
func TestAnyChangedByteFails(t *testing.T) {
	t.Parallel()
	for _, beacon := range []Beacon{{}, testEntered, round1000} {
		d := drawn(t, numbered(t, 300), beacon)
		r, text := mustReceipt(t, d, nth(7))
		changes := []byte{1, 2, 4, 8, 16, 32, 64, 128}
		if beacon.Mode() == ModeDrand {
			changes = []byte{1} // each that gets as far as the signature costs two milliseconds
		}
		for i := range text {
			for _, change := range changes {
				changed := append([]byte(nil), text...)
				changed[i] ^= change
				got, err := ParseReceipt(changed)
				if err != nil {
					continue
				}
				if got.Ordinal >= 1 && got.Ordinal <= got.N {
					got.Ordinal = r.Ordinal
				}
				if err := got.Verify(Trusted{}); err == nil && !reflect.DeepEqual(got, r) {
					t.Fatalf("byte %d, %q for %q, and it still verifies:\n%s", i, changed[i], text[i], changed)
				}
			}
		}
	}
}

// TestReceiptsOfAnotherDrawFail changes whole fields to what another genuine draw has.
func TestReceiptsOfAnotherDrawFail(t *testing.T) {
	t.Parallel()
	a, b := drawn(t, numbered(t, 300), testEntered), drawn(t, numbered(t, 301), Beacon{Source: "dice", Value: "5", Round: 2})
	other := Secret(nth32(77))
	for name, tc := range map[string]struct {
		change func(r, foreign *Receipt)
		step   Step
	}{
		"format":      {func(r, _ *Receipt) { r.Format = "ticketrush-receipt/2" }, StepFormat},
		"rule":        {func(r, _ *Receipt) { r.Rule = "ticketrush/draw/v2" }, StepFormat},
		"room":        {func(r, _ *Receipt) { r.Room = "autumn-tour" }, StepRank},
		"edition":     {func(r, _ *Receipt) { r.Edition++ }, StepRank},
		"commitment":  {func(r, _ *Receipt) { r.Commitment[5]++ }, StepSecret},
		"secret":      {func(r, _ *Receipt) { r.Secret = other }, StepSecret},
		"both":        {func(r, _ *Receipt) { r.Secret, r.Commitment = other, other.Commitment() }, StepRank},
		"root":        {func(r, f *Receipt) { r.Root = f.Root }, StepInclusion},
		"n":           {func(r, _ *Receipt) { r.N++ }, StepRank}, // leaf and path fit a tree of 301 as well: only the seed knows N
		"beacon":      {func(r, f *Receipt) { r.Beacon = f.Beacon }, StepRank},
		"no beacon":   {func(r, _ *Receipt) { r.Beacon = Beacon{} }, StepRank},
		"tid":         {func(r, f *Receipt) { r.Tid = f.Tid }, StepInclusion},
		"index":       {func(r, _ *Receipt) { r.Index ^= 1 }, StepInclusion},
		"index < 0":   {func(r, _ *Receipt) { r.Index = -1 }, StepInclusion},
		"index = n":   {func(r, _ *Receipt) { r.Index = r.N }, StepInclusion},
		"short path":  {func(r, _ *Receipt) { r.Path = r.Path[1:] }, StepInclusion},
		"long path":   {func(r, _ *Receipt) { r.Path = append(r.Path, PathHash{}) }, StepInclusion},
		"no path":     {func(r, _ *Receipt) { r.Path = nil }, StepInclusion},
		"rank":        {func(r, _ *Receipt) { r.Rank-- }, StepRank},
		"priority":    {func(r, _ *Receipt) { r.Rank &= before }, StepRank},
		"ordinal 0":   {func(r, _ *Receipt) { r.Ordinal = 0 }, StepOrdinal},
		"ordinal > n": {func(r, _ *Receipt) { r.Ordinal = r.N + 1 }, StepOrdinal},
		"n < 0":       {func(r, _ *Receipt) { r.N = -1 }, StepFormat},
	} {
		r, _ := mustReceipt(t, a, firstHalf(a))
		foreign, _ := mustReceipt(t, b, nth(8))
		tc.change(r, foreign)
		var f *Fault
		if err := r.Verify(Trusted{}); !errors.As(err, &f) || f.Step != tc.step {
			t.Errorf("%s: %v, want the step %q", name, err, tc.step)
		}
	}
	r, _ := mustReceipt(t, a, nth(7))
	foreign := b.Terms()
	for step, known := range map[Step]Trusted{StepRoot: {Root: foreign.Root}, StepCommitment: {Commitment: foreign.Root}} {
		var f *Fault
		if err := r.Verify(known); !errors.As(err, &f) || f.Step != step || !errors.Is(err, errNotPublished) {
			t.Errorf("%s: %v", step, err)
		}
	}
}

// firstHalf gives a member whose path is as long in a list of one more.
func firstHalf(d *Drawn) Tid {
	for tid := range d.Tids() {
		return tid
	}
	panic("empty")
}

func TestReceiptsThatAreNoReceipts(t *testing.T) {
	t.Parallel()
	_, good := mustReceipt(t, drawn(t, numbered(t, 3), testEntered), nth(1))
	swap := func(was, is string) string {
		if !strings.Contains(string(good), was) {
			t.Fatalf("%s has no %s", good, was)
		}
		return strings.Replace(string(good), was, is, 1)
	}
	for name, text := range map[string]string{
		"nothing":       "",
		"null":          "null",
		"a list":        "[]",
		"two":           string(good) + string(good),
		"unknown field": swap(`"tid"`, `"who"`),
		"short tid":     swap(`"tid":"`, `"tid":"00`),
		"rank number":   swap(`"rank":"`, `"rank":7,"x":"`),
		"big":           string(good) + strings.Repeat(" ", receiptMax),
		"path":          swap(`"path":["`, `"path":["AAAA","`),
		"loose base64":  swap(`"path":["`, `"path":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=","`),
	} {
		r, err := ParseReceipt([]byte(text))
		if err == nil {
			err = r.Verify(Trusted{})
		}
		var f *Fault
		if !errors.As(err, &f) || f.Step != StepFormat {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReceipt must never find a receipt that verifies against the root of a draw for a tid, rank or N that is not in that draw.
func FuzzReceipt(f *testing.F) {
	d := drawn(f, numbered(f, 40), testEntered)
	terms := d.Terms()
	for i := range 40 {
		_, text := mustReceipt(f, d, nth(i))
		f.Add(text)
	}
	f.Add([]byte(fmt.Sprintf(`{"format":%q,"rule":%q,"room":"r","n":1}`, ReceiptFormat, Rule)))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseReceipt(text)
		if err != nil || r.Verify(Trusted{Commitment: terms.Commitment, Root: terms.Root}) != nil || r.Terms != terms {
			return
		}
		if rank, _, ok := d.Place(Tid(r.Tid)); !ok || rank != r.Rank {
			t.Fatalf("verifies, and is not in the draw: %s", text)
		}
	})
}

func TestRandomReceiptsOfRandomDraws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := drawn(t, listOf(t, tidsGen.Filter(func(tids []Tid) bool { return len(tids) > 0 }).Draw(rt, "tids")...), Beacon{})
		index := rapid.Int64Range(0, d.N()-1).Draw(rt, "index")
		r, ok := d.Receipt(*d.list.at(index))
		if !ok || r.Index != index {
			rt.Fatalf("%+v", r)
		}
		if err := r.Verify(Trusted{Root: d.Root()}); err != nil {
			rt.Fatal(err)
		}
	})
}
