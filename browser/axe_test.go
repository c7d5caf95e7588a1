//go:build browser

package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// checked looks at a page as sane does, and has axe-core look for what keeps people out. SHOTS names a directory that gets a picture of each.
func (f *fan) checked(what string) {
	f.t.Helper()
	f.sane(what)
	f.shot(what)
	path := os.Getenv("AXE")
	script, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatalf("%v: AXE names axe-core's script; `make browser` gets it", err)
	}
	rules := ""
	if f.scriptless && ask[bool](f, `document.querySelector('meta[http-equiv=refresh]') !== null`) {
		// axe takes every refresh for a time limit. This one can be switched off, as WCAG 2.2.1 asks; the page where it is off is looked at without this.
		rules = "rules: {'meta-refresh': {enabled: false}},"
		f.do("keep the page", command(page.StopLoading, cdp.Empty{}))
	}
	// With scripts off nothing of axe runs either. Those of the page were not run when it was loaded, and are not run now.
	f.do("let axe run", command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{}))
	found := ask[[]string](f, fmt.Sprintf(`(async () => { %s
		const found = await axe.run(document, {%s runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations']});
		delete window.axe;
		return found.violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.html + ' ' + n.failureSummary)); })()`, script, rules))
	if f.scriptless {
		f.do("go on without scripts", withoutJavaScript())
	}
	for _, violation := range found {
		f.t.Errorf("%s, %s: axe finds %s", f.name, what, violation)
	}
}

func (f *fan) shot(what string) {
	f.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(f.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		f.t.Fatal(err)
	}
	name := strings.ReplaceAll(f.name+"-"+what, " ", "-") + ".png"
	if err := os.WriteFile(filepath.Join(dir, name), png, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// readCookies looks at the cookies of the page, also at those that scripts cannot see.
func readCookies(each func(*network.Cookie)) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		found, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{})
		for _, c := range found.Cookies {
			each(c)
		}
		return err
	})
}

// speaks asks for a language.
func speaks(lang string) step {
	return command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}})
}

// inTheDark asks for dark colours.
func inTheDark() step {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: "dark"}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}
