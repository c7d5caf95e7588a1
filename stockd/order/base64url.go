package order

import (
	"encoding/base64"
	"errors"
	"strings"
)

var errBase64URL = errors.New("it is not base64url")

// decodeBase64URL reads base64url without padding in its one spelling. The decoder of the standard library skips line breaks wherever they are, even
// when it is strict: one token would be many texts.
func decodeBase64URL(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errBase64URL
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errBase64URL
	}
	return b, nil
}
