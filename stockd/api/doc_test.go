package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

const docPath = "../../docs/api.md"

// operations is the table of all operations, as docs/api.md has it between two marks.
func operations(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| operation | request | what |\n|---|---|---|\n")
	for path, item := range model(t).Model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			fmt.Fprintf(&b, "| `%s` | `%s %s` | %s |\n", op.OperationId, strings.ToUpper(method), path, strings.TrimSuffix(strings.TrimSpace(op.Summary), "."))
		}
	}
	return b.String()
}

// docs/api.md names each operation of the contract. UPDATE=1 writes the table.
func TestAPIDocNamesEachOperation(t *testing.T) {
	const begin, end = "<!-- operations -->\n", "<!-- end of operations -->\n"
	text, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between %q and %q", docPath, begin, end)
	}
	want := operations(t)
	if table == want {
		return
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(docPath, []byte(before+begin+want+end+after), 0o644); err != nil { //nolint:gosec // a page of the documentation
			t.Fatal(err)
		}
		return
	}
	for line := range strings.Lines(want) {
		if !strings.Contains(table, line) {
			t.Errorf("docs/api.md lacks the line\n%s", line)
		}
	}
	t.Error("the table of operations in docs/api.md is not the contract's: UPDATE=1 go test ./stockd/api -run TestAPIDocNames writes it")
}

// example is a request of docs/api.md with the answer that is shown for it.
type example struct {
	line   int
	method string
	path   string
	header [][2]string
	body   string
	status int
	answer string   // JSON, or empty
	text   []string // lines that are in an answer that is not JSON
	events string   // of a stream: of the one that this opens, or of the one that is open
}

var fence = regexp.MustCompile("(?ms)^```(http|json \\d+|text \\d+|events)\\n(.*?)^```$")

// examples reads the blocks: a request in the form that editors and httpie's friends run, then what comes back.
func examples(t *testing.T, text string) (list []example) {
	t.Helper()
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		kind, block := text[at[2]:at[3]], text[at[4]:at[5]]
		line := 1 + strings.Count(text[:at[0]], "\n")
		asked := len(list) > 0 && list[len(list)-1].status == 0
		kind, status, _ := strings.Cut(kind, " ")
		switch {
		case kind == "events" && !asked:
			list = append(list, example{line: line, status: http.StatusOK, events: block})
			continue
		case kind != "http" && !asked:
			t.Fatalf("docs/api.md has an answer without a request: %s", block)
		case kind != "http":
			e := &list[len(list)-1]
			switch e.status, _ = strconv.Atoi(status); kind {
			case "json":
				e.answer = strings.TrimSpace(block)
			case "text":
				e.text = strings.Split(strings.TrimSpace(block), "\n")
			case "events":
				e.status, e.events = http.StatusOK, block
			}
			continue
		}
		head, body, _ := strings.Cut(block, "\n\n")
		lines := strings.Split(strings.TrimSpace(head), "\n")
		e := example{line: line, body: strings.TrimSpace(body)}
		e.method, e.path, _ = strings.Cut(lines[0], " ")
		e.path = strings.TrimPrefix(e.path, "{{api}}")
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ": ")
			e.header = append(e.header, [2]string{name, value})
		}
		list = append(list, e)
	}
	return list
}

// Each example of docs/api.md is sent to a real node, in order, and the answer has the shape that is shown: the status, each field that is shown, of
// the same JSON type, and of what is a state or a problem the same word. What is {{shown so}} in an answer is put into later requests.
func TestAPIDocExamplesRun(t *testing.T) {
	text, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	list := examples(t, string(text))
	if len(list) < 10 {
		t.Fatalf("docs/api.md has %d examples", len(list))
	}
	c := newCluster(t, 1)
	values := map[string]string{"api_key": opsKey}
	r, _ := http.NewRequest(http.MethodGet, "/", http.NoBody)
	c.visitor(1)(r)
	values["pass"] = strings.TrimPrefix(r.Header.Get("Authorization"), "WaitingRoom ")
	var stream *docStream
	for _, e := range list {
		var problem error
		if e.events != "" {
			if e.method != "" {
				stream = c.stream(t, e, values)
			}
			if err := stream.expect(e.events, values); err != nil {
				t.Errorf("docs/api.md line %d: %v", e.line, err)
			}
			continue
		}
		tries := 0
		c.until(fmt.Sprintf("the example of line %d is answered as shown", e.line), func() bool {
			problem = e.compare(c.run(e, values), values)
			tries++
			return problem == nil || e.method != http.MethodGet || tries > 100 // what a worker brings about may take a moment
		})
		if problem != nil {
			t.Errorf("docs/api.md line %d, %s %s: %v", e.line, e.method, e.path, problem)
		}
	}
}

