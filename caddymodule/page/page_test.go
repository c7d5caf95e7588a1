package page

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func newPage(t testing.TB) *Page {
	t.Helper()
	p, err := New("", []byte("export const verify = 1;\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func render(t testing.TB, p *Page, d Data) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Render(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func queued() Data {
	left := int64(300)
	return Data{Room: "demo", RoomTitle: "Demo & Friends", Base: "/.wr/v1/demo", Return: "/buy/?a=1", State: "queued", Position: 12346,
		WaitSeconds: 700, Lang: "en", NoJSRefreshSeconds: 30, StockLeft: &left}
}

func TestRenderShowsTheVisitorsPlace(t *testing.T) {
	t.Parallel()
	html := render(t, newPage(t), queued())
	for _, want := range []string{
		`<html lang="en" dir="ltr">`, "You are in line · Demo &amp; Friends", `id="ahead">12,300<`, `id="wait">10–15 min<`, `id="stock">300<`,
		`content="30;url=/buy/?a=1"`, `href="/buy/?a=1&amp;refresh=0"`, `<p class="note honest" id="honest">`, `src="/.wr/v1/demo/assets/page.js?v=`,
		`"return":"/buy/?a=1"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in the page", want)
		}
	}
}

func TestRenderEveryStateInEveryLanguage(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	leftover := regexp.MustCompile(`\{\{|\[\[|no value|\{[a-z]\}`)
	for _, lang := range Locales {
		for _, state := range []string{"", "announced", "lobby-new", "lobby", "drawing", "queued", "next", "eligible", "admitted", "soldout", "paused", "ended", "moved", "code", "nonsense"} {
			d := queued()
			d.Lang, d.State = lang, state
			html := render(t, p, d)
			visible := regexp.MustCompile(`(?s)<script type="application/json".*?</script>`).ReplaceAllString(html, "")
			if found := leftover.FindString(visible); found != "" {
				t.Errorf("%s, state %q: the page still holds %q", lang, state, found)
			}
			if !strings.Contains(html, `lang="`+lang+`" dir="`+p.locales[lang]["dir"]+`"`) {
				t.Errorf("%s, state %q: wrong lang or dir", lang, state)
			}
		}
	}
}

func TestRefreshCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	d := queued()
	d.Return = "/buy/?refresh=0&b=2"
	html := render(t, newPage(t), d)
	if strings.Contains(html, "http-equiv") {
		t.Error("the page refreshes although the visitor switched that off")
	}
	if !strings.Contains(html, `<a href="/buy/?b=2">`) {
		t.Error("no link to switch the refresh on again")
	}
}

func TestReturnIsALocalPath(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/a\nb", "", "/%zz", `\\evil.example`} {
		d := queued()
		d.Return = text
		if html := render(t, newPage(t), d); strings.Contains(html, "evil") || !strings.Contains(html, `"return":"/"`) {
			t.Errorf("%q was taken as a place to return to", text)
		}
	}
}

func TestNothingOfTheVisitorIsMarkup(t *testing.T) {
	t.Parallel()
	d := queued()
	d.RoomTitle, d.Return = `</title><script>alert(1)</script>`, `/"><script>alert(2)</script>`
	if html := render(t, newPage(t), d); strings.Contains(html, "<script>alert") {
		t.Error("markup came through")
	}
}

// TestWorksUnderCSP refuses what the policy would block: inline handlers, inline styles and scripts, foreign addresses.
func TestWorksUnderCSP(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	html := render(t, p, queued())
	for _, bad := range []string{`\son[a-z]+=`, `\sstyle=`, `<style`, `javascript:`, `<script(?: type="module")?>`, `(?:src|href|action)="(?:https?:)?//`} {
		if found := regexp.MustCompile(bad).FindString(html); found != "" {
			t.Errorf("the page holds %q", found)
		}
	}
	for name := range assetTypes {
		body, _, _, _, _ := p.Asset(name)
		text := strings.ReplaceAll(string(body), "http://www.w3.org/2000/svg", "")
		if strings.Contains(text, "://") || strings.Contains(text, "innerHTML") || strings.Contains(text, "eval(") {
			t.Errorf("%s reaches outside or writes markup", name)
		}
	}
}

func TestStaysSmallOnTheWire(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	for _, lang := range Locales {
		d := queued()
		d.Lang = lang
		doc := len(render(t, p, d)) // as it goes out: it is each visitor's own
		total := doc
		for _, name := range append(slices.Collect(maps.Keys(assetTypes)), textName(lang), laterName(lang)) {
			_, gz, _, _, _ := p.Asset(name)
			total += len(gz)
		}
		t.Logf("%s: document %d, all together %d bytes", lang, doc, total)
		if total > 30_000 {
			t.Errorf("%s: %d bytes over the wire, more than 30,000", lang, total)
		}
	}
}

// TestCommentsStayHere: our scripts go out without the lines that only explain them, an operator's as they are.
func TestCommentsStayHere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const own = "// mine\nexport const line = 1;\n"
	if err := os.WriteFile(filepath.Join(dir, "line.js"), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := New(dir, []byte("// checked by others\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range assetTypes {
		body, _, _, _, _ := p.Asset(name)
		switch name {
		case "line.js":
			if string(body) != own {
				t.Errorf("an operator's script is %q", body)
			}
		case verifyName:
			if string(body) != "// checked by others\n" {
				t.Errorf("the script that people read to check a draw is %q", body)
			}
		default:
			if filepath.Ext(name) == ".js" && (regexp.MustCompile(`(?m)^\s*(//|/\*)`).Match(body) || !bytes.Contains(body, []byte("import ")) && !bytes.Contains(body, []byte("export "))) {
				t.Errorf("%s has comments, or no code: %.200s", name, body)
			}
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	for name := range assetTypes {
		body, gz, contentType, etag, ok := p.Asset(name)
		if !ok || len(body) == 0 || contentType == "" {
			t.Fatalf("asset %s is missing", name)
		}
		if !strings.HasPrefix(etag, `W/"`) || !strings.HasSuffix(etag, `"`) || strings.HasSuffix(etag, `-gzip"`) || strings.HasSuffix(etag, `-zstd"`) {
			t.Errorf("%s has the ETag %s", name, etag)
		}
		r, err := gzip.NewReader(bytes.NewReader(gz))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := io.ReadAll(r); err != nil || !bytes.Equal(back, body) {
			t.Errorf("%s does not unpack to itself: %v", name, err)
		}
	}
	for _, name := range []string{"", "page.html", "../page.go", "locales/en.json", "/etc/passwd"} {
		if _, _, _, _, ok := p.Asset(name); ok {
			t.Errorf("%q is served", name)
		}
	}
}

func TestOverrideDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("brand.css", ":root{--accent:green}")
	write("locales/en.json", `{"h_queued":"Nearly there"}`)
	p, err := New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _, _, _, _ := p.Asset("brand.css"); string(body) != ":root{--accent:green}" {
		t.Errorf("brand.css is %q", body)
	}
	// A later version of ours brings new texts: an operator's file without them falls back to nothing worse than the key's default.
	if html := render(t, p, queued()); !strings.Contains(html, "Nearly there") {
		t.Error("the operator's text is not shown")
	}
	if body, _, _, _, _ := p.Asset("text.en.js"); !bytes.Contains(body, []byte(`"h_queued":"Nearly there"`)) || !bytes.Contains(body, []byte(`"h_next":"You are next"`)) {
		t.Errorf("the texts of the scripts are %.200s", body)
	}
	write("page.html", "{{.Nope")
	if _, err := New(dir, nil); err == nil {
		t.Error("a broken template was accepted")
	}
}

func BenchmarkRender(b *testing.B) {
	p := newPage(b)
	d := queued()
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Render(io.Discard, d); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTheNextInLineOfAFullHouseIsToldSo: an unknown wait is not shown as a short one.
func TestTheNextInLineOfAFullHouseIsToldSo(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	html := render(t, p, Data{Room: "demo", State: "next", Position: 1, Lang: "en"})
	for _, want := range []string{`id="heading">You are next<`, `id="lead">We let you in as soon as somebody leaves.<`, `id="wait">not known yet`} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q", want)
		}
	}
	html = render(t, p, Data{Room: "demo", State: "queued", Position: 1, WaitSeconds: 1, Lang: "en"})
	if strings.Contains(html, `id="heading">You are next`) || !strings.Contains(html, `id="wait">under a minute`) {
		t.Error("a known wait is not shown")
	}
}

// TestWhatComesFirstIsSaid: how long it is until the lobby and the sale, and the truth about the draw, without a script.
func TestWhatComesFirstIsSaid(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	for _, c := range []struct {
		name   string
		data   Data
		want   []string
		absent []string
	}{
		{"announced", Data{State: "announced", BeginsS: 700}, []string{"The lobby opens in", "10–15 min"}, []string{`action="/r/leave"`, "The draw</dt>"}},
		{"nobody yet", Data{State: "lobby-new", BeginsS: 90}, []string{"Opens in", "1–2 min", `action="/r/join"`, "Coming early is no advantage"}, []string{`action="/r/leave"`}},
		{"told", Data{State: "lobby", BeginsS: 90, InDraw: true}, []string{"Opens in", "You are in</dd>"}, []string{"Confirming</dd>"}},
		{"not told yet", Data{State: "lobby", BeginsS: 90}, []string{"Confirming</dd>"}, []string{"You are in</dd>"}},
		{"drawing", Data{State: "drawing", BeginsS: 3, InDraw: true}, []string{"The order is being drawn", "You are in</dd>"}, nil},
		{"drawn", Data{State: "queued", Position: 5, Drawn: true}, []string{`href="/r/receipt"`}, nil},
		{"bound", Data{State: "eligible", Bound: true}, []string{"Switch JavaScript on"}, []string{`action="/r/claim"`}},
		{"a code", Data{State: "code", Position: 5, Code: "ABCDE-FGHJK"}, []string{"Your code", `id="ahead">ABCDE-FGHJK<`}, []string{`action="/r/offer"`, `action="/r/handover"`}},
		{"moved", Data{State: "moved", Position: 5}, []string{"on another device now", `action="/r/handover"`}, []string{`action="/r/offer"`, `action="/r/leave"`, "People ahead"}},
		{"trouble", Data{State: "queued", Position: 5, Trouble: "hand_wrong"}, []string{`id="trouble">No place waits`, `action="/r/offer"`}, nil},
		{"unbound", Data{State: "eligible"}, []string{`action="/r/claim"`}, []string{"Switch JavaScript on"}},
	} {
		c.data.Room, c.data.Base, c.data.Lang = "demo", "/r", "en"
		html := render(t, p, c.data)
		html = regexp.MustCompile(`(?s)<script type="application/json".*?</script>`).ReplaceAllString(html, "")
		for _, want := range c.want {
			if !strings.Contains(html, want) {
				t.Errorf("%s: no %q", c.name, want)
			}
		}
		for _, absent := range c.absent {
			if strings.Contains(html, absent) {
				t.Errorf("%s: there is %q", c.name, absent)
			}
		}
	}
}
