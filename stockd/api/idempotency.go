package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// keyLengths of an Idempotency-Key.
const (
	keyLengthMin = 8
	keyLengthMax = 200
)

// idempotencyKey reads the key. A UUID stays itself, so that people find it in the ledger; anything else is hashed to one.
// Quotes around it are allowed, as the draft of the header has them.
func idempotencyKey(r *http.Request) (uuid.UUID, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return uuid.UUID{}, refuse(kindKeyMissing, "Send Idempotency-Key: a fresh random UUID for each thing that is wanted, and the same one for each repetition.")
	}
	text := values[0]
	if len(values) > 1 || len(text) < keyLengthMin || len(text) > keyLengthMax || strings.ContainsFunc(text, func(c rune) bool { return c < '!' || c > '~' }) {
		return uuid.UUID{}, refuse(kindKeyMissing, fmt.Sprintf("Idempotency-Key has to be one value of %d to %d visible ASCII characters; a UUID is best.", keyLengthMin, keyLengthMax))
	}
	if len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	if id, err := uuid.Parse(text); err == nil && len(text) == 36 && id != (uuid.UUID{}) {
		return id, nil
	}
	return hashed("key", []byte(text)), nil
}

// fingerprint is a hash of what a request asks for: the operation, what it is asked of, and the body as it was understood, so that spaces and
// the order of members do not matter.
func fingerprint(operation, target string, body any) (uuid.UUID, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return uuid.UUID{}, err
	}
	return hashed("fingerprint", []byte(operation), []byte(target), text), nil
}

// request names a write for the ledger.
func request(r *http.Request, scope uuid.UUID, operation, target string, body any) (stock.Request, error) {
	key, err := idempotencyKey(r)
	if err != nil {
		return stock.Request{}, err
	}
	sum, err := fingerprint(operation, target, body)
	return stock.Request{Scope: scope, Key: key, Fingerprint: sum}, err
}
