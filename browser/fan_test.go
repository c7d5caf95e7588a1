//go:build browser

package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// stepMax is how long one step of a walk may take, on a machine that runs everything at once.
const stepMax = 60 * time.Second

// startChromium runs one Chromium for all fans of a test.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.Flag("force-prefers-reduced-motion", true))
	if path := os.Getenv("CHROMIUM"); path != "" {
		options = append(options, chromedp.ExecPath(path))
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses root; what it opens here is our own demo
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(alloc)
	t.Cleanup(func() { end(); stop() })
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// fan is one person: a tab, in a browser with cookies of its own.
type fan struct {
	t    *testing.T
	name string
	ctx  context.Context
	// scriptless says that the fan switched scripts off, so that whoever switches them on for a look switches them off again.
	scriptless bool

	mu       sync.Mutex                    // over what the browser tells meanwhile
	troubles []string                      // what the browser complained about
	bytes    map[network.RequestID]float64 // over the wire
	urls     map[network.RequestID]string
}

// newFan opens a browser of its own; width 0 means 1280.
func newFan(t *testing.T, chromium context.Context, name string, width int64) *fan {
	t.Helper()
	return open(t, chromium, name, width, chromedp.WithNewBrowserContext())
}

// secondTab opens one more tab in the same browser.
func (f *fan) secondTab(name string) *fan {
	f.t.Helper()
	return open(f.t, f.ctx, name, 0)
}

func open(t *testing.T, parent context.Context, name string, width int64, options ...chromedp.ContextOption) *fan {
	t.Helper()
	f := &fan{t: t, name: name, bytes: map[network.RequestID]float64{}, urls: map[network.RequestID]string{}}
	ctx, end := chromedp.NewContext(parent, append(options, chromedp.WithListener(f.listen))...)
	f.ctx = ctx
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil { // the first call makes the tab, which lives as long as this call's context
		t.Fatalf("open a tab for %s: %v", name, err)
	}
	if width == 0 {
		width = 1280
	}
	// As if each had a screen of their own: a tab behind another one gets no frames, and a click on it waits for one.
	f.do("open a tab", command(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}), command(log.Enable, cdp.Empty{}), command(network.Enable, network.EnableParams{}), chromedp.EmulateViewport(width, 900))
	return f
}

// step is one thing that a person does.
type step = chromedp.Action[chromedp.Void]

// command sends a command of the browser's own protocol.
func command[P, R any](c cdp.Command[P, R], params P) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func click(selector string) step       { return chromedp.Click(chromedp.CSS(selector)) }
func seen(selector string) step        { return chromedp.WaitVisible(chromedp.CSS(selector)) }
func notSeen(selector string) step     { return chromedp.WaitNotVisible(chromedp.CSS(selector)) }
func write(selector, text string) step { return chromedp.SendKeys(chromedp.CSS(selector), text) }

// withoutJavaScript switches the page's scripts off; what the test asks of the page still works.
func withoutJavaScript() step {
	return command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

func (f *fan) listen(event any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		f.troubles = append(f.troubles, "exception: "+text)
	case *log.EventEntryAdded:
		// A refused call is shown to the fan and looked at there; what the policy blocks comes as an entry of its own.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			f.troubles = append(f.troubles, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventResponseReceived:
		f.urls[e.RequestID] = e.Response.URL
	case *network.EventLoadingFinished:
		f.bytes[e.RequestID] = e.EncodedDataLength
	}
}

// do takes some steps; what goes wrong ends the test, with what the fan saw.
func (f *fan) do(what string, steps ...step) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, stepMax)
	defer cancel()
	steps = append([]step{command(page.BringToFront, cdp.Empty{})}, steps...)
	if err := chromedp.Do(ctx, steps...); err != nil {
		f.t.Fatalf("%s cannot %s: %v\n%s", f.name, what, err, f.picture())
	}
}

// picture keeps a screenshot outside of the test's folder, and gives its path with the page's address and text.
func (f *fan) picture() string {
	ctx, cancel := context.WithTimeout(f.ctx, 10*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + ' | ' + (document.querySelector('#notice:not([hidden])')?.innerText ?? '') + ' | ' + document.body.innerText.slice(0, 600)`))
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return text
	}
	path := filepath.Join(os.TempDir(), "walk-"+strings.ReplaceAll(f.name, " ", "-")+".png")
	if err := os.WriteFile(path, png, 0o600); err != nil {
		return text
	}
	return text + "\nscreenshot: " + path
}

// says waits until an element's text holds some words.
func (f *fan) says(selector, words string) {
	f.t.Helper()
	f.until(fmt.Sprintf("read %q in %s", words, selector), fmt.Sprintf(`(document.querySelector(%q)?.textContent ?? '').includes(%q)`, selector, words))
}

// until asks the page again and again whether an expression is true; from here, since a page may be on its way to another one, or have no scripts.
func (f *fan) until(what, expression string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, stepMax)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.t.Fatalf("%s cannot %s\n%s", f.name, what, f.picture())
		}
	}
}

// ask evaluates an expression now.
func ask[T any](f *fan, expression string) T {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, stepMax)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		f.t.Fatalf("%s cannot evaluate %s: %v\n%s", f.name, expression, err, f.picture())
	}
	return v
}

// named are the roles of which a screen reader has to say more than the role.
var named = []string{"button", "link", "textbox", "combobox", "checkbox", "heading", "image", "dialog", "progressbar", "region"}

// sane looks at what a page must have for everybody: a language, one heading, one main part, names for whatever can be pressed or filled in, no id
// twice, nothing that sticks out, and no complaint of the browser.
func (f *fan) sane(what string) {
	f.t.Helper()
	facts := ask[struct {
		Lang, Title     string
		H1, Main, Twice int
		Width, View     int
	}](f, `(() => { const seen = (s) => [...document.querySelectorAll(s)].filter((e) => e.checkVisibility()).length;
		const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
		return {Lang: document.documentElement.lang, Title: document.title, H1: seen('h1'), Main: seen('main'), Twice: ids.length - new Set(ids).size,
			Width: document.documentElement.scrollWidth, View: document.documentElement.clientWidth}; })()`)
	if facts.Lang == "" || facts.Title == "" || facts.H1 != 1 || facts.Main != 1 || facts.Twice != 0 || facts.Width > facts.View {
		f.t.Errorf("%s, %s: %+v", f.name, what, facts)
	}
	f.do("read "+what+" aloud", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		tree, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		for _, n := range tree.Nodes {
			if !n.Ignored && slices.Contains(named, plain(n.Role)) && plain(n.Name) == "" {
				f.t.Errorf("%s, %s: a %s has no name", f.name, what, plain(n.Role))
			}
		}
		return err
	}))
	f.quiet(what)
}

// plain gives the text of a value of the accessibility tree.
func plain(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `"`)
}

// quiet says whether the browser complained since the last time: exceptions, and what the Content-Security-Policy blocked.
func (f *fan) quiet(what string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, trouble := range f.troubles {
		f.t.Errorf("%s, %s: %s", f.name, what, trouble)
	}
	f.troubles = nil
}

// loaded adds up what came over the wire from addresses with some text in them.
func (f *fan) loaded(part string) (bytes float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, url := range f.urls {
		if strings.Contains(url, part) {
			bytes += f.bytes[id]
		}
	}
	return bytes
}
