//go:build browser

package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long a step may take. It only catches what hangs.
const patience = 2 * time.Minute

// ready is the line that the demo prints for programs.
type ready struct {
	Ready  bool   `json:"ready"`
	Site   string `json:"site"`
	APIKey string `json:"api_key"`
}

// startDemo runs the real demo with room for a few people, on free ports, and ends it with the test.
func startDemo(t *testing.T, inside int) ready {
	t.Helper()
	cmd := exec.Command("../bin/stockd", "demo", "--max-active", fmt.Sprint(inside), "--http-port", "18080", "--https-port", "18443",
		"--api-port", "17501", "--gossip-port", "17601", "--internal-port", "17701", "--site-port", "17801")
	cmd.Dir = "."
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r ready
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Ready {
			return r
		}
	}
	t.Fatal("the demo did not get ready")
	return ready{}
}

// newBrowser starts Chromium.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1440, 900))
	if path := os.Getenv("CHROMIUM"); path != "" {
		options = append(options, chromedp.ExecPath(path))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// person opens a browser profile of its own. An exception in one of its pages fails the test.
func person(t *testing.T, browser context.Context, name string) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("open a profile for %s: %v", name, err)
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			if m.IsException() {
				t.Errorf("the console of %s: %s", name, m)
			}
		}
	})
	t.Cleanup(func() { cancel(); watching.Wait() })
	return ctx
}

func personWithoutJavaScript(t *testing.T, browser context.Context, name string) context.Context {
	t.Helper()
	ctx := person(t, browser, name)
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// do takes steps in a browser, and tells on which page it came to a halt.
func do(t *testing.T, ctx context.Context, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Do(limited, steps...); err != nil {
		short, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		where, _ := chromedp.Run(short, chromedp.Location())
		page, _ := chromedp.Run(short, chromedp.Text("body"))
		t.Fatalf("%s: %v\nat %s:\n%s", what, err, where, page)
	}
}

// text is what an element says.
func text(t *testing.T, ctx context.Context, selector string) string {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := chromedp.Run(limited, chromedp.Text(selector))
	if err != nil {
		t.Fatalf("read %s: %v", selector, err)
	}
	return strings.TrimSpace(out)
}

// TestWalk buys two tickets as a person would, while somebody without JavaScript is let in, and a third person waits in line.
func TestWalk(t *testing.T) {
	demo := startDemo(t, 2)
	browser := newBrowser(t)

	buyer := person(t, browser, "the buyer")
	do(t, buyer, "be let in and see the map", chromedp.Navigate(demo.Site+"buy/"), chromedp.WaitVisible("#map svg .section"))
	do(t, buyer, "hold the best seats", chromedp.Click("#best .primary"), chromedp.WaitVisible("#held"))

	plain := personWithoutJavaScript(t, browser, "the person without JavaScript")
	do(t, plain, "be let in without JavaScript", chromedp.Navigate(demo.Site+"buy/"), chromedp.WaitVisible("main.plain h1"))
	if heading := text(t, plain, "main.plain h1"); heading != "Choosing seats needs JavaScript" {
		t.Errorf("who is let in without JavaScript reads %q", heading)
	}

	late := person(t, browser, "the person who waits")
	do(t, late, "wait in line", chromedp.Navigate(demo.Site+"buy/"), chromedp.WaitVisible("#leave"))
	if heading := text(t, late, "#heading"); heading != "You are in line" {
		t.Errorf("who waits reads %q", heading)
	}
	patient := personWithoutJavaScript(t, browser, "the person who waits without JavaScript")
	do(t, patient, "wait in line without JavaScript", chromedp.Navigate(demo.Site+"buy/"), chromedp.WaitVisible("h1"))
	if page := text(t, patient, "body"); !strings.Contains(page, "You are in line") {
		t.Errorf("who waits without JavaScript reads:\n%s", page)
	}

	do(t, buyer, "go to the bank", chromedp.SendKeys("[name=name]", "Ada Lovelace"),
		chromedp.SendKeys("[name=email]", "ada@example.org"), chromedp.Click("#pay"))
	do(t, buyer, "pay", chromedp.WaitVisible(".pay"), chromedp.Click(".pay"))
	do(t, buyer, "see the tickets", chromedp.WaitVisible(".ticket img"))
	if codes, err := chromedp.Run(buyer, chromedp.Evaluate[int]("document.querySelectorAll('.ticket img').length")); err != nil || codes != 2 {
		t.Errorf("%d tickets have a code, 2 were bought (%v)", codes, err)
	}

	ops := person(t, browser, "ops")
	do(t, ops, "sign in as ops with a wrong key", chromedp.Navigate(demo.Site+"admin"), chromedp.SendKeys("#key", "wrong\n"),
		chromedp.WaitVisible("#sign-error"))
	do(t, ops, "sign in as ops", chromedp.Navigate(demo.Site+"admin"), chromedp.SendKeys("#key", demo.APIKey+"\n"),
		chromedp.WaitVisible("#board .event .state"))
}
