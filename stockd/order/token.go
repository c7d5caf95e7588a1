package order

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
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
	PurposeHold   = "hold"
	PurposeOrder  = "order"
	PurposeTicket = "ticket" // of a ticket that changed hands: its order's token does not open it
)

// Tokens makes and checks the bearer tokens of holds and orders: `sh1.kid.payload.mac`. A token proves that its bearer made the thing; it
// says nothing about what became of it. It is safe for concurrent use.
type Tokens struct {
	kid  byte            // of the key that makes new ones
	keys map[byte][]byte // by kid: all that are accepted
}

// NewTokens uses a key of 32 bytes under a number; both are the same on all nodes.
func NewTokens(kid byte, key []byte) (*Tokens, error) {
	t := &Tokens{kid: kid, keys: map[byte][]byte{}}
	return t, t.accept(kid, key)
}

// Accept is a copy that takes the tokens of another key as well: an earlier one, because an order's token is shown again years later, or the
// next one, while nodes change over.
func (t *Tokens) Accept(kid byte, key []byte) (*Tokens, error) {
	more := &Tokens{kid: t.kid, keys: maps.Clone(t.keys)}
	if _, ok := more.keys[kid]; ok {
		return nil, fmt.Errorf("there are two keys of hold and order tokens with the number %d", kid)
	}
	return more, more.accept(kid, key)
}

func (t *Tokens) accept(kid byte, key []byte) error {
	if len(key) != sha256.Size {
		return fmt.Errorf("the key of hold and order tokens has %d bytes, it must have %d", len(key), sha256.Size)
	}
	t.keys[kid] = key
	return nil
}

// New is the token of a thing.
func (t *Tokens) New(purpose string, id uuid.UUID) string {
	payload := base64.RawURLEncoding.EncodeToString(id[:])
	return tokenVersion + "." + strconv.Itoa(int(t.kid)) + "." + payload + "." + base64.RawURLEncoding.EncodeToString(mac(t.keys[t.kid], t.kid, purpose, id))
}

// Check says whether text is the token of a thing; ErrToken if not.
func (t *Tokens) Check(purpose, text string, id uuid.UUID) error {
	got, err := t.Verify(purpose, text)
	if err != nil || got != id {
		return ErrToken
	}
	return nil
}

// Verify reads the id out of a token of the purpose; ErrToken if it is none of ours.
func (t *Tokens) Verify(purpose, text string) (id uuid.UUID, err error) {
	parts := strings.SplitN(text, ".", 5)
	if len(parts) != 4 || parts[0] != tokenVersion {
		return id, ErrToken
	}
	kid, err := strconv.ParseUint(parts[1], 10, 8)
	if err != nil || strconv.FormatUint(kid, 10) != parts[1] { // one spelling only
		return id, ErrToken
	}
	key, known := t.keys[byte(kid)]
	payload, err1 := decodeBase64URL(parts[2])
	seal, err2 := decodeBase64URL(parts[3])
	if !known || err1 != nil || err2 != nil || len(payload) != len(id) || !hmac.Equal(seal, mac(key, byte(kid), purpose, uuid.UUID(payload))) {
		return id, ErrToken
	}
	return uuid.UUID(payload), nil
}

func mac(key []byte, kid byte, purpose string, id uuid.UUID) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("ticketrush/token/v1\x00" + purpose + "\x00"))
	h.Write([]byte{kid})
	h.Write(id[:])
	return h.Sum(nil)[:16]
}
