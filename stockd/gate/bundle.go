package gate

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
)

// Format names what a bundle is, and its version.
const Format = "ticketrush-gate/1"

// ErrBundle says that a file is not a gate's bundle that can be used.
var ErrBundle = errors.New("not a gate bundle")

// Bundle is what a gate takes along of an event: GET /v1/events/{ev}/gate-bundle.
type Bundle struct {
	Format string    `json:"format"`
	Event  uuid.UUID `json:"event"`
	Slug   string    `json:"slug"`
	Name   string    `json:"name"`
	Venue  string    `json:"venue"`
	// StartsAt is when the event begins, as it was known at AsOf. ValidFrom and ValidUntil are from when until when its tickets are good; they count, and
	// not the times in the codes, for an event may be postponed after its tickets were signed.
	StartsAt   time.Time `json:"starts_at"`
	ValidFrom  time.Time `json:"valid_from"`
	ValidUntil time.Time `json:"valid_until"`
	AsOf       time.Time `json:"as_of"`
	// Names says whether tickets carry names: none, optional, required.
	Names string `json:"names"`
	// Types are the names of ticket types, by the number in the code.
	Types []string `json:"types"`
	// Keys are the public keys, by the number that each code names.
	Keys map[string][]byte `json:"keys"`
	// Seats are how people call the seats that are sold, by number.
	Seats map[string]string `json:"seats"`
	// Holders are the names of tickets, by ticket, each sealed so that only who has the ticket's code can read it: a stolen gate tells nothing.
	Holders map[uuid.UUID][]byte `json:"holders"`
	// Revoked are the void tickets and why; Since is where the list goes on.
	Revoked map[uuid.UUID]string `json:"revoked"`
	Since   string               `json:"since"`
}

// Check says what is wrong with a bundle; ErrBundle.
func (b *Bundle) Check() error {
	bad := func(what string) error { return fmt.Errorf("%w: %s; fetch it again", ErrBundle, what) }
	switch {
	case b.Format != Format:
		return bad(fmt.Sprintf("its format is %q, this program reads %s", b.Format, Format))
	case b.Event == uuid.Nil:
		return bad("it names no event")
	case len(b.Keys) == 0:
		return bad("it has no keys")
	case !b.ValidFrom.Before(b.ValidUntil):
		return bad("its tickets are never valid")
	}
	_, err := b.keys()
	return err
}

func (b *Bundle) keys() (order.TicketKeys, error) {
	keys := order.TicketKeys{}
	for number, key := range b.Keys {
		id, err := strconv.ParseUint(number, 10, 8)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: key %q is none; fetch it again", ErrBundle, number)
		}
		keys[byte(id)] = key
	}
	return keys, nil
}

// Load reads a bundle from a file; ErrBundle when it is none.
func Load(path string) (*Bundle, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the gate bundle: %w", err)
	}
	var b Bundle
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%w: %s: %w; fetch it again", ErrBundle, path, err)
	}
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &b, nil
}

// Save writes the bundle in one step: whoever reads the file finds the old one or the new one.
func (b *Bundle) Save(path string) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".gate-*")
	if err != nil {
		return fmt.Errorf("write the gate bundle: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what was half written is of no use
		return fmt.Errorf("write the gate bundle: %w", err)
	}
	return nil
}
