package room

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"
)

func TestSigned(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	public := key.Public().(ed25519.PublicKey)
	body, _, err := (&Document{Room: `a","signature":"b`}).Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	if !Signed(body, public) {
		t.Errorf("a document is not taken for signed: %s", body)
	}
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	for name, c := range map[string]struct {
		body []byte
		key  ed25519.PublicKey
	}{
		"another key":  {body, other},
		"no key":       {body, nil},
		"changed":      {bytes.Replace(body, []byte(`"inside":0`), []byte(`"inside":9`), 1), public},
		"cut off":      {body[:len(body)-1], public},
		"no signature": {[]byte(`{"room":"a"}`), public},
		"no base64":    {[]byte(`{"room":"a","signature":"` + strings.Repeat("!", 88) + `"}`), public},
		"nothing":      {nil, public},
	} {
		if Signed(c.body, c.key) {
			t.Errorf("%s: taken for signed", name)
		}
	}
}
