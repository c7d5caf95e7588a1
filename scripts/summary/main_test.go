package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	pass := `{"Action":"pass","Package":"p","Test":"A"}` + "\n" + `{"Action":"pass","Package":"p","Elapsed":1}`
	for name, c := range map[string]struct {
		in, last string
		status   int
	}{
		"all pass":       {pass, "1 passed, 0 failed, 0 skipped", 0},
		"a skip fails":   {pass + "\n" + `{"Action":"skip","Package":"p","Test":"B"}`, "1 passed, 0 failed, 1 skipped", 1},
		"a failure":      {pass + "\n" + `{"Action":"fail","Package":"p","Test":"B"}`, "1 passed, 1 failed, 0 skipped", 1},
		"a broken build": {pass + "\n" + `{"Action":"build-fail","ImportPath":"q"}`, "1 passed, 1 failed, 0 skipped", 1},
		"no tests":       {`{"Action":"skip","Package":"p"}`, "0 passed, 0 failed, 0 skipped", 1},
		"nothing at all": {``, "0 passed, 0 failed, 0 skipped", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sum, err := read(strings.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if status := sum.print(&out); status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if got := lines[len(lines)-1]; got != c.last {
				t.Errorf("last line %q, want %q", got, c.last)
			}
		})
	}
}
