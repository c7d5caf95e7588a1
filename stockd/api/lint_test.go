package api

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

func model(t *testing.T) *libopenapi.DocumentModel[v3.Document] {
	t.Helper()
	doc, err := libopenapi.NewDocument(Contract)
	if err != nil {
		t.Fatal(err)
	}
	m, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestContractHasNoDanglingReferences(t *testing.T) {
	t.Parallel()
	m := model(t)
	for _, e := range m.Index.GetReferenceIndexErrors() {
		t.Error(e)
	}
	for _, e := range m.Index.GetOperationParametersIndexErrors() {
		t.Error(e)
	}
	v, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	contractMu.Lock()
	defer contractMu.Unlock()
	if ok, errs := v.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Error(e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
}

// mounted are operations of handlers that are not the API's own.
var mounted = []string{"GET /sandbox/pay/{payment}", "POST /sandbox/pay/{payment}", "GET /admin", "GET /admin/finance"}

func TestContractAndRoutesAreTheSame(t *testing.T) {
	t.Parallel()
	var documented, served []string
	for path, item := range model(t).Model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	for _, rt := range routes {
		served = append(served, rt.method+" "+rt.path)
	}
	served = append(served, mounted...)
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented:\n%s\nserved:\n%s", strings.Join(documented, "\n"), strings.Join(served, "\n"))
	}
}

func TestContractAndProblemsAreTheSame(t *testing.T) {
	t.Parallel()
	schema, _ := model(t).Model.Components.Schemas.Get("ProblemType")
	var documented, known []string
	for _, node := range schema.Schema().Enum {
		documented = append(documented, node.Value)
	}
	for _, k := range kinds {
		known = append(known, "/problems/"+k.name)
	}
	slices.Sort(documented)
	slices.Sort(known)
	if !slices.Equal(documented, known) {
		t.Errorf("documented:\n%s\nknown:\n%s", strings.Join(documented, "\n"), strings.Join(known, "\n"))
	}
}

// complaints is a test that counts what it is told.
type complaints struct {
	testing.TB
	list int
}

func (c *complaints) Errorf(string, ...any) { c.list++ }
func (c *complaints) Helper()               {}

// The other tests are worth nothing when the contract lets everything pass.
func TestContractIsEnforced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status            int
		contentType, body string
		wrong             bool
	}{
		"right":           {200, "application/json", `{"status":"ok"}`, false},
		"missing member":  {200, "application/json", `{}`, true},
		"unknown member":  {200, "application/json", `{"status":"ok","more":1}`, true},
		"not in the enum": {200, "application/json", `{"status":"fine"}`, true},
		"other type":      {200, "text/plain", `ok`, true},
		"bare problem":    {500, "application/problem+json", `{"type":"/problems/internal","title":"x","status":500}`, true},
		"unknown problem": {500, "application/problem+json", `{"type":"/problems/x","title":"x","status":500}`, true},
	} {
		told := &complaints{TB: t}
		h := checked(told, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.contentType)
			w.WriteHeader(c.status)
			w.Write([]byte(c.body))
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/healthz", nil))
		if (told.list > 0) != c.wrong {
			t.Errorf("%s: %d complaints", name, told.list)
		}
	}
}
