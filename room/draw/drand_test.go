package draw

import (
	"strings"
	"testing"
	"time"
)

// Rounds of quicknet as its relays have them.
var (
	round1000 = Beacon{
		Source: QuicknetSource, Round: 1000, Value: "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
		Signature: "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
	}
	answer1000 = `{"round":1000,"randomness":"fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd","signature":"b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"}`
)

func TestRoundsOfQuicknetVerify(t *testing.T) {
	t.Parallel()
	b, err := ParseDrand([]byte(answer1000), 1000)
	if err != nil || b != round1000 {
		t.Fatalf("%+v %v", b, err)
	}
	// A newer round, without the randomness that newer relays leave out.
	b, err = ParseDrand([]byte(`{"round":32281667,"signature":"b0f5ae301358ff87a9d3dd539ed4a07c0148b1ab4f7b61a8ca43c7e9ca7ca9553e4faae9188deb30b2cd1a7f447e3e5b","previous_signature":""}`), 32281667)
	if err != nil || b.Value != "4fd2fc55983dbfa3f446d8a0bd56f16cc8c5e76afd1ec154b60d477cbabed13b" {
		t.Fatalf("%+v %v", b, err)
	}
}

func TestDrandAnswersThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ answer, says string }{
		"empty":            {``, "JSON"},
		"a page":           {`<html>busy</html>`, "JSON"},
		"endless":          {strings.Repeat(" ", drandMax+1), "bytes"},
		"another round":    {strings.Replace(answer1000, "1000", "1001", 1), "round 1001, asked was 1000"},
		"no signature":     {`{"round":1000}`, "signature"},
		"not hexadecimal":  {strings.Replace(answer1000, "b446", "xyzw", 1), "hexadecimal"},
		"changed value":    {strings.Replace(answer1000, "fe29", "fe28", 1), "randomness"},
		"no point":         {`{"round":1000,"signature":"` + strings.Repeat("ab", 48) + `"}`, "not that of drand"},
		"point at 0":       {`{"round":1000,"signature":"c0` + strings.Repeat("00", 47) + `"}`, "not that of drand"},
		"of another round": {`{"round":1000,"signature":"b0f5ae301358ff87a9d3dd539ed4a07c0148b1ab4f7b61a8ca43c7e9ca7ca9553e4faae9188deb30b2cd1a7f447e3e5b"}`, "not that of drand"},
	} {
		if b, err := ParseDrand([]byte(tc.answer), 1000); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %+v %v", name, b, err)
		}
	}
}

func FuzzParseDrand(f *testing.F) {
	f.Add([]byte(answer1000))
	f.Add([]byte(`{"round":1000,"signature":""}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if b, err := ParseDrand(answer, 1000); err == nil && b != round1000 {
			t.Fatalf("a second value of round 1000: %+v", b)
		}
	})
}

func TestRoundAfter(t *testing.T) {
	t.Parallel()
	c := Quicknet()
	for _, tc := range []struct {
		after time.Duration // since genesis
		round uint64
	}{{-time.Hour, 1}, {-1, 1}, {0, 2}, {1, 2}, {2999 * time.Millisecond, 2}, {3 * time.Second, 3}, {3*time.Second + 1, 3}} {
		at := c.Genesis.Add(tc.after)
		got := c.RoundAfter(at)
		if got != tc.round || !c.TimeOf(got).After(at) || (got > 1 && c.TimeOf(got-1).After(at)) {
			t.Errorf("%v after the genesis: round %d at %v, want %d", tc.after, got, c.TimeOf(got), tc.round)
		}
	}
	if at := c.TimeOf(1000); at.Unix() != 1692803367+999*3 {
		t.Errorf("round 1000 at %v", at)
	}
	if at := c.TimeOf(0); at != c.Genesis {
		t.Errorf("round 0 at %v", at)
	}
	if at := c.TimeOf(roundMax); at.Before(c.Genesis) {
		t.Errorf("the last round at %v", at)
	}
	if p := c.Path(7); p != "/52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971/public/7" {
		t.Error(p)
	}
}
