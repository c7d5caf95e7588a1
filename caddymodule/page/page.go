package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
)

// CSP is the Content-Security-Policy that the page and its assets are written for, and that every answer with the page must carry.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Data is what one rendering of the page needs. The zero value of each field is allowed.
type Data struct {
	// Room is the room's name, RoomTitle what people read; empty means the room's name.
	Room, RoomTitle string
	// Base is the path of the room's endpoints without a slash at the end, for example "/.wr/v1/demo".
	Base string
	// Return is the path, with query, that the visitor asked for and goes to when admitted. Anything but a local path becomes "/".
	// A query parameter refresh=0 in it switches the refresh without JavaScript off.
	Return string
	// State is announced, lobby, drawing, queued, next, eligible, admitted, soldout, paused or ended; moved, when another device has the place now, and code,
	// when Code is all that is asked for; in the lobby "lobby-new", and elsewhere empty, when the visitor has no place yet.
	State string
	// Position is the visitor's number in the line from 1 on; 0 means not known.
	Position int64
	// WaitSeconds is the estimated wait, rounded up; 0 with a Position means not known.
	WaitSeconds int64
	// BeginsS is how many seconds it is until the lobby opens (announced) or the sale does (lobby, drawing); 0 means not known.
	BeginsS int64
	// InDraw says that the room's owner has stored that this place will be drawn, Drawn that it was.
	InDraw, Drawn bool
	// Bound says that the place is bound to this browser's key, so that only its scripts can claim it.
	Bound bool
	// Code moves the place to another device.
	Code string
	// Trouble is the key of a text that says what went wrong; empty means nothing did.
	Trouble string
	// NextPollMs is when the page should ask for the first time; 0 means at once.
	NextPollMs int64
	// Lang is one of Locales, usually from PickLocale; anything else becomes "en". Dir is "ltr" or "rtl"; empty means the language's own.
	Lang, Dir string
	// NoJSRefreshSeconds is how often the page reloads itself without JavaScript; 0 means never.
	NoJSRefreshSeconds int
	// StockLeft is how many tickets are left; nil means not known, which is shown as nothing, never as 0.
	StockLeft *int64
}

// Page holds the parsed template, the locales and the compressed assets. It is read only after New and safe for concurrent use.
type Page struct {
	templates map[string]*template.Template // by language, with its texts already in place
	locales   map[string]locale
	assets    map[string]asset
	rendered  *lru.Cache[view, sheet] // nil when page.html is an operator's own, which may show anything of a visitor
}

// New loads the embedded page; files in overrideDir, when that is not empty, replace the embedded ones of the same name. verifyScript is the module
// verify.js, which checks a receipt of the draw; it belongs to the draw's own package.
func New(overrideDir string, verifyScript []byte) (*Page, error) {
	files := source{dir: overrideDir, verify: verifyScript}
	p := &Page{templates: map[string]*template.Template{}}
	var err error
	if p.locales, err = loadLocales(files); err != nil {
		return nil, err
	}
	if p.assets, err = loadAssets(files, p.locales); err != nil {
		return nil, err
	}
	if !files.replaces("page.html") {
		if p.rendered, err = lru.New[view, sheet](sheetsMax); err != nil {
			return nil, err
		}
	}
	text, err := files.read("page.html")
	if err != nil {
		return nil, fmt.Errorf("read the page's template: %w", err)
	}
	var errs []error
	for lang, l := range p.locales {
		t, err := p.compile(string(text), lang, l)
		errs = append(errs, err)
		p.templates[lang] = t
	}
	return p, errors.Join(errs...)
}

// compile puts the texts of one language into the template, once, so that a request pays only for what is the visitor's own.
// The first pass uses [[ ]] and leaves {{ }} to the second; both escape for the place they are in.
func (p *Page) compile(text, lang string, l locale) (*template.Template, error) {
	fixed, err := template.New("page.html").Delims("[[", "]]").Funcs(template.FuncMap{"asset": p.assetQuery}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("parse page.html: %w", err)
	}
	var b bytes.Buffer
	if err := fixed.Execute(&b, map[string]any{"T": map[string]string(l), "Lang": lang, "Modules": []string{"view.js", textName(lang), "line.js", "alerts.js", "proof.js", "key.js"}}); err != nil {
		return nil, fmt.Errorf("fill page.html with the texts of %s: %w", lang, err)
	}
	t, err := template.New("page.html").Parse(b.String())
	if err != nil {
		return nil, fmt.Errorf("parse page.html in %s: %w", lang, err)
	}
	return t, nil
}

