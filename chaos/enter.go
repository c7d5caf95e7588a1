package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"time"
)

// demoRoom is the room of the demo's Caddyfile.
const demoRoom = "demo"

// enterMax bounds how long the line may take in which nobody else stands.
const enterMax = 30 * time.Second

// enter goes through the waiting room and gives the pass, with which all buyers of the edge make their holds.
func enter(ctx context.Context, base string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, enterMax)
	defer cancel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	w := &wire{name: "room", bases: []string{base}, http: &http.Client{Jar: jar}, try: 10 * time.Second, gaps: newGaps(), book: newBook()}
	post := func(what string) (answer, error) {
		return w.ask(ctx, call{method: http.MethodPost, path: "/.wr/v1/" + demoRoom + "/" + what, body: struct{}{}})
	}
	if a, err := post("join"); err != nil || !a.ok() {
		return "", fmt.Errorf("join the room: %d %s %w", a.status, a.problem, err)
	}
	for {
		a, err := post("claim")
		if err != nil {
			return "", fmt.Errorf("claim a pass: %w", err)
		}
		if a.status == http.StatusCreated {
			break
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return "", fmt.Errorf("claim a pass: %d %s: %w", a.status, a.problem, err)
		}
	}
	at, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	for _, c := range jar.Cookies(at) {
		if c.Name == "wr_"+demoRoom+"_pass" {
			return c.Value, nil
		}
	}
	return "", fmt.Errorf("the room let us in and gave no pass")
}

// passLife is after how long a new pass is fetched; it lives for ten minutes.
const passLife = 5 * time.Minute

// keepPass fetches the first pass of a wire, and new ones until ctx ends.
func (w *wire) keepPass(ctx context.Context) error {
	text, err := enter(ctx, w.bases[0])
	if err != nil {
		return err
	}
	w.pass.Store(&text)
	go func() {
		for wait(ctx, passLife) == nil {
			if text, err := enter(ctx, w.bases[0]); err == nil {
				w.pass.Store(&text)
			} else if ctx.Err() == nil {
				w.book.failed("the room gave no new pass: %v", err)
			}
		}
	}()
	return nil
}
