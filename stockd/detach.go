package main

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// requestMax bounds what a request may take, whatever its client does.
const requestMax = 30 * time.Second

// detach lets requests finish although their client has gone away. A client that is out of patience comes back with the same request; a
// query that is cancelled under way costs its connection to Postgres, and making a new one costs more than the answer: with impatient clients
// in front that alone can bring a node down. Streams end with their client.
func detach(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/stream") {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestMax)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
