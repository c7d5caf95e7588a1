package chart

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ticketrush/charts"

	"github.com/pb33f/jsonschema/v6"
)

const small = `{"format":"ticketrush-chart/1","name":"Hall","width":100,"height":80,"focal":{"x":50,"y":0},
"categories":[{"name":"A","color":"#112233"},{"name":"B","color":"#445566"}],
"sections":[{"id":"N","name":"North","category":"A","rows":[
 {"name":"1","blocks":[{"seats":[{"name":"1","x":1,"y":1,"flags":["accessible"],"companions":["N-1-2"]},{"name":"2","x":2,"y":1,"flags":["companion"]}]}]},
 {"name":"2","category":"B","seats":[{"name":"1","x":1,"y":2},{"name":"2","x":2,"y":2},{"name":"3","x":3,"y":2,"category":"A"},{"name":"4","x":6,"y":2},{"name":"5","x":7,"y":2}]}]}],
"areas":[{"id":"P","name":"Pit","category":"B","capacity":30,"polygon":[[0,0],[1,0],[1,1]]}]}`

func TestParse(t *testing.T) {
	t.Parallel()
	c, warnings, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || warnings[0].Pointer != "/sections/0/rows/1" {
		t.Errorf("warnings %v", warnings)
	}
	if row := c.Sections[0].Rows[1]; len(row.Blocks) != 2 || len(row.Blocks[0].Seats) != 3 || row.Seats != nil {
		t.Errorf("row %+v", row)
	}
	compiled, err := c.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(compiled.Segments); n != 2 || compiled.Segments[0].Capacity != 7 || compiled.Segments[1].Capacity != 30 || !compiled.Segments[1].Area {
		t.Errorf("segments %+v", compiled.Segments)
	}
	if seat := compiled.Segments[0].Seats[4]; seat.Label != "N-2-3" || seat.Category != 0 {
		t.Errorf("seat %+v", seat)
	}
	if seat := compiled.Segments[0].Seats[3]; seat.Label != "N-2-2" || seat.Category != 1 {
		t.Errorf("seat %+v", seat)
	}
}

// TestParseTellsWhere breaks the small chart in one place at a time.
func TestParseTellsWhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, pointer, detail string }{
		"not JSON":          {`"areas":[`, `"areas":[,`, "", "not JSON, near line 6"},
		"something behind":  {`[1,1]]}]}`, `[1,1]]}]} x`, "", "not JSON"},
		"format":            {`chart/1`, `chart/9`, "/format", "must be"},
		"unknown member":    {`"width":100`, `"width":100,"depth":3`, "/depth", "not known"},
		"no width":          {`"width":100,`, ``, "/width", "missing"},
		"width is text":     {`"width":100`, `"width":"100"`, "/width", "must be a number"},
		"flat":              {`"height":80`, `"height":0`, "/width", "above 0"},
		"focal":             {`{"x":50,"y":0}`, `{"x":50}`, "/focal/y", "missing"},
		"color":             {`#445566`, `blue`, "/categories/1/color", "color"},
		"category twice":    {`"name":"B","color"`, `"name":"A","color"`, "/categories/1/name", "twice"},
		"unknown category":  {`"category":"B","seats"`, `"category":"Z","seats"`, "/sections/0/rows/1/blocks/0/seats/0/category", `"Z"`},
		"label twice":       {`{"name":"5","x":7`, `{"name":"4","x":7`, "/sections/0/rows/1/blocks/1/seats/1/name", "N-2-4"},
		"name is empty":     {`"id":"N"`, `"id":""`, "/sections/0/id", "empty"},
		"name with space":   {`"id":"N"`, `"id":"N "`, "/sections/0/id", "space"},
		"control":           {`"id":"N"`, `"id":"N\u0007x"`, "/sections/0/id", "control"},
		"seat without x":    {`{"name":"2","x":2,"y":2}`, `{"name":"2","y":2}`, "/sections/0/rows/1/seats/1/x", "missing"},
		"far away":          {`{"name":"2","x":2,"y":2}`, `{"name":"2","x":2e9,"y":2}`, "/sections/0/rows/1/seats/1/x", "beyond"},
		"flag":              {`["companion"]`, `["companion","golden"]`, "/sections/0/rows/0/blocks/0/seats/1/flags/1", "golden"},
		"companion unknown": {`["N-1-2"]`, `["N-9-2"]`, "/sections/0/rows/0/blocks/0/seats/0/companions/0", "N-9-2"},
		"companion is none": {`["companion"]`, `[]`, "/sections/0/rows/0/blocks/0/seats/0/companions/0", "N-1-2"},
		"blocks and seats":  {`"name":"1","blocks"`, `"name":"1","seats":[{"name":"9","x":1,"y":1}],"blocks"`, "/sections/0/rows/0", "both"},
		"capacity":          {`"capacity":30`, `"capacity":1.5`, "/areas/0/capacity", "whole number"},
		"polygon":           {`[[0,0],[1,0],[1,1]]`, `[[0,0],[1,0]]`, "/areas/0/polygon", "3 points"},
		"pair":              {`[[0,0],[1,0],[1,1]]`, `[[0,0],[1],[1,1]]`, "/areas/0/polygon/1", "pair"},
		"id twice":          {`"id":"P"`, `"id":"N"`, "/areas/0/id", "used by another"},
		"section is a list": {`[{"id":"N"`, `[[],{"id":"N"`, "/sections/0", "object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := strings.Replace(small, c.old, c.new, 1)
			if body == small {
				t.Fatal("nothing was changed")
			}
			_, _, err := Parse([]byte(body))
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("error %v", err)
			}
			if p := refused.Problems[0]; p.Pointer != c.pointer || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("first of %v", refused.Problems)
			}
		})
	}
}

