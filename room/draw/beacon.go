package draw

import (
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits of a beacon's fields, in bytes; the round fits a JavaScript number.
const (
	sourceMax    = 200
	valueMax     = 200
	signatureMax = 200
	roundMax     = 1<<53 - 1
)

// Mode says what a draw's order rests on.
type Mode string

// The modes.
const (
	ModeOperator Mode = "operator" // the operator's secret alone
	ModeEntered  Mode = "entered"  // a public value that ops typed in; whoever remembers it can compare
	ModeDrand    Mode = "drand"    // a round of drand, with a signature that is checked
)

// Beacon is a value that nobody knew when the list was sealed. The zero value is none: the mode "operator".
type Beacon struct {
	Source    string `json:"source"`              // QuicknetSource, or what ops named, such as "lotto 6/49 of 2026-12-01"
	Round     uint64 `json:"round"`               // of the source; 0 where it has no rounds
	Value     string `json:"value"`               // of drand the randomness, 64 lower-case hexadecimal digits; else as entered
	Signature string `json:"signature,omitempty"` // of drand, lower-case hexadecimal
}

// Mode gives the mode.
func (b *Beacon) Mode() Mode {
	switch b.Source {
	case "":
		return ModeOperator
	case QuicknetSource:
		return ModeDrand
	}
	return ModeEntered
}

// CheckSource says whether a name may stand for a source whose value ops enter. Check it when the room is configured: at the draw it is too late.
func CheckSource(name string) error {
	switch {
	case name == "" || len(name) > sourceMax || !utf8.ValidString(name):
		return fmt.Errorf("the beacon's source must be named in 1 to %d bytes of UTF-8", sourceMax)
	case name == QuicknetSource:
		return fmt.Errorf("%q has a signature that is checked: its value cannot be entered as text", name)
	}
	return nil
}

func (b *Beacon) validate() error {
	if b.Source == "" {
		if *b != (Beacon{}) {
			return errors.New("the beacon has no source, so it may have no round, value or signature")
		}
		return nil
	}
	if len(b.Source) > sourceMax || len(b.Value) > valueMax || len(b.Signature) > signatureMax || b.Round > roundMax {
		return fmt.Errorf("the beacon is too large: at most %d bytes of source, %d of value, %d of signature, round 2^53-1", sourceMax, valueMax, signatureMax)
	}
	if !utf8.ValidString(b.Source) || !utf8.ValidString(b.Value) {
		return errors.New("the beacon's source and value must be UTF-8")
	}
	if b.Value == "" {
		return fmt.Errorf("the beacon of %q has no value", b.Source)
	}
	if b.Mode() != ModeDrand {
		if b.Signature != "" {
			return fmt.Errorf("a beacon of %q has no signature that could be checked", b.Source)
		}
		return nil
	}
	if signature, err := hex.DecodeString(b.Signature); err != nil || b.Signature == "" || hex.EncodeToString(signature) != b.Signature {
		return errors.New("drand's signature is not in the digits 0-9 and a-f")
	}
	return nil
}

// Verify checks the beacon by itself: one of drand must be signed by its network. What was entered by hand cannot be checked here.
func (b *Beacon) Verify() error {
	if err := b.validate(); err != nil {
		return err
	}
	if b.Mode() == ModeDrand {
		return quicknet.verify(b)
	}
	return nil
}
