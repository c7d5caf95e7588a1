package api

import (
	"context"
	"net/http"
	"time"
)

// requestMax bounds what a request may take, whatever its client does.
const requestMax = 30 * time.Second

// detached lets a request finish although its client has gone away. A client that is out of patience comes back with the same request; a
// query that is cancelled under way costs its connection to Postgres, and making a new one costs more than the answer: with impatient clients
// in front that alone can bring a node down. Who still waits for a place, and streams, end with their client.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), requestMax)
}

// detach does so for a handler of somebody else.
func detach(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := detached(r.Context())
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
