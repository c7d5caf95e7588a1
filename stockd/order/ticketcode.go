package order

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ErrTicketCode says that a code is not a ticket that was signed with the key. The text tells why.
var ErrTicketCode = errors.New("not a valid ticket code")

// Why, where it matters to who stands at a gate; both are an ErrTicketCode too.
var (
	ErrTicketSignature = errors.New("the signature is not of this key")
	ErrTicketKey       = errors.New("the key is not known")
)

// The layout of a ticket's code: version 1, key id 1, event 16, ticket 16, seat 8, type 2, valid from 5, valid until 5, holder 8; then the
// Ed25519 signature over a domain string and all that. Integers are big endian; times are seconds since 1970. The whole is base64url.
const (
	ticketVersion = 1
	ticketBytes   = 1 + 1 + 16 + 16 + 8 + 2 + 5 + 5 + 8
	ticketDomain  = "ticketrush/ticket/v1"
)

// TicketCode is what a ticket's code says. A gate can check it with the public key alone.
type TicketCode struct {
	KeyID      byte
	Event      uuid.UUID
	Ticket     uuid.UUID
	Seat       int64
	Type       int16
	ValidFrom  time.Time
	ValidUntil time.Time
	Holder     [8]byte // a truncated hash; zero when tickets carry no name
}

// Sign is the text of a code.
func (c TicketCode) Sign(key ed25519.PrivateKey) string {
	b := make([]byte, 0, ticketBytes+ed25519.SignatureSize)
	b = append(b, ticketVersion, c.KeyID)
	b = append(b, c.Event[:]...)
	b = append(b, c.Ticket[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Seat))
	b = binary.BigEndian.AppendUint16(b, uint16(c.Type))
	b = appendSeconds(b, c.ValidFrom)
	b = appendSeconds(b, c.ValidUntil)
	b = append(b, c.Holder[:]...)
	b = append(b, ed25519.Sign(key, append([]byte(ticketDomain), b...))...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseTicketCode reads and checks a code. Whether the ticket was voided since is for the list of revocations.
func ParseTicketCode(text string, key ed25519.PublicKey) (TicketCode, error) {
	b, err := decodeBase64URL(text)
	if err != nil {
		return TicketCode{}, fmt.Errorf("%w: %w", ErrTicketCode, errBase64URL)
	}
	if len(b) != ticketBytes+ed25519.SignatureSize {
		return TicketCode{}, fmt.Errorf("%w: it has %d bytes, a ticket has %d", ErrTicketCode, len(b), ticketBytes+ed25519.SignatureSize)
	}
	body, signature := b[:ticketBytes], b[ticketBytes:]
	if !ed25519.Verify(key, append([]byte(ticketDomain), body...), signature) {
		return TicketCode{}, fmt.Errorf("%w: %w", ErrTicketCode, ErrTicketSignature)
	}
	if body[0] != ticketVersion {
		return TicketCode{}, fmt.Errorf("%w: version %d is not known", ErrTicketCode, body[0])
	}
	c := TicketCode{KeyID: body[1], Seat: int64(binary.BigEndian.Uint64(body[34:])), Type: int16(binary.BigEndian.Uint16(body[42:]))}
	copy(c.Event[:], body[2:])
	copy(c.Ticket[:], body[18:])
	c.ValidFrom, c.ValidUntil = seconds(body[44:]), seconds(body[49:])
	copy(c.Holder[:], body[54:])
	return c, nil
}

// TicketKeys are the public keys of tickets, by the number that each ticket names.
type TicketKeys map[byte]ed25519.PublicKey

// Parse reads a code and checks it with the key that it names, whatever the time is. With ErrTicketKey the code's KeyID is told.
func (k TicketKeys) Parse(text string) (TicketCode, error) {
	b, err := decodeBase64URL(text)
	if err != nil || len(b) < 2 {
		return TicketCode{}, fmt.Errorf("%w: %w", ErrTicketCode, errBase64URL)
	}
	if len(b) != ticketBytes+ed25519.SignatureSize || b[0] != ticketVersion {
		return TicketCode{}, fmt.Errorf("%w: it has %d bytes and version %d, a ticket has %d and %d", ErrTicketCode, len(b), b[0], ticketBytes+ed25519.SignatureSize, ticketVersion)
	}
	key, ok := k[b[1]]
	if !ok {
		return TicketCode{KeyID: b[1]}, fmt.Errorf("%w: key %d: %w", ErrTicketCode, b[1], ErrTicketKey)
	}
	return ParseTicketCode(text, key)
}

// Verify reads a code, checks it with the key that it names, and whether it is valid now. A gate needs nothing else but the list of revocations.
// A line break that a scanner adds at the end is the gate's to cut off.
func (k TicketKeys) Verify(text string, now time.Time) (TicketCode, error) {
	c, err := k.Parse(text)
	switch {
	case err != nil:
		return TicketCode{}, err
	case now.Before(c.ValidFrom):
		return c, fmt.Errorf("%w: it is valid from %s", ErrTicketCode, c.ValidFrom.Format(time.RFC3339))
	case now.After(c.ValidUntil):
		return c, fmt.Errorf("%w: it was valid until %s", ErrTicketCode, c.ValidUntil.Format(time.RFC3339))
	}
	return c, nil
}

func appendSeconds(b []byte, t time.Time) []byte {
	s := uint64(t.Unix())
	return append(b, byte(s>>32), byte(s>>24), byte(s>>16), byte(s>>8), byte(s))
}

func seconds(b []byte) time.Time {
	return time.Unix(int64(b[0])<<32|int64(binary.BigEndian.Uint32(b[1:])), 0).UTC()
}
