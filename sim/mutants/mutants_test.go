package mutants

import (
	"go/parser"
	"go/token"
	"testing"
)

// TestMutantsFollowTheCode: each mutant's text is still in the code, once, and what comes out is Go. `make mutants` builds and runs them.
func TestMutantsFollowTheCode(t *testing.T) {
	t.Chdir("../..")
	names := map[string]bool{}
	for _, m := range table {
		if names[m.name] {
			t.Errorf("there are two mutants %s", m.name)
		}
		names[m.name] = true
		text, err := m.apply()
		if err != nil {
			t.Errorf("mutant %s: %v", m.name, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, text, 0); err != nil {
			t.Errorf("mutant %s is not Go: %v", m.name, err)
		}
	}
}
