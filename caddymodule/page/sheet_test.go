package page

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fresh renders a page without what is kept.
func fresh(t *testing.T, p *Page, d Data) string {
	t.Helper()
	anew := *p
	anew.rendered = nil
	return render(t, &anew, d)
}

// TestKeptPagesAreTheVisitorsOwn renders pages that share what is kept, in an order in which a field that was forgotten would show another's.
func TestKeptPagesAreTheVisitorsOwn(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	one, many := int64(1), int64(5000)
	base := queued()
	for _, lang := range []string{"en", "ar"} {
		for _, state := range []string{"", "lobby", "lobby-new", "announced", "drawing", "queued", "next", "eligible", "admitted", "paused", "ended"} {
			for i, change := range []func(*Data){
				func(*Data) {}, func(d *Data) { d.NextPollMs = 4321 }, func(d *Data) { d.Position = 99_000 }, func(d *Data) { d.Position = 1 }, func(d *Data) { d.Position = 0 },
				func(d *Data) { d.WaitSeconds = 9_000 }, func(d *Data) { d.WaitSeconds = 0 }, func(d *Data) { d.BeginsS, d.Position = 600, 0 },
				func(d *Data) { d.BeginsS, d.Position = 5000, 0 }, func(d *Data) { d.StockLeft = &one }, func(d *Data) { d.StockLeft = &many }, func(d *Data) { d.StockLeft = nil },
				func(d *Data) { d.Bound = true }, func(d *Data) { d.InDraw, d.Position, d.BeginsS = true, 0, 60 }, func(d *Data) { d.Drawn = true },
				func(d *Data) { d.Return = "/else" }, func(d *Data) { d.Return = "/buy?refresh=0" }, func(d *Data) { d.NoJSRefreshSeconds = 0 },
				func(d *Data) { d.NoJSRefreshSeconds = 7 }, func(d *Data) { d.RoomTitle = "Another" }, func(d *Data) { d.Base = "/elsewhere" },
			} {
				d := base
				d.Lang, d.State = lang, state
				change(&d)
				want := fresh(t, p, d)
				for range 2 {
					if got := render(t, p, d); got != want {
						t.Fatalf("%s %q, change %d: what is kept differs from what is rendered anew:\n%s\n%s", lang, state, i, got, want)
					}
				}
			}
		}
	}
	if n := p.rendered.Len(); n < 50 || n > sheetsMax {
		t.Errorf("%d pages are kept", n)
	}
}

func TestKeptPagesCannotBePoisoned(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	d := queued()
	d.Return = "/buy?seat=" + strconv.Itoa(firstPollMark)
	for range 2 {
		if got := render(t, p, d); got != fresh(t, p, d) {
			t.Error("the mark in a path changes the page")
		}
	}
	d.Return = "/" + strings.Repeat("a", 2*sheetReturnMax)
	before := p.rendered.Len()
	if got := render(t, p, d); got != fresh(t, p, d) || p.rendered.Len() != before {
		t.Error("a page with a long path is kept, or wrong")
	}
}

func TestOwnTemplateIsRenderedForEachVisitor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.html"), []byte("{{.Position}} {{.NextPollMs}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for position := range int64(3) {
		var b bytes.Buffer
		if err := p.Render(&b, Data{Position: 1000 + position, Lang: "en"}); err != nil || b.String() != strconv.FormatInt(1000+position, 10)+" 0" {
			t.Errorf("%q, %v", b.String(), err)
		}
	}
}