func TestManyProblemsAreCutShort(t *testing.T) {
	t.Parallel()
	body := strings.Replace(small, `"seats":[{"name":"1","x":1,"y":2}`, `"seats":[`+strings.Repeat(`{},`, 1000)+`{"name":"1","x":1,"y":2}`, 1)
	_, _, err := Parse([]byte(body))
	var refused *Error
	if !errors.As(err, &refused) || len(refused.Problems) != problemsMax {
		t.Errorf("error %v", err)
	}
}

func TestSchemaAcceptsCharts(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for name, body := range map[string]string{"arena": string(charts.Arena), "small": small} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	value, _ := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(small, `"width":100`, `"depth":100`, 1)))
	if schema.Validate(value) == nil {
		t.Error("the schema accepts a chart without width")
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(Schema)))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("chart.json", value); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("chart.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestEncodeParsesToTheSame(t *testing.T) {
	t.Parallel()
	c, _, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	body, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, warnings, err := Parse(body)
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(c, again) {
		t.Errorf("%v %v %+v", err, warnings, again)
	}
}

func TestDecodeRefusesWhatEncodeDidNotWrite(t *testing.T) {
	t.Parallel()
	for want, body := range map[string]string{
		"cannot be read":   `{"format": "ticketrush-chart/1", "name": 7}`,
		"unexpected end":   `{"format": "ticketrush-chart/1"`,
		`has the format "`: `{"format": "ticketrush-chart/9"}`,
		"not in blocks":    `{"format": "ticketrush-chart/1", "sections": [{"id": "N", "rows": [{"name": "1", "seats": [{"name": "1"}]}]}]}`,
	} {
		if c, err := Decode([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v", want, c, err)
		}
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	body := "\xef\xbb\xbfSection;Row;Seat;Category;X;Y;Flags\r\n" +
		"N;1;3;A;3;1;\r\nN;1;1;A;1;1;accessible\r\nN;1;2;A;2;1;companion\r\nN;1;4;A;6;1;\r\nN;2;1;B;1;2;\r\n"
	c, warnings, err := FromCSV([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 2 { // the focal point, an aisle
		t.Errorf("warnings %v", warnings)
	}
	row := c.Sections[0].Rows[0]
	if len(row.Blocks) != 2 || len(row.Blocks[0].Seats) != 3 || row.Blocks[0].Seats[0].Name != "1" || row.Blocks[0].Seats[0].Companions[0] != "N-1-2" {
		t.Errorf("row %+v", row)
	}
	for name, c := range map[string]struct{ body, pointer string }{
		"no header":    {"", "/line/1"},
		"column":       {"section,row,seat,x,y\nN,1,1,1,1\n", "/line/1"},
		"number":       {"section,row,seat,category,x,y\nN,1,1,A,1,1\nN,1,2,A,one,1\n", "/line/3"},
		"name":         {"section,row,seat,category,x,y\nN,,1,A,1,1\n", "/line/2/row"},
		"short line":   {"section,row,seat,category,x,y\nN,1,1,A\n", ""},
		"label twice":  {"section,row,seat,category,x,y\nN,1,1,A,1,1\nN,1,1,A,2,1\n", "/sections/0/rows/0/blocks/0/seats/1/name"},
		"flag":         {"section,row,seat,category,x,y,flags\nN,1,1,A,1,1,golden\n", "/sections/0/rows/0/blocks/0/seats/0/flags/0"},
		"no seats":     {"section,row,seat,category,x,y\n", ""},
		"not a number": {"section,row,seat,category,x,y\nN,1,1,A,NaN,1\n", "/line/2"},
		"not UTF-8":    {"section,row,seat,category,x,y\nN\xff,1,1,A,1,1\n", ""},
	} {
		_, _, err := FromCSV([]byte(c.body))
		var refused *Error
		if !errors.As(err, &refused) || refused.Problems[0].Pointer != c.pointer {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPretix(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("testdata", "pretix.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, warnings, err := Import(body)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || len(c.Sections) != 2 || c.Focal != (Point{150, 20}) {
		t.Errorf("warnings %v, focal %v, sections %d", warnings, c.Focal, len(c.Sections))
	}
	row := c.Sections[0].Rows[0]
	if seat := row.Blocks[0].Seats[0]; row.Name != "1" || len(row.Blocks) != 2 || seat.X != 110 || seat.Y != 105 || seat.Category != "Stalls" {
		t.Errorf("row %+v", row)
	}
	if c.Categories[1].Color != "#ff0000" {
		t.Errorf("categories %v", c.Categories)
	}
}
