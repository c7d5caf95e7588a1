package api

import (
	"encoding/hex"
	"errors"
	"net/http"
)

type chartDoc struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Digest     string   `json:"digest"`
	Seats      int      `json:"seats"`
	Areas      int      `json:"areas"`
	Sections   int      `json:"sections"`
	Segments   int      `json:"segments"`
	Categories []string `json:"categories"`
	Warnings   []string `json:"warnings"`
}

func (s *server) postChart(w http.ResponseWriter, r *http.Request) error {
	key, err := s.needKey(r, scopeOps)
	if err != nil {
		return err
	}
	if _, err := idempotencyKey(r); err != nil {
		return err
	}
	readWithin(w, chartBodyWithin)
	body, contentType, err := readBody(w, r, chartBodyMax, "application/json", "text/csv")
	if err != nil {
		return err
	}
	want := NewChart{Format: r.URL.Query().Get("format"), Name: r.URL.Query().Get("name"), Body: body}
	switch {
	case contentType == "text/csv":
		want.Format = "csv"
	case want.Format == "":
		want.Format = "ticketrush"
	case want.Format != "ticketrush" && want.Format != "pretix":
		return invalid(fault{"format", "ticketrush or pretix."})
	}
	if len(want.Name) > nameMax {
		return invalid(fault{"name", "At most 200 bytes."})
	}
	chart, again, err := s.Node.CreateChart(r.Context(), want)
	if errors.Is(err, ErrBadChart) {
		return chartProblem(err)
	}
	if err != nil {
		return err
	}
	id := prefixChart + chart.ID.String()
	doc := chartDoc{
		ID: id, Name: chart.Name, Digest: hex.EncodeToString(chart.Digest), Seats: chart.Seats, Areas: chart.Areas, Sections: chart.Sections,
		Segments: chart.Segments, Categories: append([]string{}, chart.Categories...), Warnings: append([]string{}, chart.Warnings...),
	}
	if again {
		replayed(w)
		return answer(w, http.StatusOK, doc)
	}
	s.audit(r, key, "chart.import", id, chart.Name)
	w.Header().Set("Location", "/v1/charts")
	return answer(w, http.StatusCreated, doc)
}

// ChartFault is one thing that is wrong with a chart.
type ChartFault struct{ Pointer, Detail string }

// ChartError is everything that is wrong with a chart; it is an ErrBadChart.
type ChartError struct{ Faults []ChartFault }

func (e *ChartError) Error() string {
	if len(e.Faults) == 0 {
		return ErrBadChart.Error()
	}
	return ErrBadChart.Error() + ": " + e.Faults[0].Pointer + ": " + e.Faults[0].Detail
}

// Is makes it an ErrBadChart.
func (e *ChartError) Is(target error) bool { return target == ErrBadChart }

func chartProblem(err error) *problem {
	var list *ChartError
	if !errors.As(err, &list) {
		return invalid(fault{"", err.Error()})
	}
	f := faults{}
	for _, one := range list.Faults {
		f.add(one.Pointer, "%s", one.Detail)
	}
	return invalid(f...)
}