// variable is a value that was shown in an answer, or one of the editors' own: {{$guid}}, {{$datetime iso8601 -9 m}}.
var variable = regexp.MustCompile(`\{\{(\$?\w+)(?: iso8601 (-?\d+) ([hm]))?\}\}`)

// filled puts values in.
func filled(text string, values map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		switch m := variable.FindStringSubmatch(name); m[1] {
		case "$guid":
			return uuid.NewString()
		case "$datetime":
			offset, _ := time.ParseDuration(m[2] + m[3]) // the expression lets through what this can read
			return time.Now().Add(offset).UTC().Format(time.RFC3339)
		}
		return values[strings.Trim(name, "{}")]
	})
}

func (c *cluster) run(e example, values map[string]string) result {
	options := []option{without("Idempotency-Key")}
	for _, h := range e.header {
		options = append(options, header(h[0], filled(h[1], values)))
	}
	return c.do(0, e.method, filled(e.path, values), filled(e.body, values), options...)
}

// compare says how an answer differs from the one that is shown, and takes values from it.
func (e *example) compare(got result, values map[string]string) error {
	if got.status != e.status {
		return fmt.Errorf("status %d, it shows %d: %s", got.status, e.status, got.text)
	}
	for _, line := range e.text {
		if !strings.Contains(string(got.text), line) {
			return fmt.Errorf("it shows %q; it answers %s", line, got.text)
		}
	}
	if e.answer == "" {
		return nil
	}
	var shown any
	if err := json.Unmarshal([]byte(e.answer), &shown); err != nil {
		return fmt.Errorf("the answer that is shown is not JSON: %w", err)
	}
	if err := sameShape("", shown, got.body, values); err != nil {
		return fmt.Errorf("%w; it answers %s", err, got.text)
	}
	return nil
}

// exact are the fields whose words are compared, not only their kind.
var exact = []string{"state", "type", "title", "currency", "total", "result", "colour", "kind", "number", "void_reason", "names", "seat", "format", "face", "fee", "tax", "net", "given_back"}

func sameShape(at string, shown, got any, values map[string]string) error {
	switch s := shown.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is shown as an object and is %T", at, got)
		}
		for name, value := range s {
			is, ok := g[name]
			if !ok {
				return fmt.Errorf("%s/%s is shown and not answered", at, name)
			}
			if slices.Contains(exact, name) && fmt.Sprint(value) != fmt.Sprint(is) {
				return fmt.Errorf("%s/%s is shown as %v and is %v", at, name, value, is)
			}
			if err := sameShape(at+"/"+name, value, is, values); err != nil {
				return err
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) < len(s) {
			return fmt.Errorf("%s is shown with %d entries and is %v", at, len(s), got)
		}
		for i := range s {
			if err := sameShape(fmt.Sprintf("%s/%d", at, i), s[i], g[i], values); err != nil {
				return err
			}
		}
	case string:
		g, ok := got.(string)
		if !ok {
			return fmt.Errorf("%s is shown as text and is %v", at, got)
		}
		if name := variable.FindString(s); name != "" {
			before, after, _ := strings.Cut(s, name)
			if !strings.HasPrefix(g, before) || !strings.HasSuffix(g, after) {
				return fmt.Errorf("%s is shown as %s and is %s", at, s, g)
			}
			values[strings.Trim(name, "{}")] = g[len(before) : len(g)-len(after)]
		}
	default:
		if fmt.Sprintf("%T", shown) != fmt.Sprintf("%T", got) {
			return fmt.Errorf("%s is shown as %T and is %v", at, shown, got)
		}
	}
	return nil
}
