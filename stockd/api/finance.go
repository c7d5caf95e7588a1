package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Finance reads the books.
type Finance interface {
	reporter
	// Overview is what the page shows, as JSON.
	Overview(ctx context.Context) (any, error)
	// Detail is all about an order or a payment, as JSON; ErrNoDetail when the ledger knows no such.
	Detail(ctx context.Context, of string) (any, error)
	// Export writes rows of a kind, of the days from and to, both included; zero times have no end. ErrNoExport says that it cannot be asked for.
	Export(ctx context.Context, kind, format string, from, to time.Time, w io.Writer) error
}

// Why Finance has no answer.
var (
	ErrNoDetail = errors.New("the ledger knows no such order or payment")
	ErrNoExport = errors.New("this cannot be exported")
)

// books wants a key that may read the books.
func (s *server) books(r *http.Request) error {
	if _, err := s.needKey(r, scopeFinance); err != nil {
		return err
	}
	if s.Finance == nil {
		return refuse(kindNotFound, "This node keeps no books.")
	}
	return nil
}

func (s *server) getFinance(w http.ResponseWriter, r *http.Request) error {
	if err := s.books(r); err != nil {
		return err
	}
	overview, err := s.Finance.Overview(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, overview)
}

func (s *server) getFinanceDetail(w http.ResponseWriter, r *http.Request) error {
	if err := s.books(r); err != nil {
		return err
	}
	of := r.URL.Query().Get("of")
	detail, err := s.Finance.Detail(r.Context(), of)
	if errors.Is(err, ErrNoDetail) {
		return refuse(kindNotFound, "The ledger knows no such order or payment; ask for order ID or payment PROVIDER REF.").because(err)
	}
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string]any{"tables": detail})
}

func (s *server) getFinanceExport(w http.ResponseWriter, r *http.Request) error {
	if err := s.books(r); err != nil {
		return err
	}
	q := r.URL.Query()
	kind, format := r.PathValue("kind"), q.Get("format")
	if format == "" {
		format = "csv"
	}
	var days [2]time.Time
	for i, name := range []string{"from", "to"} {
		if text := q.Get(name); text != "" {
			var err error
			if days[i], err = time.Parse(time.DateOnly, text); err != nil {
				return refuse(kindMalformed, "The parameter "+name+" is no date; write it as 2006-01-02.")
			}
		}
	}
	out := &lateHeader{w: w, kind: kind, format: format}
	err := s.Finance.Export(r.Context(), kind, format, days[0], days[1], out)
	switch {
	case err != nil && out.begun:
		// The status is out: all that is left is to break off, so that nobody takes what came for the whole.
		s.Log.Error("an export broke off", "kind", kind, "err", err)
		panic(http.ErrAbortHandler)
	case errors.Is(err, ErrNoExport):
		return refuse(kindMalformed, err.Error()+".").because(err)
	case err != nil:
		return err
	}
	out.begin()
	return nil
}

// lateHeader sends the header with the first bytes, so that an error before them can still be told.
type lateHeader struct {
	w            http.ResponseWriter
	kind, format string
	begun        bool
}

func (l *lateHeader) begin() {
	if l.begun {
		return
	}
	l.begun = true
	h := l.w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="`+l.kind+"."+l.format+`"`)
	h.Set("Content-Type", map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}[l.format])
	l.w.WriteHeader(http.StatusOK)
}

func (l *lateHeader) Write(b []byte) (int, error) {
	l.begin()
	return l.w.Write(b)
}
