package room

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
)

// Signed says whether a document of Encode is signed with this key.
func Signed(body []byte, key ed25519.PublicKey) bool {
	mark := []byte(`,"signature":"`)
	i := bytes.LastIndex(body, mark)
	if i < 0 || !bytes.HasSuffix(body, []byte(`"}`)) || len(key) != ed25519.PublicKeySize {
		return false
	}
	signature, err := base64.StdEncoding.DecodeString(string(body[i+len(mark) : len(body)-2]))
	return err == nil && ed25519.Verify(key, append(bytes.Clone(body[:i]), '}'), signature)
}
