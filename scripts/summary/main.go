// Command summary reads the output of `go test -json` and prints what a person wants to know: the output of the tests that failed, the
// tests that were skipped, a line for each package, and a closing line with the totals. It exits with 1 when a test or a package failed,
// when a test was skipped, or when nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

// event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
	Elapsed    float64
}

// tally is what the run came to.
type tally struct {
	passed, failed, skipped int
	problems                []string // failed and skipped tests, with why
	packages                map[string]string
}

func main() {
	t, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "summary: cannot read the output of go test -json:", err)
		os.Exit(1)
	}
	os.Exit(t.print(os.Stdout))
}

func read(r io.Reader) (*tally, error) {
	t := &tally{packages: map[string]string{}}
	output := map[string]*strings.Builder{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.problems = append(t.problems, lines.Text())
			continue
		}
		t.add(e, output)
	}
	return t, lines.Err()
}

func (t *tally) add(e event, output map[string]*strings.Builder) {
	key := e.Package + " " + e.Test
	if e.Package == "" {
		key = e.ImportPath
	}
	switch e.Action {
	case "output", "build-output":
		if output[key] == nil {
			output[key] = new(strings.Builder)
		}
		output[key].WriteString(e.Output)
		return
	case "build-fail":
		t.failed++
		t.problems = append(t.problems, "BUILD FAILED "+key+"\n"+text(output[key]))
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test == "" {
		t.packages[e.Package] = fmt.Sprintf("%-5s %s %.1fs", e.Action, e.Package, e.Elapsed)
		if e.Action == "fail" {
			t.problems = append(t.problems, "PACKAGE FAILED "+e.Package+"\n"+text(output[key]))
		}
		return
	}
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		t.problems = append(t.problems, "FAILED "+key+"\n"+text(output[key]))
	case "skip":
		t.skipped++
		t.problems = append(t.problems, "SKIPPED "+key+"\n"+text(output[key]))
	}
	delete(output, key)
}

func text(b *strings.Builder) string {
	if b == nil {
		return ""
	}
	return b.String()
}

func (t *tally) print(w io.Writer) (status int) {
	for _, p := range t.problems {
		fmt.Fprintln(w, p)
	}
	names := make([]string, 0, len(t.packages))
	for name := range t.packages {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if !strings.HasPrefix(t.packages[name], "skip") { // "skip" of a package means that it has no tests
			fmt.Fprintln(w, t.packages[name])
		}
	}
	if t.skipped > 0 {
		fmt.Fprintf(w, "%d tests were skipped: each must run, see above.\n", t.skipped)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	if t.failed > 0 || t.skipped > 0 || t.passed == 0 {
		return 1
	}
	return 0
}
