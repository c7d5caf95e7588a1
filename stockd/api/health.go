package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type healthDoc struct {
	Status  string   `json:"status"`
	Node    string   `json:"node,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
}

func (s *server) getHealth(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, healthDoc{Status: "ok", Node: s.Node.ID()})
}

func (s *server) getReady(w http.ResponseWriter, _ *http.Request) error {
	reasons := s.Node.Ready()
	if len(reasons) == 0 {
		return answer(w, http.StatusOK, healthDoc{Status: "ok", Node: s.Node.ID()})
	}
	w.Header().Set("Retry-After", "1")
	return answer(w, http.StatusServiceUnavailable, healthDoc{Status: "not_ready", Node: s.Node.ID(), Reasons: reasons})
}

func (s *server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}

func (s *server) getContract(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=60")
	if notModified(w, r, contractTag) {
		return nil
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(Contract)
	return nil
}

var contractTag = entityTag(Contract)

func (s *server) getAdminStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.needKey(r, scopeOps); err != nil {
		return err
	}
	status, err := s.Node.Status(r.Context())
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, status)
}
