package room

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Every field of the settings is written and read again: one that is new in Settings and was forgotten here fails.
func TestSettingsAreKeptAsJSON(t *testing.T) {
	t.Parallel()
	var full Settings
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch field := v.Field(i).Addr().Interface().(type) {
		case *float64:
			*field = float64(i) + 0.5
		case *bool:
			*field = true
		case *int:
			*field = i + 1
		case *time.Duration:
			*field = time.Duration(i+1) * 1500 * time.Millisecond
		case *time.Time:
			*field = time.Date(2026, 12, i+1, 10, 0, 0, 5000, time.UTC)
		case *string:
			*field = "text"
		default:
			t.Fatalf("field %s has a type that this test does not know", v.Type().Field(i).Name)
		}
	}
	for _, want := range []Settings{full, {}, {Rate: 5}, full.WithDefaults()} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Settings
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("%s is read as %+v, %v; want %+v", text, got, err, want)
		}
	}
	if text, err := json.Marshal(Settings{PassLife: 90 * time.Second}); err != nil || string(text) != `{"pass":"1m30s"}` {
		t.Errorf("written as %s, %v", text, err)
	}
	var s Settings
	if err := json.Unmarshal([]byte(`{"rate":3,"from_a_later_version":{"x":1}}`), &s); err != nil || s.Rate != 3 {
		t.Errorf("what a later version adds disturbs: %+v, %v", s, err)
	}
	if err := json.Unmarshal([]byte(`{"pass":"ten minutes"}`), &s); err == nil || !strings.Contains(err.Error(), "ten minutes") {
		t.Errorf("a duration that is none: %v", err)
	}
}
