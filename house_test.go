// Package house guards how the code is laid out: sizes, direction of dependencies, purity, and the links of the docs.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	fileLinesMax     = 500
	functionLinesMax = 70
)

// allowed is the table of docs/design.md: what each package may import of ours. A package that is not named may not exist.
var allowed = map[string][]string{
	"pass":                  {},
	"room":                  {"room/draw", "room/merkle"},
	"room/merkle":           {},
	"room/draw":             {"room/merkle"},
	"room/openlog":          {"room/merkle", "room/draw"},
	"room/host":             {"room", "room/draw", "room/merkle", "room/openlog", "pass"},
	"client":                {"pass", "stockd/stock", "room", "room/draw", "room/host"},
	"caddymodule":           {"client", "room", "room/draw", "room/host", "room/openlog", "pass", "caddymodule/botfilter", "caddymodule/page"},
	"caddymodule/page":      {},
	"caddymodule/botfilter": {},
	"charts":                {},
	"charts/arena":          {"stockd/chart"},
	"ledger":                {"ledger/db", "ledger/journal", "ledger/pgdev"},
	"ledger/journal":        {},
	"ledger/reconcile":      {"ledger", "ledger/db", "ledger/journal", "room/merkle"},
	"ledger/db":             {},
	"ledger/money":          {},
	"ledger/finance":        {"ledger", "ledger/reconcile", "ledger/db", "ledger/money", "room/merkle"},
	"ledger/pgdev":          {},
	"stockd/account":        {},
	"stockd/stock":          {},
	"stockd/chart":          {"stockd/stock"},
	"stockd/owner":          {"stockd/stock"},
	"stockd/cluster":        {"client"},
	"stockd/batch":          {"ledger"},
	"stockd/order":          {"ledger", "stockd/batch", "stockd/stock"},
	"stockd/sandbox":        {"stockd/order", "stockd/batch", "stockd/paypage", "ledger", "ledger/money"},
	"stockd/paypage":        {},
	"stockd/paper":          {},
	"stockd/stripe":         {"stockd/order"},
	"stockd/stripe/fake":    {},
	"stockd/gate":           {"stockd/order"},
	"stockd/site":           {},
	"stockd/shed":           {},
	"stockd/conns":          {},
	"stockd/admin":          {},
	"stockd/node":           {"stockd/owner", "stockd/stock", "stockd/chart", "stockd/cluster", "stockd/order", "ledger", "room", "client", "pass"},
	"stockd/rooms":          {"stockd/node", "stockd/owner", "stockd/stock", "ledger", "client", "room", "room/draw", "room/host", "pass"},
	"stockd/api":            {"stockd/node", "stockd/order", "stockd/stock", "stockd/chart", "stockd/admin", "stockd/account", "stockd/shed", "stockd/paper", "stockd/gate", "ledger/money", "pass"},
	"stockd/rush":           {"client", "pass"},
	"stockd/demo":           {"ledger", "ledger/pgdev", "charts", "stockd/rush", "stockd/site", "pass", "client"},
	"chaos":                 {"stockd/demo", "stockd/stock", "stockd/chart", "ledger", "ledger/reconcile", "client", "room", "room/host"},
	"chaos/cmd":             {"chaos"},
	"stockd/failure":        {},
	"stockd/config":         {"stockd/failure", "stockd/account", "stockd/stripe", "ledger", "pass"},
	"stockd/serve":          {"*"},
	"stockd":                {"*"},
	"scripts/summary":       {},
	"bench":                 {"*"},
	"browser":               {},
	"sim":                   {"stockd/owner", "stockd/stock", "stockd/order", "room"},
	"sim/mutants":           {},
	"sim/crowd":             {"room", "room/draw"},
	"sim/crowd/cmd":         {"sim/crowd"},
	"sim/cmd":               {"sim", "sim/mutants"},
}

// pure packages decide; they reach no network, no database and no clock, so that tests, recovery and the simulator run them as they are.
var pure = []string{"pass", "room", "room/merkle", "room/draw", "room/openlog", "caddymodule/botfilter", "ledger/journal", "stockd/stock", "stockd/chart", "stockd/owner", "stockd/shed"}

// forbidden is what a pure package may not import; prefixes.
var forbidden = []string{"net", "database/sql", "os/exec", "github.com/caddyserver", "github.com/lib/pq", "ticketrush/ledger"}

// source is one Go file of the project.
type source struct {
	path    string // slash-separated, from the root
	dir     string
	text    string
	file    *ast.File
	set     *token.FileSet
	isTest  bool
	machine bool // written by a generator
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "tools") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		all = append(all, source{
			path: filepath.ToSlash(p), dir: path.Dir(filepath.ToSlash(p)), text: string(text), file: file, set: set,
			isTest: strings.HasSuffix(p, "_test.go"), machine: ast.IsGenerated(file),
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestHouseSizes(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.machine {
			continue
		}
		if n := strings.Count(s.text, "\n"); n > fileLinesMax {
			t.Errorf("%s has %d lines, at most %d: split it by what its parts do", s.path, n, fileLinesMax)
		}
		if s.isTest {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > functionLinesMax {
				t.Errorf("%s: function %s has %d lines, at most %d", s.path, f.Name.Name, n, functionLinesMax)
			}
		}
	}
}

func TestHouseImports(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		may, known := allowed[s.dir]
		if !known && s.dir != "." {
			t.Errorf("%s: package %s is not in the table of dependencies", s.path, s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			if ours, ok := strings.CutPrefix(name, "ticketrush/"); ok && !s.isTest && ours != s.dir && !slices.Contains(may, ours) && !slices.Contains(may, "*") {
				t.Errorf("%s imports %s: dependencies run downward, see docs/design.md", s.path, ours)
			}
			if strings.HasPrefix(name, "github.com/caddyserver/caddy") && s.dir != "caddymodule" {
				t.Errorf("%s imports %s: only caddymodule knows Caddy", s.path, name)
			}
		}
	}
}

func TestHousePurePackages(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.isTest || !slices.Contains(pure, s.dir) {
			continue
		}
		for _, spec := range s.file.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			for _, f := range forbidden {
				if name == f || strings.HasPrefix(name, f+"/") {
					t.Errorf("%s imports %s: %s is pure", s.path, name, s.dir)
				}
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Sleep", "NewTimer", "NewTicker", "AfterFunc", "Tick"}, sel.Sel.Name) {
				t.Errorf("%s uses time.%s: in %s the time is passed in", s.set.Position(sel.Pos()), sel.Sel.Name, s.dir)
			}
			return true
		})
	}
}

func TestHouseTestsDoNotSleep(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.isTest && s.path != "house_test.go" && strings.Contains(s.text, "time.Sleep(") {
			t.Errorf("%s sleeps: wait for a signal, or use testing/synctest", s.path)
		}
	}
}

func TestHousePackagesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.isTest && s.dir != "." {
			continue
		}
		documented[s.dir] = documented[s.dir] || s.file.Doc != nil || s.machine
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment: add doc.go", dir)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)

// TestLinks follows the relative links of all Markdown files.
func TestLinks(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob("*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, docs...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}
