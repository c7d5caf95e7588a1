package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"ticketrush/stockd/chart"
)

// Limits of bodies.
const (
	bodyMax      = 64 << 10
	chartBodyMax = chart.BodyMax
	depthMax     = 16
	faultsMax    = 20
)

// readBody reads at most limit bytes of a body of one of the types; JSON is the first of them.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, types ...string) (body []byte, contentType string, err error) {
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, "", refuse(kindTooLarge, fmt.Sprintf("At most %d bytes are read here.", limit))
		}
		return nil, "", refuse(kindMalformed, "The body ended before its end.").because(err)
	}
	text := r.Header.Get("Content-Type")
	if text == "" && len(body) == 0 {
		return body, "", nil
	}
	contentType, parameters, err := mime.ParseMediaType(text)
	if err == nil {
		for _, t := range types {
			charset := parameters["charset"]
			if contentType == t && (charset == "" || strings.EqualFold(charset, "utf-8")) {
				return body, contentType, nil
			}
		}
	}
	return nil, "", refuse(kindMediaType, "Send "+strings.Join(types, " or ")+" in UTF-8.").set("Accept", strings.Join(types, ", "))
}

// decodeBody reads a JSON body into to, a pointer to a struct. Only an optional body may be left out; then to stays as it is.
func decodeBody(w http.ResponseWriter, r *http.Request, to any, optional bool) error {
	body, _, err := readBody(w, r, bodyMax, "application/json")
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		if optional {
			return nil
		}
		return refuse(kindMalformed, "The body is empty.")
	}
	return decodeJSON(body, to)
}

// decodeJSON is stricter than encoding/json: names are exact, known and not repeated, nothing follows the value, and what is wrong is told
// with a JSON pointer.
func decodeJSON(body []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	c := checker{decoder: d}
	if err := c.value(reflect.TypeOf(to).Elem(), "", 0); err != nil {
		return malformed(err, d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(kindMalformed, "Something follows the JSON value.")
	}
	if len(c.faults) > 0 {
		return invalid(c.faults...)
	}
	if err := json.Unmarshal(body, to); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return invalid(fault{"/" + strings.ReplaceAll(wrong.Field, ".", "/"), "This does not fit here: " + wrong.Value + "."})
		}
		return invalid(fault{"", err.Error()})
	}
	return nil
}

func malformed(err error, at int64) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	return refuse(kindMalformed, fmt.Sprintf("This is not JSON, near byte %d.", at)).because(err)
}

// checker compares a stream of tokens with a type.
type checker struct {
	decoder *json.Decoder
	faults  []fault
}

func (c *checker) fault(pointer, detail string) {
	if len(c.faults) < faultsMax {
		c.faults = append(c.faults, fault{pointer, detail})
	}
}

// value checks one value. A nil type takes anything: what is inside an unknown member is only read.
func (c *checker) value(t reflect.Type, pointer string, depth int) error {
	if depth > depthMax {
		return refuse(kindMalformed, fmt.Sprintf("The JSON is nested deeper than %d.", depthMax))
	}
	token, err := c.decoder.Token()
	if err != nil {
		return err
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return c.array(t, pointer, depth)
		}
		return c.object(t, pointer, depth)
	case nil:
		if t != nil {
			c.fault(pointer, "null is not a value here; leave the member out.")
		}
	default:
		c.scalar(token, t, pointer)
	}
	return nil
}

func (c *checker) array(t reflect.Type, pointer string, depth int) error {
	var element reflect.Type
	if t != nil {
		if t.Kind() == reflect.Slice {
			element = t.Elem()
		} else {
			c.fault(pointer, "An array does not fit here.")
		}
	}
	for i := 0; c.decoder.More(); i++ {
		if err := c.value(element, pointer+"/"+strconv.Itoa(i), depth+1); err != nil {
			return err
		}
	}
	_, err := c.decoder.Token()
	return err
}

func (c *checker) object(t reflect.Type, pointer string, depth int) error {
	known := map[string]reflect.Type{}
	if t != nil {
		if t.Kind() == reflect.Struct && t != timeType {
			known = fieldsOf(t)
		} else {
			c.fault(pointer, "An object does not fit here.")
			t = nil
		}
	}
	seen := map[string]bool{}
	for c.decoder.More() {
		token, err := c.decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		at := pointer + "/" + pointerEscape.Replace(name)
		field, ok := known[name]
		if t != nil && !ok {
			c.fault(at, "There is no such member.")
		}
		if seen[name] {
			c.fault(at, "The member is there twice.")
		}
		seen[name] = true
		if err := c.value(field, at, depth+1); err != nil {
			return err
		}
	}
	_, err := c.decoder.Token()
	return err
}

func (c *checker) scalar(token json.Token, t reflect.Type, pointer string) {
	if t == nil {
		return
	}
	want := t.Kind()
	if t == timeType {
		want = reflect.String
	}
	switch token := token.(type) {
	case string:
		if want != reflect.String {
			c.fault(pointer, "A string does not fit here.")
		} else if _, err := time.Parse(time.RFC3339, token); t == timeType && err != nil {
			c.fault(pointer, "This is not a time of RFC 3339, for example 2026-12-24T19:00:00Z.")
		}
	case bool:
		if want != reflect.Bool {
			c.fault(pointer, "true and false do not fit here.")
		}
	case json.Number:
		if want < reflect.Int || want > reflect.Int64 { // bodies have no unsigned members
			c.fault(pointer, "A number does not fit here.")
		} else if _, err := strconv.ParseInt(token.String(), 10, t.Bits()); err != nil {
			c.fault(pointer, "Only a whole number, and not such a large one, fits here.")
		}
	}
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// fieldsOf is the JSON members of a struct.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}
