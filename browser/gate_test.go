//go:build browser

package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// command prepares the program that was built, with what it needs to reach the demo.
func (p place) command(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "bin", "stockd"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "STOCKD_URL="+p.Site, "STOCKD_API_KEY="+p.APIKey, "STOCKD_POSTGRES="+p.Postgres)
	return cmd
}

// stockd runs a command to its end.
func (p place) stockd(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.command(t.Context(), t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("stockd %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// takesBack lets buyers give their tickets back, by the way of a postponement by an hour.
func (p place) takesBack(t *testing.T) {
	t.Helper()
	var event struct {
		StartsAt time.Time `json:"starts_at"`
	}
	if err := json.Unmarshal([]byte(p.ops(t, "GET", "/v1/events/arena", "")), &event); err != nil {
		t.Fatal(err)
	}
	p.ops(t, "POST", "/v1/events/arena/postponement", fmt.Sprintf(`{"starts_at":%q,"refunds_until":%q}`, event.StartsAt.Add(time.Hour).Format(time.RFC3339), event.StartsAt.Format(time.RFC3339)))
}

// atTheGate checks tickets on the page of stockd gate serve: a good one, the same again, one that is void, and what is none.
func atTheGate(t *testing.T, demo place, chromium context.Context) {
	ida := newFan(t, chromium, "Ida", 0)
	order := ida.buys(demo, 2)
	codes := ask[[]string](ida, fmt.Sprintf(`fetch('/v1/orders/%s/tickets').then((r) => r.json()).then((d) => d.tickets.map((t) => t.code))`, order))
	dir := t.TempDir()
	bundle, log := filepath.Join(dir, "gate.json"), filepath.Join(dir, "scans.log")
	fetch := []string{"gate", "fetch", "arena", "--out", bundle}
	if said := demo.stockd(t, fetch...); !strings.Contains(said, "tickets sold") {
		t.Errorf("gate fetch says %q", said)
	}
	mary := newFan(t, chromium, "Mary at the gate", 360)
	mary.do("open the gate", chromedp.Navigate(demo.serves(t, "gate", "serve", "--listen", "127.0.0.1:0", "--bundle", bundle, "--log", log, "--gate", "north", "--rehearse")), seen("#code"))
	mary.checked("a gate that is ready")
	mary.scans(codes[0], "green", "Let them in")
	mary.checked("a good ticket")
	mary.scans(codes[0], "amber", "At gate north")
	year := time.Now().UTC().Format("2006-")
	mary.says("#text", year) // and when
	mary.checked("a ticket that was scanned before")
	mary.do("take the large screen", chromedp.EmulateViewport(1280, 900))
	mary.checked("a ticket that was scanned before, on a large screen")
	mary.do("take the phone", chromedp.EmulateViewport(360, 800))
	mary.scans("hello", "red", "not the whole code")
	mary.checked("what is no ticket")
	// Told to the ledger, which fails because of the second scan, and says so.
	told, err := demo.command(t.Context(), t, "gate", "upload", "arena", "--log", log).CombinedOutput()
	if err == nil || !strings.Contains(string(told), "told 2 scans") || !strings.Contains(string(told), "Scanned before: at gate north") {
		t.Errorf("gate upload says %q, %v", told, err)
	}
	// Refunded, and fetched again: the gate that runs takes it at once.
	demo.ops(t, "POST", "/v1/orders/"+order+"/refunds", `{}`)
	demo.stockd(t, fetch...)
	mary.scans(codes[1], "red", "Its money was given back")
	mary.checked("a void ticket")
	mary.says("#count", "1")
}

// scans types a code, as a scanner does.
func (f *fan) scans(code, colour, says string) {
	f.t.Helper()
	f.do("scan", write("#code", code+kb.Enter))
	f.until("see "+colour, fmt.Sprintf(`document.querySelector('#verdict').classList.contains(%q) && document.querySelector('#text').textContent.includes(%q)`, colour, says))
}

// serves runs a command that listens until the test has ended, and gives the address that its first line ends with.
func (p place) serves(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := p.command(ctx, t, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was told to end
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("stockd %s ended before it was ready", strings.Join(args, " "))
	}
	at := strings.LastIndex(lines.Text(), "http://")
	if at < 0 {
		t.Fatalf("stockd %s says %q", strings.Join(args, " "), lines.Text())
	}
	return lines.Text()[at:]
}
