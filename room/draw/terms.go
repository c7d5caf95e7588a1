package draw

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"unicode/utf8"
)

// Rule names this way to draw. It is published with the commitment, and is part of the seed.
const Rule = "ticketrush/draw/v1"

// roomMax bounds a room's name, in bytes.
const roomMax = 100

// Hash is a SHA-256 hash. Its text is 64 lower-case hexadecimal digits.
type Hash [sha256.Size]byte

// String gives the text.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText gives the text.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the text.
func (h *Hash) UnmarshalText(text []byte) error { return unhex(h[:], text) }

// Secret is what the operator commits to before the lobby opens and reveals with the draw. Until then whoever knows it can compute the draw as far
// as it is no beacon's: so it prints as nothing.
type Secret [32]byte

// NewSecret reads a secret from a source of chance, crypto/rand.Reader outside tests.
func NewSecret(random io.Reader) (s Secret, err error) {
	if _, err = io.ReadFull(random, s[:]); err != nil {
		return Secret{}, fmt.Errorf("draw: make a secret: %w", err)
	}
	return s, nil
}

// Commitment gives SHA-256(S).
func (s Secret) Commitment() Hash { return sha256.Sum256(s[:]) }

// String hides the secret.
func (s Secret) String() string { return "(secret)" }

// GoString hides the secret.
func (s Secret) GoString() string { return "(secret)" }

// MarshalText reveals the secret: 64 lower-case hexadecimal digits.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s[:])), nil }

// UnmarshalText reads the digits.
func (s *Secret) UnmarshalText(text []byte) error { return unhex(s[:], text) }

// unhex decodes hexadecimal digits, of which there is one way to write them.
func unhex(out, text []byte) error {
	if len(text) != 2*len(out) {
		return fmt.Errorf("%d characters where %d hexadecimal digits are wanted", len(text), 2*len(out))
	}
	if _, err := hex.Decode(out, text); err != nil || bytes.ContainsAny(text, "ABCDEF") {
		return fmt.Errorf("%q is not in the digits 0-9 and a-f", text)
	}
	return nil
}

// Terms are all that settles a draw beside the list itself. Everything in them is public once the draw is done.
type Terms struct {
	Room       string `json:"room"`
	Edition    uint16 `json:"edition"`
	Rule       string `json:"rule"`
	Commitment Hash   `json:"commitment"`
	Secret     Secret `json:"secret"`
	Root       Hash   `json:"root"`
	N          int64  `json:"n"`
	Beacon     Beacon `json:"beacon"`
}

// DeriveSeed computes the key of the draw; the package documentation has the encoding.
func (t *Terms) DeriveSeed() Hash {
	e := encoder{sha256.New()}
	e.str(Rule)
	e.str(t.Room)
	e.u64(uint64(t.Edition))
	e.hash.Write(t.Secret[:])
	e.hash.Write(t.Root[:])
	e.u64(uint64(t.N))
	e.str(t.Beacon.Source)
	e.u64(t.Beacon.Round)
	e.str(t.Beacon.Value)
	return Hash(e.hash.Sum(nil))
}

type encoder struct{ hash hash.Hash }

func (e encoder) u64(v uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	e.hash.Write(b[:])
}

func (e encoder) str(s string) {
	e.u64(uint64(len(s)))
	io.WriteString(e.hash, s)
}

// Step is a part of the verification of a draw.
type Step string

// The steps, in the order in which they are checked. verify.js uses the same names.
const (
	StepFormat     Step = "format"     // it is what it says it is, of this version, and whole
	StepCommitment Step = "commitment" // C is the one that was published before
	StepRoot       Step = "root"       // R is the one that was published before
	StepSecret     Step = "secret"     // C = SHA-256(S)
	StepBeacon     Step = "beacon"     // the value is what the source gave
	StepSeed       Step = "seed"       // the seed follows from the rest
	StepList       Step = "list"       // N tids, sorted, each once, with the root R
	StepInclusion  Step = "inclusion"  // the tid is on the list of R
	StepRank       Step = "rank"       // the rank follows from seed and tid
	StepOrdinal    Step = "ordinal"    // the ordinal is one that the list has
)

// Fault is the first step of a verification that failed.
type Fault struct {
	Step Step
	Err  error // what is wrong
}

func (f *Fault) Error() string { return fmt.Sprintf("draw: the step %q fails: %v", f.Step, f.Err) }

// Unwrap gives what is wrong.
func (f *Fault) Unwrap() error { return f.Err }

func fault(step Step, format string, args ...any) error {
	return &Fault{step, fmt.Errorf(format, args...)}
}

// checkFormat checks what can be said without any computing.
func (t *Terms) checkFormat() error {
	switch {
	case t.Rule != Rule:
		return fault(StepFormat, "the rule is %q, this program knows %q", t.Rule, Rule)
	case t.Room == "" || len(t.Room) > roomMax || !utf8.ValidString(t.Room):
		return fault(StepFormat, "the room's name must be 1 to %d bytes of UTF-8", roomMax)
	case t.N < 0 || t.N > ListMax:
		return fault(StepFormat, "n is %d, it must be from 0 to %d", t.N, ListMax)
	}
	if err := t.Beacon.validate(); err != nil {
		return &Fault{StepFormat, err}
	}
	return nil
}

func (t *Terms) checkSecret() error {
	if got := t.Secret.Commitment(); got != t.Commitment {
		return fault(StepSecret, "SHA-256 of the secret is %v, committed was %v", got, t.Commitment)
	}
	return nil
}

func (t *Terms) checkBeacon() error {
	if err := t.Beacon.Verify(); err != nil {
		return &Fault{StepBeacon, err}
	}
	return nil
}

var errNotPublished = errors.New("it is not the one that was published before")
