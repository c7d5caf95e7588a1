package page

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"
)

// TestEveryLanguageSaysEverything compares the files themselves, since loading fills gaps.
func TestEveryLanguageSaysEverything(t *testing.T) {
	t.Parallel()
	read := func(name string) map[string]string {
		body, err := embedded.ReadFile("locales/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var l map[string]string
		if err := json.Unmarshal(body, &l); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return l
	}
	holes := regexp.MustCompile(`\{[a-z]+\}`)
	want := read(DefaultLocale)
	for _, name := range Locales {
		got := read(name)
		for key, text := range want {
			if got[key] == "" {
				t.Errorf("%s has no %s", name, key)
			}
			a, b := holes.FindAllString(text, -1), holes.FindAllString(got[key], -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(a, b) {
				t.Errorf("%s: %s has the holes %v, not %v", name, key, b, a)
			}
		}
		for key := range got {
			if want[key] == "" {
				t.Errorf("%s has the unknown key %s", name, key)
			}
		}
	}
}

func TestPickLocale(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"":                              "en",
		"de":                            "de",
		"de-AT,de;q=0.9,en;q=0.8":       "de",
		"fr-CH, fr;q=0.9, en;q=0.8, *":  "fr",
		"en;q=0.1, ja;q=0.9":            "ja",
		"pt-BR":                         "pt",
		"ar-EG":                         "ar",
		"xx":                            "en",
		"*":                             "en",
		";;;q=":                         "en",
		"sv, nl;q=0.5":                  "nl",
		string(make([]byte, acceptMax)): "en",
	} {
		if got := PickLocale(header); got != want {
			t.Errorf("PickLocale(%q) = %s, want %s", header, got, want)
		}
	}
}

func FuzzPickLocale(f *testing.F) {
	f.Add("de-AT,de;q=0.9")
	f.Fuzz(func(t *testing.T, header string) {
		if got := PickLocale(header); !slices.Contains(Locales, got) {
			t.Fatalf("PickLocale(%q) = %q", header, got)
		}
	})
}

func TestWaitInBands(t *testing.T) {
	t.Parallel()
	l := newPage(t).locales["en"]
	for _, c := range []struct {
		seconds int64
		want    string
	}{
		{0, "not known yet"}, {1, "under a minute"}, {59, "under a minute"}, {60, "1–2 min"}, {125, "2–4 min"}, {700, "10–15 min"}, {1900, "30–45 min"}, {5400, "over 1 h"},
		{7300, "over 2 h"},
	} {
		if got := l.wait(c.seconds); got != c.want {
			t.Errorf("wait(%d) = %q, want %q", c.seconds, got, c.want)
		}
	}
}

func TestRoughly(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]int64{0: 0, 199: 199, 201: 200, 1234: 1230, 2999: 2900, 12345: 12300, 812004: 810000} {
		if got := roughly(n); got != want {
			t.Errorf("roughly(%d) = %d, want %d", n, got, want)
		}
	}
}
