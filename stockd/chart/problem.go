package chart

import (
	"fmt"
	"strconv"
	"strings"
)

// problemsMax is how many problems of one chart are told; then reading stops.
const problemsMax = 20

// Problem is one thing that is wrong with a chart, or worth knowing about it.
type Problem struct {
	// Pointer is a JSON pointer (RFC 6901) into the body; for CSV "/line/‹number›", counted from 1.
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (p Problem) String() string {
	if p.Pointer == "" {
		return p.Detail
	}
	return p.Pointer + ": " + p.Detail
}

// Warning is something that was decided for the author of a chart, who may have meant something else.
type Warning = Problem

// Error is why a chart is refused: all its problems, or the first ones of many.
type Error struct {
	Problems []Problem
}

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return "the chart cannot be used: " + strings.Join(lines, "; ")
}

// at is a place in a body, kept as a list so that it is written out only when there is a problem.
type at struct {
	parent *at
	key    string
	index  int // when key is empty
}

func (a *at) member(key string) *at { return &at{parent: a, key: key} }
func (a *at) item(index int) *at    { return &at{parent: a, index: index} }

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

func (a *at) String() string {
	if a == nil {
		return ""
	}
	if a.key != "" {
		return a.parent.String() + "/" + pointerEscape.Replace(a.key)
	}
	return a.parent.String() + "/" + strconv.Itoa(a.index)
}

// report gathers problems and warnings.
type report struct {
	problems []Problem
	warnings []Warning
}

func (r *report) problem(place *at, format string, args ...any) {
	if !r.full() {
		r.problems = append(r.problems, Problem{place.String(), fmt.Sprintf(format, args...)})
	}
}

func (r *report) warn(place *at, format string, args ...any) {
	if len(r.warnings) < problemsMax {
		r.warnings = append(r.warnings, Warning{place.String(), fmt.Sprintf(format, args...)})
	}
}

func (r *report) full() bool { return len(r.problems) >= problemsMax }

// err is nil when there is no problem.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{Problems: r.problems}
}
