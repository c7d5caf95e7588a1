package page

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/text/language"
)

// DefaultLocale is the language for visitors who ask for none of ours.
const DefaultLocale = "en"

// Locales are the languages of the page, the default first.
var Locales = []string{DefaultLocale, "de", "fr", "es", "it", "pt", "nl", "pl", "ja", "ar"}

var matcher = func() language.Matcher {
	tags := make([]language.Tag, len(Locales))
	for i, name := range Locales {
		tags[i] = language.MustParse(name)
	}
	return language.NewMatcher(tags)
}()

// acceptMax bounds what is parsed of an Accept-Language header; browsers send far less.
const acceptMax = 200

// picked remembers what Accept-Language headers lead to: reading one costs as much as the rest of a page that is kept, and a crowd sends few different
// ones. It is bounded, since they are the visitors' to choose.
var picked = sync.OnceValue(func() *lru.Cache[string, string] {
	c, err := lru.New[string, string](256)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return c
})

// PickLocale chooses one of Locales by an Accept-Language header. A malformed or overlong header gives DefaultLocale.
func PickLocale(header string) string {
	if header == "" || len(header) > acceptMax {
		return DefaultLocale
	}
	name, ok := picked().Get(header)
	if !ok {
		name = pickLocale(header)
		picked().Add(header, name)
	}
	return name
}

func pickLocale(header string) string {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return DefaultLocale
	}
	_, i, confidence := matcher.Match(tags...)
	if confidence == language.No {
		return DefaultLocale
	}
	return Locales[i]
}

// locale maps the keys of locales/en.json to texts.
type locale map[string]string

func loadLocales(files source) (map[string]locale, error) {
	out := make(map[string]locale, len(Locales))
	for _, name := range Locales {
		// An operator's locale may be partial: what it leaves out is as shipped.
		l := locale{}
		for _, from := range []source{{}, files} {
			body, err := from.read("locales/" + name + ".json")
			if err != nil {
				return nil, fmt.Errorf("read the locale %s: %w", name, err)
			}
			var texts locale
			if err := json.Unmarshal(body, &texts); err != nil {
				return nil, fmt.Errorf("locales/%s.json: %w", name, err)
			}
			maps.Copy(l, texts)
		}
		out[name] = l
	}
	return out, nil
}

// number writes n with the language's grouping sign.
func (l locale) number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(l["group"])
		}
		b.WriteRune(c)
	}
	return b.String()
}

// wait says a wait in a band rather than to the second: an estimate should not look like a promise. page/static/line.js has the same rules.
func (l locale) wait(seconds int64) string {
	switch {
	case seconds <= 0:
		return l["wait_unknown"]
	case seconds < 60:
		return l["wait_short"]
	case seconds >= 90*60:
		return strings.ReplaceAll(l["wait_hours"], "{n}", l.number(seconds/3600))
	}
	low, high := waitBand(seconds)
	return strings.NewReplacer("{a}", l.number(low), "{b}", l.number(high)).Replace(l["wait_band"])
}

// waitBand gives the minutes between which a wait lies: wider the longer it is.
func waitBand(seconds int64) (low, high int64) {
	minutes := seconds / 60
	step := int64(2)
	switch {
	case minutes >= 30:
		step = 15
	case minutes >= 10:
		step = 5
	}
	low = minutes / step * step
	return max(low, 1), low + step
}

// roughly keeps the two or three leading digits from 200 on: an exact number would look like a promise.
func roughly(n int64) int64 {
	unit := int64(1)
	for n/unit >= 200 {
		unit *= 10
	}
	return n / unit * unit
}
