package api

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ticketrush/pass"
	"ticketrush/stockd/chart"

	"github.com/google/uuid"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
)

// contract is the validator of openapi.yaml, made once. Who may do what is tested by itself: the names of cookies depend on ids.
var contract = sync.OnceValues(func() (validator.Validator, error) {
	doc, err := libopenapi.NewDocument(Contract)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(doc, config.WithoutSecurityValidation(), config.WithFormatAssertions())
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return v, nil
})

// contractMu: the validator is used by one test at a time.
var contractMu sync.Mutex

// checked wraps a handler: every answer has to be as the document says, and every request that is not refused too.
func checked(t testing.TB, next http.Handler) http.Handler {
	v, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		check(t, v, r, body, rec)
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

func check(t testing.TB, v validator.Validator, r *http.Request, body []byte, rec *httptest.ResponseRecorder) {
	t.Helper()
	asked := r.Clone(r.Context())
	asked.Body = io.NopCloser(bytes.NewReader(body))
	if rec.Code == http.StatusNotFound && rec.Header().Get("X-No-Route") != "" {
		return
	}
	contractMu.Lock()
	defer contractMu.Unlock()
	if rec.Code < 400 {
		if ok, errs := v.ValidateHttpRequest(asked); !ok {
			for _, e := range errs {
				t.Errorf("%s %s was answered %d, but is not as the contract says: %s: %s", r.Method, r.URL, rec.Code, e.Message, e.Reason)
			}
		}
	}
	if ok, errs := v.ValidateHttpResponse(asked, rec.Result()); !ok {
		for _, e := range errs {
			if strings.Contains(e.Message, "Path") && rec.Code == http.StatusNotFound || rec.Code == http.StatusMethodNotAllowed {
				continue // what is not in the contract has no answer there
			}
			t.Errorf("answer %d to %s %s is not as the contract says: %s: %s %v\n%s", rec.Code, r.Method, r.URL, e.Message, e.Reason, e.SchemaValidationErrors, rec.Body)
		}
	}
}

// The keys of the tests.
const (
	opsKey  = "ops-key"
	sellKey = "sell-key"
)

// world is an API over a stub of the node, which is the real engine without a ledger.
type world struct {
	t       testing.TB
	server  *server
	handler http.Handler
	node    *stubNode
	orders  *stubOrders
	keys    *pass.Keyring
	now     time.Time
}

const testChart = `{"format":"ticketrush-chart/1","name":"Little theatre","width":400,"height":300,"focal":{"x":200,"y":0},
"categories":[{"name":"A","color":"#aa0000"},{"name":"B","color":"#00aa00"}],
"sections":[
 {"id":"N","name":"North","category":"A","rows":[{"name":"1","blocks":[{"seats":[SEATS20]}]}]},
 {"id":"S","name":"South","category":"B","rows":[{"name":"1","blocks":[{"seats":[SEATS10]}]}]}],
"areas":[{"id":"floor","name":"Floor","category":"B","capacity":50,"polygon":[[0,0],[100,0],[100,50]]}]}`

// chartText fills in the seats.
func chartText() []byte {
	row := func(n int, y string) string {
		var seats []string
		for i := range n {
			x := json.Number([]string{"0", "10", "20", "30", "40", "50", "60", "70", "80", "90", "100", "110", "120", "130", "140", "150", "160", "170", "180", "190"}[i])
			seats = append(seats, `{"name":"`+strings.TrimLeft(string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10)), "0")+`","x":`+x.String()+`,"y":`+y+`}`)
		}
		return strings.Join(seats, ",")
	}
	text := strings.Replace(testChart, "SEATS20", row(20, "20"), 1)
	return []byte(strings.Replace(text, "SEATS10", row(10, "40"), 1))
}

