package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"ticketrush/stockd/failure"

	"github.com/google/uuid"
)

// caller is how commands reach the HTTP API of a node or an edge.
type caller struct {
	URL        string `env:"STOCKD_URL" default:"http://127.0.0.1:7101" placeholder:"URL" help:"The API, of a node or through the edge (${default})."`
	APIKeyFile string `name:"api-key-file" type:"path" placeholder:"FILE" help:"A file with the API key; or the key in STOCKD_API_KEY."`

	secret string // the key itself, when the caller has it already
}

// apiProblem is a refusal of the API, as its problem document tells it.
type apiProblem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

// Error is the whole of what the API said.
func (p *apiProblem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d %s)", p.Title, p.Status, strings.TrimPrefix(p.Type, "/problems/"))
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "\n  %s: %s", e.Pointer, e.Detail)
	}
	return b.String()
}

// answer is what the API said to a call that went well.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// callMax bounds an answer that a command reads: the map of a large arena has some megabytes.
const callMax = 64 << 20

// key reads the API key.
func (c caller) key() (string, error) {
	if c.secret != "" {
		return c.secret, nil
	}
	text := os.Getenv("STOCKD_API_KEY")
	if c.APIKeyFile != "" {
		file, err := os.ReadFile(c.APIKeyFile)
		if err != nil {
			return "", failure.ByAbsence(fmt.Errorf("read the API key: %w", err))
		}
		text = string(file)
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", failure.ByMisuse(errors.New("an API key is needed: put it into STOCKD_API_KEY or a file (--api-key-file); `stockd apikey create` makes one"))
	}
	return text, nil
}

// call sends one request with the API key and gives the answer, or the problem that the API told. Writes get a fresh idempotency key; one
// that gets 503 is sent again with the same.
func (c caller) call(ctx context.Context, method, path, contentType string, body []byte, header map[string]string) (answer, error) {
	key, err := c.key()
	if err != nil {
		return answer{}, err
	}
	idempotency := uuid.NewString()
	for try := 0; ; try++ {
		got, err := c.once(ctx, method, path, func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+key)
			if contentType != "" {
				r.Header.Set("Content-Type", contentType)
			}
			if method != http.MethodGet {
				r.Header.Set("Idempotency-Key", idempotency)
			}
			for name, value := range header {
				r.Header.Set(name, value)
			}
		}, body)
		if err != nil {
			return answer{}, err
		}
		if got.status == http.StatusServiceUnavailable && try < 20 {
			select {
			case <-ctx.Done():
				return answer{}, ctx.Err()
			case <-time.After(500 * time.Millisecond):
				continue
			}
		}
		if got.status >= 400 {
			p := &apiProblem{Status: got.status, Title: http.StatusText(got.status)}
			_ = json.Unmarshal(got.body, p) // without a document the status has to do
			return answer{}, fmt.Errorf("%s %s%s: %w", method, c.base(), path, p)
		}
		return got, nil
	}
}

func (c caller) base() string { return strings.TrimSuffix(cmp.Or(c.URL, "http://127.0.0.1:7101"), "/") }

func (c caller) once(ctx context.Context, method, path string, prepare func(*http.Request), body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.base()+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, failure.ByMisuse(fmt.Errorf("--url %q (STOCKD_URL): %w", c.URL, err))
	}
	prepare(r)
	resp, err := http.DefaultClient.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return answer{}, failure.ByAbsence(fmt.Errorf("nothing listens at %s; start a node with `stockd serve`, or name another with --url (STOCKD_URL)", c.base()))
	}
	if err != nil {
		return answer{}, failure.ByAbsence(fmt.Errorf("call the API: %w", err))
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, callMax))
	if err != nil {
		return answer{}, failure.ByAbsence(fmt.Errorf("read the answer of %s: %w", c.base(), err))
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: got}, nil
}
