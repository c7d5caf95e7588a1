package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var timeType = reflect.TypeFor[time.Time]()

// stamp is a time as the API writes it: RFC 3339 in UTC, to the millisecond.
func stamp(t time.Time) string { return t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) }

// secondsUntil is for the members named …_in_s: whole seconds, rounded down so that nobody is promised more than there is, never negative.
func secondsUntil(t, now time.Time) int64 { return max(0, int64(t.Sub(now)/time.Second)) }

// answer writes a JSON document. Answers to a person are not for caches unless the handler has said otherwise.
func answer(w http.ResponseWriter, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write(text)
	return nil
}

// replayed marks an answer that was made by an earlier request with the same key.
func replayed(w http.ResponseWriter) { w.Header().Set("Idempotency-Replayed", "true") }

// entityTag is a strong tag of some bytes.
func entityTag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// notModified sets the tag and, when the client has it already, answers 304. Comparison is weak (RFC 9110, 13.1.2).
func notModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("ETag", tag)
	if !tagMatches(r.Header.Get("If-None-Match"), tag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// tagMatches is whether a list of tags, or *, has the tag.
func tagMatches(list, tag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}
