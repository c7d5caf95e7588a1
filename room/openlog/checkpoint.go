package openlog

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// CheckpointMax bounds a signed checkpoint, in bytes; ours have about 250, each witness adds 150.
const CheckpointMax = 16 << 10

// Checkpoint is the head of a log: https://c2sp.org/tlog-checkpoint.
type Checkpoint struct {
	Origin string // names the log, such as ticketrush/room/spring-tour
	Size   int64
	Root   tlog.Hash
}

// Text gives the three lines that are signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// Sign gives the signed note.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	if c.Origin == "" || strings.Contains(c.Origin, "\n") {
		return nil, fmt.Errorf("openlog: the origin %q must be one line that is not empty", c.Origin)
	}
	text, err := note.Sign(&note.Note{Text: c.Text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("openlog: sign the checkpoint: %w", err)
	}
	return text, nil
}

// OpenCheckpoint reads a signed checkpoint and checks a signature by one of the keys; without keys it only reads.
func OpenCheckpoint(text []byte, keys ...note.Verifier) (Checkpoint, error) {
	if len(text) > CheckpointMax {
		return Checkpoint{}, fmt.Errorf("openlog: a checkpoint has at most %d bytes, this has %d", CheckpointMax, len(text))
	}
	n, err := note.Open(text, note.VerifierList(keys...))
	if unverified := (*note.UnverifiedNoteError)(nil); errors.As(err, &unverified) && len(keys) == 0 {
		n, err = unverified.Note, nil
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("openlog: open the checkpoint: %w", err)
	}
	return parseCheckpoint(n.Text)
}

func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] == "" { // the last is what stands after the last line feed
		return Checkpoint{}, errors.New("openlog: a checkpoint has the lines origin, size and root")
	}
	c.Origin = lines[0]
	c.Size, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || c.Size < 0 || strconv.FormatInt(c.Size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("openlog: the checkpoint's size %q is no number", lines[1])
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil || c.Root.String() != lines[2] {
		return Checkpoint{}, fmt.Errorf("openlog: the checkpoint's root %q is not the base64 of 32 bytes", lines[2])
	}
	return c, nil
}

// NewSigner gives a signer of checkpoints. The name should be the log's origin; it may have no spaces and no plus.
func NewSigner(name string, key ed25519.PrivateKey) (note.Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("openlog: an Ed25519 key has %d bytes, this has %d", ed25519.PrivateKeySize, len(key))
	}
	text, err := VerifierKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("openlog: a key for %q: %w", name, err)
	}
	return &signer{name: name, hash: v.KeyHash(), key: key}, nil
}

// VerifierKey gives the public key as text, name+hash+base64, for whoever verifies the log: https://c2sp.org/signed-note.
func VerifierKey(name string, key ed25519.PublicKey) (string, error) {
	text, err := note.NewEd25519VerifierKey(name, key)
	if err != nil {
		return "", fmt.Errorf("openlog: a key for %q: %w", name, err)
	}
	return text, nil
}

type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

func (s *signer) Name() string                    { return s.name }
func (s *signer) KeyHash() uint32                 { return s.hash }
func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }
