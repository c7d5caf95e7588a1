package chart

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reader takes decoded JSON apart and reports what is not as it should be, with its place.
type reader struct {
	report
	lenient bool // a foreign format: members that are not known are left out in silence
}

// decode reads one JSON value and nothing after it.
func (r *reader) decode(body []byte) any {
	if len(body) > BodyMax {
		r.problem(nil, "the body has %d bytes, at most %d", len(body), BodyMax)
		return nil
	}
	if !utf8.Valid(body) {
		r.problem(nil, "the body is not UTF-8")
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	var value any
	err := decoder.Decode(&value)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return value
		}
		err = errors.New("there is something after the chart")
	}
	offset := decoder.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	} else if errors.Is(err, io.ErrUnexpectedEOF) {
		offset = int64(len(body))
	}
	line := 1 + bytes.Count(body[:min(offset, int64(len(body)))], []byte("\n"))
	r.problem(nil, "not JSON, near line %d: %v", line, err)
	return nil
}

// object is the members of an object; it may have no others than these.
func (r *reader) object(value any, place *at, members ...string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		r.problem(place, "must be an object")
		return nil
	}
	if !r.lenient {
		for _, key := range sortedKeys(object) {
			if !slices.Contains(members, key) {
				r.problem(place.member(key), "is not known here; known are %s", strings.Join(members, ", "))
			}
		}
	}
	return object
}

func sortedKeys(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// list is the items of a list; a missing one is empty.
func (r *reader) list(object map[string]any, place *at, key string, most int) []any {
	value, ok := object[key]
	if !ok || value == nil {
		return nil
	}
	list, ok := value.([]any)
	switch {
	case !ok:
		r.problem(place.member(key), "must be a list")
		return nil
	case len(list) > most:
		r.problem(place.member(key), "has %d items, at most %d", len(list), most)
		return nil
	}
	return list
}

// name is a text that people read: 1 to NameMax characters, none of them a control character, no space at its ends.
func (r *reader) name(object map[string]any, place *at, key string) string {
	value, ok := object[key]
	if !ok {
		r.problem(place.member(key), "is missing")
		return ""
	}
	text, ok := value.(string)
	if !ok {
		r.problem(place.member(key), "must be a text")
		return ""
	}
	r.checkName(text, place.member(key))
	return text
}

// optionalName is a name that may be missing.
func (r *reader) optionalName(object map[string]any, place *at, key string) string {
	if _, ok := object[key]; !ok {
		return ""
	}
	return r.name(object, place, key)
}

func (r *report) checkName(text string, place *at) {
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		r.problem(place, "is empty")
	case n > NameMax:
		r.problem(place, "has %d characters, at most %d", n, NameMax)
	case strings.TrimSpace(text) != text:
		r.problem(place, "begins or ends with a space")
	case strings.ContainsFunc(text, unicode.IsControl):
		r.problem(place, "has a control character")
	}
}

// number is a coordinate.
func (r *reader) number(object map[string]any, place *at, key string) float64 {
	value, ok := object[key]
	if !ok {
		r.problem(place.member(key), "is missing")
		return 0
	}
	return r.coordinate(value, place.member(key))
}

func (r *reader) coordinate(value any, place *at) float64 {
	number, ok := value.(float64)
	if !ok {
		r.problem(place, "must be a number")
		return 0
	}
	if math.Abs(number) > coordinateMax || math.IsNaN(number) {
		r.problem(place, "is %g, beyond %g", number, coordinateMax)
		return 0
	}
	return number
}

// point is an object with x and y.
func (r *reader) point(object map[string]any, place *at, key string) Point {
	value, ok := object[key]
	if !ok {
		r.problem(place.member(key), "is missing")
		return Point{}
	}
	place = place.member(key)
	members := r.object(value, place, "x", "y")
	if members == nil {
		return Point{}
	}
	return Point{r.number(members, place, "x"), r.number(members, place, "y")}
}

// names is a list of texts.
func (r *reader) names(object map[string]any, place *at, key string, most int) []string {
	var names []string
	for i, value := range r.list(object, place, key, most) {
		text, ok := value.(string)
		if !ok {
			r.problem(place.member(key).item(i), "must be a text")
			continue
		}
		names = append(names, text)
	}
	return names
}
