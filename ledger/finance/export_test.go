package finance

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var testKind = func() *exportKind {
	k := exportKind{columns: []column{{"id", asInt}, {"note", asText}, {"currency", asText}, {"amount_minor", asMinor}, {"at", asTime}}}
	k.currencyAt = k.currencyColumn()
	return &k
}()

func cells(texts ...string) (out [][]byte) {
	for _, t := range texts {
		if t == "NULL" {
			out = append(out, nil)
			continue
		}
		out = append(out, []byte(t))
	}
	return out
}

func TestRowOfCSV(t *testing.T) {
	t.Parallel()
	if got := string(csvHeader(testKind)); got != "id,note,currency,amount_minor,amount,at\r\n" {
		t.Errorf("header %q", got)
	}
	for _, c := range []struct {
		cells [][]byte
		want  string
	}{
		{cells("1", "plain", "EUR", "1234", "2026-06-01 10:00:00.123456+00"), "1,plain,EUR,1234,12.34,2026-06-01T10:00:00.123456Z"},
		{cells("-1", "a,b\"c", "JPY", "-5", "2026-06-01 10:00:00+00"), `-1,"a,b""c",JPY,-5,-5,2026-06-01T10:00:00Z`},
		{cells("1", "NULL", "KWD", "5", "NULL"), "1,,KWD,5,0.005,"},
		{cells("1", "=1+1", "EUR", "NULL", "NULL"), "1,'=1+1,EUR,,,"},
		{cells("1", "+49 30", "EUR", "0", "NULL"), "1,'+49 30,EUR,0,0.00,"},
		{cells("1", "-cmd", "EUR", "0", "NULL"), "1,'-cmd,EUR,0,0.00,"},
		{cells("1", "@sum", "EUR", "0", "NULL"), "1,'@sum,EUR,0,0.00,"},
		{cells("1", "\tx", "EUR", "0", "NULL"), "1,'\tx,EUR,0,0.00,"},
		{cells("1", "\rx", "EUR", "0", "NULL"), "1,\"'\rx\",EUR,0,0.00,"},
		{cells("1", "=\"x\"", "EUR", "0", "NULL"), "1,\"'=\"\"x\"\"\",EUR,0,0.00,"},
	} {
		if got := string(appendCSV(nil, testKind, c.cells)); got != c.want+"\r\n" {
			t.Errorf("%q\n got %q\nwant %q", c.cells, got, c.want)
		}
	}
}

func TestRowOfJSON(t *testing.T) {
	t.Parallel()
	got := string(appendJSON(nil, testKind, cells("7", "=\"a\nb\"", "EUR", "-5", "2026-06-01 10:00:00+00")))
	want := `{"id":7,"note":"=\"a\nb\"","currency":"EUR","amount_minor":-5,"amount":"-0.05","at":"2026-06-01T10:00:00Z"}` + "\n"
	if got != want {
		t.Errorf("got %s", got)
	}
	got = string(appendJSON(nil, testKind, cells("7", "NULL", "EUR", "NULL", "NULL")))
	if want := `{"id":7,"note":null,"currency":"EUR","amount_minor":null,"at":null}` + "\n"; got != want {
		t.Errorf("got %s", got)
	}
}

// TestRowsAreReadAsTheyWere: whatever a text is, a reader of CSV and one of JSON get it back, but for the apostrophe before a formula.
func TestRowsAreReadAsTheyWere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("aé,;\"\n\t=+-@' 東"))).Draw(t, "text")
		row := cells("1", "", "EUR", "100", "2026-06-01 10:00:00+00")
		row[1] = []byte(text)
		records, err := csv.NewReader(bytes.NewReader(appendCSV(nil, testKind, row))).ReadAll()
		want := text
		if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
			want = "'" + text
		}
		if err != nil || len(records) != 1 || records[0][1] != want {
			t.Fatalf("CSV gives %q (%v), want %q", records, err, want)
		}
		var object map[string]any
		if err := json.Unmarshal(appendJSON(nil, testKind, row), &object); err != nil || object["note"] != text {
			t.Fatalf("JSON gives %q (%v), want %q", object["note"], err, text)
		}
	})
}
