package api

import (
	"context"
	"testing"
)

// Calls that were given up are tried again by ops alone: one by its number, or all.
func TestRetryOfCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ops := bearerKey(opsKey)
	w.do("POST", "/admin/outbox/retry", `{"all":true}`, ops).want(t, 404, "not-found") // where there is no outbox
	waiting := map[int64]bool{3: true, 5: true}
	w.server.Retry = func(_ context.Context, id int64) (n int64, err error) {
		for call := range waiting {
			if id == 0 || id == call {
				delete(waiting, call)
				n++
			}
		}
		return n, nil
	}
	w.do("POST", "/admin/outbox/retry", `{"all":true}`).want(t, 401, "unauthorized")
	for _, bad := range []string{`{}`, `{"id":0}`, `{"id":-1}`, `{"id":3,"all":true}`} {
		w.do("POST", "/admin/outbox/retry", bad, ops).want(t, 422, "invalid")
	}
	w.do("POST", "/admin/outbox/retry", `{"id":3}`, ops).want(t, 200, "")
	w.do("POST", "/admin/outbox/retry", `{"id":3}`, ops).want(t, 404, "not-found")
	w.do("POST", "/admin/outbox/retry", `{"all":true}`, ops).want(t, 200, "")
	w.do("POST", "/admin/outbox/retry", `{"all":true}`, ops).want(t, 200, "") // none is left, and that is right
	if len(waiting) != 0 {
		t.Errorf("%v still wait", waiting)
	}
	if n := len(w.node.audits); n != 3 {
		t.Errorf("the audit log has %d entries, want 3", n)
	}
}