// view is what the template sees.
type view struct {
	Data
	Heading, Lead, AheadLabel, Ahead, WaitLabel, Wait, Stock, Auto string
	Words                                                          bool // Ahead is a time in words
	Short                                                          bool // more people ahead than tickets left
	Now, Stop, Resume                                              string
	Script                                                         script
}

// script is what the page's scripts begin with.
type script struct {
	Room        string `json:"room"`
	Title       string `json:"title"`
	Base        string `json:"base"`
	Return      string `json:"return"`
	FirstPollMs int64  `json:"first_poll_ms"`
}

// Render writes the page for one visitor. The output is a whole document in UTF-8.
func (p *Page) Render(w io.Writer, d Data) error {
	if _, ok := p.locales[d.Lang]; !ok {
		d.Lang = DefaultLocale
	}
	l := p.locales[d.Lang]
	if d.Dir != "ltr" && d.Dir != "rtl" {
		d.Dir = l["dir"]
	}
	if d.RoomTitle == "" {
		d.RoomTitle = d.Room
	}
	v := view{Data: d}
	v.setReturn(d.Return)
	v.setTexts(l)
	// The page joins by itself, so it needs no more than where and where to; what is shown until its first answer is in the document.
	v.Script = script{Room: d.Room, Title: d.RoomTitle, Base: d.Base, Return: v.Now, FirstPollMs: d.NextPollMs}
	return p.write(w, v)
}

func (v *view) setTexts(l locale) {
	state := v.State
	switch _, known := l["h_"+state]; {
	case state == "lobby-new":
		v.Heading, v.Lead = l["h_new"], l["p_lobby"]
	case !known:
		state = "new"
		fallthrough
	default:
		v.Heading, v.Lead = l["h_"+state], l["p_"+state]
	}
	v.State = state
	ahead := max(v.Position-1, 0)
	v.Trouble = l[v.Trouble]
	switch {
	case v.State == "moved":
	case v.Code != "":
		v.AheadLabel, v.Ahead, v.Words = l["hand_code"], v.Code, true
	case v.Position > 0:
		v.AheadLabel, v.Ahead = l["ahead"], l.number(roughly(ahead))
		v.WaitLabel, v.Wait = l["wait"], l.wait(v.WaitSeconds)
	case v.BeginsS > 0:
		v.setOpening(l)
	}
	if v.StockLeft != nil {
		v.Stock = l.number(roughly(max(*v.StockLeft, 0)))
		v.Short = (state == "queued" || state == "next") && v.Position > 0 && ahead > *v.StockLeft
	}
	if v.NoJSRefreshSeconds > 0 {
		v.Auto = strings.ReplaceAll(l["auto_on"], "{n}", fmt.Sprint(v.NoJSRefreshSeconds))
	}
}

// setOpening says how long it is until something begins, and whether the visitor is in the draw.
func (v *view) setOpening(l locale) {
	v.Ahead, v.Words = l.wait(v.BeginsS), true
	if v.State == "announced" {
		v.AheadLabel = l["lobby_in"]
		return
	}
	v.AheadLabel = l["opens_in"]
	if v.State != "lobby" && v.State != "drawing" {
		return
	}
	v.WaitLabel, v.Wait = l["draw"], l["in_draw_wait"]
	if v.InDraw {
		v.Wait = l["in_draw"]
	}
}

// isPlainPath says whether text is a local path that needs no escaping and has no query: one slash between names of letters, digits, ".", "_", "~", "-".
func isPlainPath(text string) bool {
	if len(text) < 2 || text[0] != '/' {
		return false
	}
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '~', c == '-':
		case c == '/' && text[i-1] != '/':
		default:
			return false
		}
	}
	return true
}

// setReturn derives the three links of the page without JavaScript from the URL that the visitor asked for.
func (v *view) setReturn(text string) {
	if isPlainPath(text) { // as most are
		v.Return, v.Now, v.Resume, v.Stop = text, text, text, text+"?refresh=0"
		return
	}
	u, err := url.Parse(localPath(text))
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	q := u.Query()
	if q.Get("refresh") == "0" {
		v.NoJSRefreshSeconds = 0
	}
	if q.Has("refresh") {
		q.Del("refresh")
		u.RawQuery = q.Encode()
	}
	v.Resume = u.String()
	q.Set("refresh", "0")
	stop := *u
	stop.RawQuery = q.Encode()
	v.Stop = stop.String()
	v.Return, v.Now = v.Resume, v.Resume
}

// localPath gives back text when it is a path of this very site, and "/" for everything else: a page that everybody trusts must not be a
// springboard to another host. Browsers read a backslash as a slash and drop control characters.
func localPath(text string) string {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\") {
		return "/"
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			return "/"
		}
	}
	return text
}
