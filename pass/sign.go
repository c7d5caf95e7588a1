package pass

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"time"
)

// Why a token was refused. Only ErrExpired speaks of a token that is genuine.
var (
	ErrMalformed  = errors.New("token is malformed")
	ErrUnknownKey = errors.New("token names a key that is not in the keyring")
	ErrWrongType  = errors.New("token is of another type")
	ErrWrongRoom  = errors.New("token is for another room")
	ErrForged     = errors.New("token has a wrong signature")
	ErrExpired    = errors.New("token has expired")
)

// Sign gives the text of t, TextLen characters, signed by the current key, and sets t.KeyID.
func (k *Keyring) Sign(t *Token) (string, error) {
	t.KeyID = k.current
	m := k.macs.get(k, scope{t.KeyID, t.Type, t.Room, t.Edition})
	defer k.macs.put(m)
	if err := t.encode(&m.raw); err != nil {
		return "", err
	}
	copy(m.raw[bodyLen:], m.tag())
	base64.RawURLEncoding.Encode(m.text[:], m.raw[:])
	k.macs.keep(m)
	return string(m.text[:]), nil
}

// Verify checks text and fills out, which is left alone when there is an error. want and room are the caller's, never the token's.
// The edition is part of what is signed; whether it is the room's present one is for the caller to check.
func (k *Keyring) Verify(text string, want Type, room uint32, now time.Time, out *Token) error {
	if len(text) != TextLen {
		return ErrMalformed
	}
	h, ok := peek(text)
	switch {
	case !ok || h.version != version:
		return ErrMalformed
	case h.scope.kind != want:
		return ErrWrongType
	case h.scope.room != room:
		return ErrWrongRoom
	case k.roots[h.scope.key] == nil:
		return ErrUnknownKey
	}
	m := k.macs.get(k, h.scope)
	defer k.macs.put(m)
	copy(m.text[:], text)
	if n, err := base64.RawURLEncoding.Decode(m.raw[:], m.text[:]); err != nil || n != Size {
		return ErrMalformed
	}
	if !hmac.Equal(m.tag(), m.raw[bodyLen:]) {
		return ErrForged
	}
	k.macs.keep(m)
	if m.raw[59]|m.raw[60]|m.raw[61] != 0 {
		return ErrMalformed
	}
	if get40(m.raw[41:46]) <= uint64(max(0, now.Sub(timeBase).Milliseconds())) {
		return ErrExpired
	}
	out.decode(&m.raw)
	return nil
}
