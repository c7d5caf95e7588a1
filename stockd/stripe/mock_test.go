package stripe_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stripe"
)

// startMock runs stripe-mock, which checks requests against Stripe's own description of its API and answers with its examples.
func startMock(t *testing.T) string {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "tool", "-n", "-modfile="+filepath.Join("..", "..", "tools", "stripe-mock", "go.mod"), "stripe-mock")
	build.Env = append(os.Environ(), "GOWORK=off")
	var errs bytes.Buffer
	build.Stderr = &errs
	path, err := build.Output()
	if err != nil {
		t.Fatalf("build stripe-mock: %v\n%s", err, errs.String())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	mock := exec.CommandContext(t.Context(), strings.TrimSpace(string(path)), "-http-addr", addr)
	if err := mock.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = mock.Process.Kill()
		_ = mock.Wait()
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); ; {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return "http://" + addr
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("stripe-mock does not listen")
		}
	}
}

// Every request has the shape that Stripe's description of its API wants. What stripe-mock answers is an example and has no state, so that what comes of a
// request is the other tests'; here an error of Stripe's may not come.
func TestAgainstStripesOwnDescription(t *testing.T) {
	t.Parallel()
	url := startMock(t)
	p, err := stripe.New(stripe.Config{Key: "sk_test_123", WebhookSecrets: []string{"whsec_0000000000000000"}, ShopURL: "https://shop.example.org", URL: url, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	created, err := p.Create(t.Context(), intent(10640, "EUR"))
	if err != nil || !strings.HasPrefix(created.Ref, "cs_") {
		t.Fatalf("create: %+v, %v", created, err)
	}
	calls := map[string]func(context.Context) error{
		"status of a session": func(ctx context.Context) error { _, err := p.Status(ctx, created.Ref); return err },
		"status of an intent": func(ctx context.Context) error { _, err := p.Status(ctx, "pi_123"); return err },
		"capture":             func(ctx context.Context) error { return p.Capture(ctx, "pi_123", 10640) },
		"void of a session":   func(ctx context.Context) error { return p.Void(ctx, created.Ref) },
		"void of an intent":   func(ctx context.Context) error { return p.Void(ctx, "pi_123") },
		"refund":              func(ctx context.Context) error { return p.Refund(ctx, "pi_123", uuid.New(), 5320) },
	}
	for name, call := range calls {
		var told *stripe.Error
		if err := call(t.Context()); errors.As(err, &told) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What it does not know it refuses: the requests above were checked.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/refunds", strings.NewReader("payment_intent=pi_123&no_such_parameter=1"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer sk_test_123")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a parameter that does not exist is answered with %s", resp.Status)
	}
}
