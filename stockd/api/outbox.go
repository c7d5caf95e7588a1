package api

import (
	"net/http"
	"strconv"
)

type retryBody struct {
	ID  *int64 `json:"id,omitempty"`
	All bool   `json:"all,omitempty"`
}

type retryDoc struct {
	Due int64 `json:"due"`
}

// postOutboxRetry makes calls that were given up due again. Doing it twice does no harm, so it needs no Idempotency-Key.
func (s *server) postOutboxRetry(w http.ResponseWriter, r *http.Request) error {
	key, err := s.needKey(r, scopeOps)
	if err != nil {
		return err
	}
	var body retryBody
	if err := decodeBody(w, r, &body, false); err != nil {
		return err
	}
	if (body.ID == nil) != body.All || body.ID != nil && *body.ID <= 0 {
		var f faults
		f.add("/id", "The number of one call, at least 1; or all: true instead.")
		return invalid(f...)
	}
	if s.Retry == nil {
		return refuse(kindNotFound, "There is no outbox here.")
	}
	id, name := int64(0), "all"
	if body.ID != nil {
		id, name = *body.ID, strconv.FormatInt(*body.ID, 10)
	}
	n, err := s.Retry(r.Context(), id)
	if err != nil {
		return err
	}
	if n == 0 && id != 0 {
		return refuse(kindNotFound, "No call with this number waits: it is done, or never was.")
	}
	s.audit(r, key, "outbox.retry", name, strconv.FormatInt(n, 10)+" calls")
	return answer(w, http.StatusOK, retryDoc{Due: n})
}
