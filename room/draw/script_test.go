package draw

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	scriptBytesMax = 3 << 10
	scriptMillis   = 50.0
)

func TestScriptIsSmall(t *testing.T) {
	t.Parallel()
	if len(VerifyScript) > scriptBytesMax {
		t.Errorf("verify.js has %d bytes, at most %d", len(VerifyScript), scriptBytesMax)
	}
}

// scriptCase is a receipt and what Go says of it.
type scriptCase struct {
	Receipt json.RawMessage `json:"receipt"`
	Known   map[string]Hash `json:"known,omitempty"`
	Step    Step            `json:"step"`
}

// TestScriptAgreesWithGo gives the script receipts that hold and receipts with a bit flipped, and compares step by step. It needs node; where there is
// none, the walk in Chromium (make browser) still runs the script.
func TestScriptAgreesWithGo(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Log("no node on this machine")
		return
	}
	var cases []scriptCase
	for n, beacon := range map[int]Beacon{1: {}, 2: round1000, 3: testEntered, 7: {}, 300: testEntered} {
		d := drawn(t, numbered(t, n), beacon)
		for i := range min(n, 8) {
			_, text := mustReceipt(t, d, nth(i))
			cases = append(cases, judge(text, Trusted{}))
		}
		_, text := mustReceipt(t, d, nth(0))
		terms := d.Terms()
		other := terms.Root
		other[0]++
		cases = append(cases, judge(text, Trusted{terms.Commitment, terms.Root}), judge(text, Trusted{Root: other}), judge(text, Trusted{Commitment: other}))
		cases = append(cases, judge(bytes.Replace(text, []byte(`"ordinal":`), []byte(`"ordinal":9`), 1), Trusted{}))
		cases = append(cases, flips(text)...)
	}
	runScript(t, node, cases)
}

// judge asks Go.
func judge(text []byte, known Trusted) scriptCase {
	c := scriptCase{Receipt: text, Known: map[string]Hash{}}
	if known.Commitment != (Hash{}) {
		c.Known["commitment"] = known.Commitment
	}
	if known.Root != (Hash{}) {
		c.Known["root"] = known.Root
	}
	r, err := ParseReceipt(text)
	if err == nil {
		err = r.Verify(known)
	}
	if f := (*Fault)(nil); errors.As(err, &f) {
		c.Step = f.Step
	}
	return c
}

// flips changes a bit of each byte of a receipt. Left out is what JSON allows Go and JavaScript to read differently: names of fields in another case or
// repeated; and the signature of drand, which the script does not check.
func flips(text []byte) (cases []scriptCase) {
	for i := range text {
		changed := append([]byte(nil), text...)
		changed[i] ^= 1 << (i % 7)
		var fields map[string]any
		if json.Unmarshal(changed, &fields) != nil || !sameNames(text, changed) {
			continue
		}
		if c := judge(changed, Trusted{}); c.Step != StepBeacon {
			cases = append(cases, c)
		}
	}
	return cases
}

func sameNames(a, b []byte) bool {
	names := func(text []byte) (out []string) {
		dec := json.NewDecoder(bytes.NewReader(text))
		for {
			tok, err := dec.Token()
			if err != nil {
				return out
			}
			if s, ok := tok.(string); ok {
				switch s {
				case "format", "room", "edition", "rule", "commitment", "secret", "root", "n", "beacon", "source", "round", "value", "signature", "tid", "index", "path", "rank", "ordinal":
					out = append(out, s)
				}
			}
		}
	}
	return fmt.Sprint(names(a)) == fmt.Sprint(names(b))
}

// runScript has node judge the cases.
func runScript(t *testing.T, node string, cases []scriptCase) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "verify.mjs"), VerifyScript, 0o600); err != nil {
		t.Fatal(err)
	}
	const runner = `
import { verify } from './verify.mjs';
let text = '';
for await (const piece of process.stdin) text += piece;
const cases = JSON.parse(text);
const out = [];
for (const { receipt, known } of cases) out.push(await verify(receipt, known));
console.log(JSON.stringify(out));`
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "--input-type=module", "-e", runner)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(input), os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []struct {
		OK   bool `json:"ok"`
		Step Step `json:"step"`
	}
	if err := json.Unmarshal(answer, &got); err != nil || len(got) != len(cases) {
		t.Fatalf("%d answers to %d cases: %v", len(got), len(cases), err)
	}
	bad, steps := 0, map[Step]int{}
	for i, c := range cases {
		steps[c.Step]++
		if c.Step == StepFormat && got[i].Step == StepRank {
			continue // the script does not tell a rank that is no number from a wrong one
		}
		if got[i].Step != c.Step || got[i].OK != (c.Step == "") {
			if bad++; bad < 5 {
				t.Errorf("the script says %+v, Go says %q, of %s", got[i], c.Step, c.Receipt)
			}
		}
	}
	for _, step := range []Step{"", StepFormat, StepCommitment, StepRoot, StepSecret, StepInclusion, StepRank, StepOrdinal} {
		if steps[step] == 0 {
			t.Errorf("no case of the step %q", step)
		}
	}
	t.Logf("%d cases, %d wrong: %v", len(cases), bad, steps)
}