func newWorld(t testing.TB) *world {
	t.Helper()
	text, err := pass.NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pass.ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, keys: keys, now: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)}
	w.node = newStubNode(func() time.Time { return w.now })
	w.orders = newStubOrders(w.node)
	w.server = newServer(Config{
		Node: w.node, Orders: w.orders, RoomKeys: keys, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }, ReadsPerSecond: -1,
		Pseudonyms: make([]byte, 32), Finance: bookkeeper{},
	})
	w.handler = checked(t, w.server.handler())
	c, _, err := chart.Parse(chartText())
	if err != nil {
		t.Fatal(err)
	}
	w.node.put(c, Event{
		Number: 1, ID: uuid.MustParse("0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a11"), Chart: uuid.MustParse("0198f7f5-7f3c-7c52-9c1d-1b6d5f0c2a12"),
		Slug: "demo", Name: "Demo", Venue: "Hall", State: stateOnSale, Version: 1, StartsAt: w.now.Add(240 * time.Hour), Currency: "EUR", Room: "demo",
		HoldTTL: 10 * time.Minute, MaxTTL: 20 * time.Minute, LimitTid: 6, Types: []string{"adult", "child"},
		Tiers: []Tier{{0, 0, 8500, 350, 0}, {0, 1, 4500, 350, 0}, {1, 0, 5000, 250, 0}},
	})
	return w
}

// pass signs a pass for a visitor.
func (w *world) pass(room string, visitor byte, life time.Duration) string {
	w.t.Helper()
	text, err := w.keys.Sign(&pass.Token{
		Type: pass.Pass, Room: pass.RoomNumber(room), Edition: 1, Tid: [16]byte{15: visitor}, Issued: w.now.Add(-time.Minute), Expires: w.now.Add(life),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// result is an answer that was read.
type result struct {
	status int
	header http.Header
	text   []byte
	body   map[string]any
}

// option changes a request before it is sent.
type option func(*http.Request)

func header(name, value string) option { return func(r *http.Request) { r.Header.Set(name, value) } }
func without(name string) option       { return func(r *http.Request) { r.Header.Del(name) } }
func key(value string) option          { return header("Idempotency-Key", value) }
func bearerKey(value string) option    { return header("Authorization", "Bearer "+value) }

func (w *world) admitted(visitor byte) option {
	return header("Authorization", "WaitingRoom "+w.pass("demo", visitor, 10*time.Minute))
}

// do sends a request with a fresh key, unless an option sets another.
func (w *world) do(method, path, body string, options ...option) result {
	w.t.Helper()
	return send(w.t, w.handler, method, path, body, options...)
}

func send(t testing.TB, handler http.Handler, method, path, body string, options ...option) result {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5000"
	if method != http.MethodGet {
		r.Header.Set("Idempotency-Key", uuid.NewString())
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	for _, o := range options {
		o(r)
	}
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, r)
	out := result{status: rec.Code, header: rec.Header(), text: rec.Body.Bytes()}
	if strings.Contains(rec.Header().Get("Content-Type"), "json") {
		if err := json.Unmarshal(out.text, &out.body); err != nil {
			t.Errorf("%s %s: %v: %s", method, path, err, out.text)
		}
	}
	return out
}

// want checks status and, for a refusal, the type of the problem.
func (r result) want(t testing.TB, status int, kind string) result {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.text)
	}
	if kind != "" && r.body["type"] != "/problems/"+kind {
		t.Fatalf("problem %v, want %s: %s", r.body["type"], kind, r.text)
	}
	return r
}

func (r result) string(name string) string { s, _ := r.body[name].(string); return s }

// seats are the labels of a hold's items.
func (r result) seats() []string {
	var labels []string
	items, _ := r.body["items"].([]any)
	for _, it := range items {
		if label, ok := it.(map[string]any)["seat"].(string); ok {
			labels = append(labels, label)
		}
	}
	return labels
}

// hold makes a hold of named seats for a visitor.
func (w *world) hold(visitor byte, seats ...string) result {
	w.t.Helper()
	items := make([]map[string]string, 0, len(seats))
	for _, s := range seats {
		items = append(items, map[string]string{"seat": s})
	}
	body, _ := json.Marshal(map[string]any{"items": items})
	return w.do("POST", "/v1/events/demo/holds", string(body), w.admitted(visitor)).want(w.t, 201, "")
}

func holdToken(r result) option  { return header("X-Hold-Token", r.string("token")) }
func orderToken(r result) option { return header("X-Order-Token", r.string("token")) }
