package order

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// ErrToken says that a token is not one of ours for this thing. Why is not told to its bearer.
var ErrToken = errors.New("the token does not fit")

// tokenVersion is the first part of a token.
const tokenVersion = "sh1"

// Purposes of a token: one for each kind of thing, so that a hold's token never opens an order.
const (
	PurposeHold  = "hold"
	PurposeOrder = "order"
)

// Tokens makes and checks the bearer tokens of holds and orders: `sh1.kid.payload.mac`. A token proves that its bearer made the thing; it
// says nothing about what became of it.
type Tokens struct {
	kid byte
	key []byte
}

// NewTokens uses a key of 32 bytes under a number; both are the same on all nodes.
func NewTokens(kid byte, key []byte) (*Tokens, error) {
	if len(key) != sha256.Size {
		return nil, fmt.Errorf("the key of hold and order tokens has %d bytes, it must have %d", len(key), sha256.Size)
	}
	return &Tokens{kid: kid, key: key}, nil
}

// New is the token of a thing.
func (t *Tokens) New(purpose string, id uuid.UUID) string {
	payload := base64.RawURLEncoding.EncodeToString(id[:])
	return tokenVersion + "." + strconv.Itoa(int(t.kid)) + "." + payload + "." + base64.RawURLEncoding.EncodeToString(t.mac(purpose, id))
}

// Check says whether text is the token of a thing; ErrToken if not.
func (t *Tokens) Check(purpose, text string, id uuid.UUID) error {
	parts := strings.Split(text, ".")
	if len(parts) != 4 || parts[0] != tokenVersion || parts[1] != strconv.Itoa(int(t.kid)) {
		return ErrToken
	}
	payload, err1 := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	mac, err2 := base64.RawURLEncoding.Strict().DecodeString(parts[3])
	if err1 != nil || err2 != nil || !hmac.Equal(payload, id[:]) || !hmac.Equal(mac, t.mac(purpose, id)) {
		return ErrToken
	}
	return nil
}

func (t *Tokens) mac(purpose string, id uuid.UUID) []byte {
	h := hmac.New(sha256.New, t.key)
	h.Write([]byte("ticketrush/token/v1\x00" + purpose + "\x00"))
	h.Write([]byte{t.kid})
	h.Write(id[:])
	return h.Sum(nil)[:16]
}
