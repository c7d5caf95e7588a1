package order_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stripe"
	"ticketrush/stockd/stripe/fake"
)

// What makes the test binary a shop that may be killed: its ledger, and where Stripe is.
const (
	childLedger = "TICKETRUSH_KILL_LEDGER"
	childStripe = "TICKETRUSH_KILL_STRIPE"
	childMark   = "the shop listens at "
)

// prepared is an order that waits for its payment.
type prepared struct {
	Order uuid.UUID
	Ref   string // of the payment at Stripe
}

// TestKillChild is the shop of TestKillAtEachStatement, in a process of its own: a node, an order service with its workers, and the webhook.
func TestKillChild(t *testing.T) {
	dsn := os.Getenv(childLedger)
	if dsn == "" {
		return // not a child
	}
	w := &world{t: t, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	w.startNode(dsn, 1)
	w.useStripe(os.Getenv(childStripe))
	var err error
	if w.ledger, err = ledger.Open(t.Context(), dsn, ledger.Options{AllowNoFsync: true}); err != nil {
		t.Fatal(err)
	}
	w.service, err = order.New(order.Config{TicketKey: w.key, TicketKeyID: 1, PayFor: time.Minute, Every: 200 * time.Millisecond}, w.ledger, w.node,
		map[string]order.Provider{stripe.Name: w.stripe}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.service.Start()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /prepare", func(rw http.ResponseWriter, _ *http.Request) {
		o, p := w.byStripe(1)
		_ = json.NewEncoder(rw).Encode(prepared{Order: o.ID, Ref: p.ProviderRef})
	})
	mux.HandleFunc("POST /webhook", func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := w.service.Webhook(r.Context(), stripe.Name, body, r.Header); err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(childMark + l.Addr().String())
	_ = http.Serve(l, mux) // until it is killed
}

// shopProcess is a running child.
type shopProcess struct {
	cmd  *exec.Cmd
	url  string
	gone chan struct{} // closed when the process has ended
}

func startShop(t *testing.T, dsn, stripeURL string) *shopProcess {
	t.Helper()
	p := &shopProcess{cmd: exec.Command(os.Args[0], "-test.run=^TestKillChild$", "-test.count=1", "-test.timeout=5m"), gone: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childLedger+"="+dsn, childStripe+"="+stripeURL)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	p.cmd.Stderr = &errs
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	for lines := bufio.NewScanner(out); p.url == "" && lines.Scan(); {
		said += lines.Text() + "\n"
		if addr, ok := strings.CutPrefix(lines.Text(), childMark); ok {
			p.url = "http://" + addr
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(p.kill)
	if p.url == "" {
		t.Fatalf("the shop did not start:\n%s%s", said, errs.String())
	}
	return p
}

// kill is SIGKILL.
func (p *shopProcess) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// post asks the shop for something; false when it did not say yes.
func (p *shopProcess) post(path string, body []byte, signature string) ([]byte, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	req.Header.Set("Stripe-Signature", signature)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return answer, err == nil && resp.StatusCode == http.StatusOK
}

// recoverMax is how long after the start of a fresh process an order may take to its right state.
const recoverMax = 10 * time.Second

// A shop is killed at each statement between the webhook and the ticket, before the ledger hears of it and when it has answered. A fresh process and Stripe's own
// repetition of a webhook that was not acknowledged are all that follows: each order is issued, its money captured once, and the ledger reconciles.
func TestKillAtEachStatement(t *testing.T) {
	t.Parallel()
	db := pgdev.Test(t, "order", func(ctx context.Context, dsn string) error {
		_, err := ledger.Migrate(ctx, dsn)
		return err
	})
	reap, dsn := startReaper(t, db.DSN)
	bank := &fake.Stripe{}
	server := httptest.NewServer(bank)
	defer server.Close()
	l, err := ledger.Open(t.Context(), db.DSN, ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := &world{t: t, ledger: l}
	shop := startShop(t, dsn, server.URL)
	kills, slowest := 0, time.Duration(0)
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			answer, ok := shop.post("/prepare", nil, "")
			var o prepared
			if err := json.Unmarshal(answer, &o); !ok || err != nil {
				t.Fatalf("no order: %s, %v", answer, err)
			}
			pi := bank.Pay(o.Ref)
			body, signature := bank.Event("payment_intent.amount_capturable_updated", bank.Get(pi), time.Now())
			reap.arm(n, after, func() { _ = shop.cmd.Process.Kill() })
			_, acknowledged := shop.post("/webhook", body, signature)
			w.until("the order is issued or the shop is dead", func() bool {
				select {
				case <-shop.gone:
					return true
				default:
					return w.stored(o.Order) == order.Issued
				}
			})
			if fired, seen := reap.disarm(); !fired {
				t.Logf("after the answer: %v: an order takes %d statements at most", after, seen)
				break
			}
			<-shop.gone
			kills++
			fresh := time.Now()
			shop = startShop(t, dsn, server.URL)
			if !acknowledged {
				if _, ok := shop.post("/webhook", body, signature); !ok {
					t.Errorf("statement %d: the webhook that is told again is refused", n)
				}
			}
			w.until("the order is issued", func() bool { return w.stored(o.Order) == order.Issued })
			took := time.Since(fresh)
			slowest = max(slowest, took)
			if took > recoverMax {
				t.Errorf("killed at statement %d (answered: %v): the order took %v, at most %v", n, after, took, recoverMax)
			}
			if got := bank.Get(pi)["status"]; got != "succeeded" {
				t.Errorf("killed at statement %d (answered: %v): the money is %s", n, after, got)
			}
		}
	}
	shop.kill()
	t.Logf("%d kills; an order is issued %v after the start of the next process at most", kills, slowest.Round(time.Millisecond))
	if kills < 10 {
		t.Errorf("only %d kills: the sweep misses the sale", kills)
	}
	w.reconciles()
}

// stored is the state of an order in the ledger.
func (w *world) stored(id uuid.UUID) order.State {
	o, err := w.ledger.OrderGet(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return order.State(o.State)
}
