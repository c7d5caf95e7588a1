package mutants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Run builds the simulator with each mutant, in the current folder's module, and runs up to n seeds. It notes the name, how many seeds it
// took, and what was violated: nothing when the mutant survived. A mutant whose text is gone, or that does not build, is an error.
func Run(n int, note func(name string, seeds int, why string)) error {
	dir, err := os.MkdirTemp("", "ticketrush-mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is in the folder for such things
	var problems []error
	for _, m := range table {
		seeds, why, err := m.run(dir, n)
		if err != nil {
			problems = append(problems, fmt.Errorf("mutant %s: %w", m.name, err))
			continue
		}
		note(m.name, seeds, why)
	}
	return errors.Join(problems...)
}

// apply is the file's text with the change.
func (m *mutant) apply() (string, error) {
	text, err := os.ReadFile(filepath.FromSlash(m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("its text occurs %d times in %s: the code has changed, the mutant has to follow", n, m.file)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}

// build makes the simulator with the mutant in it.
func (m *mutant) build(dir string) (program string, err error) {
	text, err := m.apply()
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.FromSlash(m.file))
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "sim")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-overlay", list, "-o", program, "./sim/cmd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("it does not build: %w\n%s", err, out)
	}
	return program, nil
}

var verdict = regexp.MustCompile(`(?m)^(\d+) seeds: (.*)$`)

func (m *mutant) run(dir string, n int) (seeds int, why string, err error) {
	program, err := m.build(dir)
	if err != nil {
		return 0, "", err
	}
	out, err := exec.CommandContext(context.Background(), program, "-verdict", "-seeds", strconv.Itoa(n)).CombinedOutput()
	if found := verdict.FindSubmatch(out); err == nil && found != nil {
		seeds, err = strconv.Atoi(string(found[1]))
		return seeds, string(found[2]), err
	}
	if err == nil {
		return 0, "", fmt.Errorf("the simulator gave no verdict: %s", out)
	}
	// A panic is as good as a violation.
	line, _, _ := strings.Cut(string(out), "\n")
	return 0, line, nil
}
