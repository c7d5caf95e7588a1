package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// docStream is the stream that an example of docs/api.md has opened.
type docStream struct{ lines *bufio.Scanner }

// stream opens the stream of an example, at the node itself: it goes on while later examples run.
func (c *cluster) stream(t *testing.T, e example, values map[string]string) *docStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, e.method, c.nodes[0].String()+filled(e.path, values), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range e.header {
		r.Header.Set(h[0], filled(h[1], values))
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != e.status {
		t.Fatalf("docs/api.md line %d: status %d", e.line, answer.StatusCode)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &docStream{lines}
}

// expect reads on until each event that is shown has come, of the kind and the shape that is shown.
func (s *docStream) expect(shown string, values map[string]string) error {
	for block := range strings.SplitSeq(strings.TrimSpace(shown), "\n\n") {
		want := fields(strings.Split(block, "\n"))
		var doc any
		if err := json.Unmarshal([]byte(want["data"]), &doc); err != nil {
			return fmt.Errorf("what an event says is not JSON: %w", err)
		}
		for last := error(nil); ; {
			got, ok := s.next()
			if !ok {
				return fmt.Errorf("the stream ended before the event %s: %w", want["event"], errors.Join(s.lines.Err(), last))
			}
			var is any
			if got["event"] != want["event"] {
				continue
			}
			if err := json.Unmarshal([]byte(got["data"]), &is); err != nil {
				return err
			}
			if last = sameShape("", doc, is, values); last == nil {
				break
			}
		}
	}
	return nil
}

// next reads one event.
func (s *docStream) next() (map[string]string, bool) {
	var lines []string
	for s.lines.Scan() {
		if s.lines.Text() != "" {
			lines = append(lines, s.lines.Text())
			continue
		}
		if got := fields(lines); got["event"] != "" { // else a sign of life
			return got, true
		}
		lines = nil
	}
	return nil, false
}

func fields(lines []string) map[string]string {
	got := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		got[name] = value
	}
	return got
}
