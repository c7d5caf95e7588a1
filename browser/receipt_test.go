//go:build browser

package browser

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"ticketrush/room/draw"
)

// receiptMillisMax is how long a page may take to check a receipt of a draw of a million.
const receiptMillisMax = 50.0

// TestReceiptOfAMillionIsCheckedInAPage runs verify.js in Chromium under the room's policy. The address is 127.0.0.1, where WebCrypto is.
func TestReceiptOfAMillionIsCheckedInAPage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'")
		switch r.URL.Path {
		case "/verify.js":
			w.Header().Set("Content-Type", "text/javascript")
			w.Write(draw.VerifyScript)
		case "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<!doctype html><html lang="en"><title>Receipt</title><h1>Receipt</h1>`)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer server.Close()
	eve := newFan(t, startChromium(t), "Eve", 0)
	eve.do("open a page", chromedp.Navigate(server.URL+"/"))

	receipt, known := receiptOfAMillion(t)
	forged := strings.Replace(receipt, `"room":"spring-tour"`, `"room":"autumn-tour"`, 1)
	for _, tc := range []struct{ name, receipt, known, step string }{
		{"genuine", receipt, known, ""},
		{"with nothing to compare", receipt, `{}`, ""},
		{"of another room", forged, known, "rank"},
		{"that is none", `{}`, known, "format"},
		{"of a list that was not published", receipt, `{"root":"` + strings.Repeat("0", 64) + `"}`, "root"},
	} {
		got := ask[struct {
			OK     bool
			Step   string
			Millis []float64
		}](eve, fmt.Sprintf(`(async () => {
			const { verify } = await import('/verify.js');
			const millis = [];
			let found;
			for (let i = 0; i < 5; i++) {
				const start = performance.now();
				found = await verify(%s, %s);
				millis.push(performance.now() - start);
			}
			return { OK: found.ok, Step: found.step, Millis: millis };
		})()`, tc.receipt, tc.known))
		if got.OK != (tc.step == "") || got.Step != tc.step {
			t.Errorf("a receipt %s: %+v, want the step %q", tc.name, got, tc.step)
		}
		if len(got.Millis) == 0 || got.Millis[0] > receiptMillisMax {
			t.Errorf("a receipt %s took %v ms, at most %v", tc.name, got.Millis, receiptMillisMax)
		}
		t.Logf("a receipt %s: %.1f ms", tc.name, got.Millis)
	}
	eve.quiet("the receipts")
}

// receiptOfAMillion draws, and gives somebody's receipt and what was published before.
func receiptOfAMillion(t *testing.T) (receipt, known string) {
	t.Helper()
	var tid draw.Tid
	l := new(draw.List)
	for i := range 1_000_000 {
		binary.BigEndian.PutUint64(tid[:], uint64(i)*0x9e3779b97f4a7c15)
		if err := l.Append(tid); err != nil {
			t.Fatal(err)
		}
	}
	secret := draw.Secret{1, 2, 3}
	d, err := draw.Seal(l).Draw("spring-tour", 1, secret, draw.Beacon{})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := d.Receipt(tid)
	if !ok {
		t.Fatal("the last who came is not on the list")
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), fmt.Sprintf(`{"commitment":%q,"root":%q}`, secret.Commitment(), d.Root())
}
