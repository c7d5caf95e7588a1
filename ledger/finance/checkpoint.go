package finance

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what is signed about a closed day, in the form of C2SP's tlog-checkpoint: origin, size and root of the tree over all transfers of
// closed days, then lines of our own.
type Checkpoint struct {
	Origin   string // the name of the closer's key
	Size     int64
	Root     tlog.Hash
	Day      string // as 2006-01-02
	PrevSize int64  // of the checkpoint before
	PrevRoot tlog.Hash
	Stock    tlog.Hash // SHA-256 over the heads of the journals of stock (day_closing_parts): part, seq, head, big endian, in order of part
	Breaks   int       // that reconcile found
	Accepted string    // why it was signed all the same
}

// text is the note's text.
func (c *Checkpoint) text() string {
	b64 := base64.StdEncoding.EncodeToString
	s := fmt.Sprintf("%s\n%d\n%s\nday %s\nprevious %d %s\nstock %s\nbreaks %d\n", c.Origin, c.Size, b64(c.Root[:]), c.Day, c.PrevSize, b64(c.PrevRoot[:]), b64(c.Stock[:]), c.Breaks)
	if c.Accepted != "" {
		s += "accepted " + c.Accepted + "\n"
	}
	return s
}

// sign makes the signed note.
func (c *Checkpoint) sign(key note.Signer) (string, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, key)
	return string(signed), err
}

// ErrCheckpoint says that a text is no checkpoint with a valid signature of the key that was given.
var ErrCheckpoint = errors.New("not a checkpoint of this key")

// OpenCheckpoint checks the signature of a note and reads it.
func OpenCheckpoint(signed string, key note.Verifier) (*Checkpoint, error) {
	n, err := note.Open([]byte(signed), note.VerifierList(key))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if c.Origin != key.Name() {
		return nil, fmt.Errorf("%w: it is of %q", ErrCheckpoint, c.Origin)
	}
	return c, nil
}

// parseCheckpoint reads the text of a note. What it gives is exactly what text writes.
func parseCheckpoint(text string) (*Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 8 {
		return nil, errors.New("it has too few lines")
	}
	c := &Checkpoint{Origin: lines[0]}
	var err error
	hash := func(text string) (h tlog.Hash) {
		raw, e := base64.StdEncoding.DecodeString(text)
		if e != nil || len(raw) != len(h) {
			err = fmt.Errorf("%q is no hash", text)
		}
		copy(h[:], raw)
		return h
	}
	number := func(text string) int64 {
		n, e := strconv.ParseInt(text, 10, 64)
		if e != nil || n < 0 {
			err = fmt.Errorf("%q is no number", text)
		}
		return n
	}
	value := func(i int, name string) string {
		v, ok := strings.CutPrefix(lines[i], name+" ")
		if !ok {
			err = fmt.Errorf("line %d does not say %s", i+1, name)
		}
		return v
	}
	c.Size, c.Root = number(lines[1]), hash(lines[2])
	c.Day = value(3, "day")
	if _, e := time.Parse(day, c.Day); e != nil {
		err = fmt.Errorf("%q is no day", c.Day)
	}
	size, root, _ := strings.Cut(value(4, "previous"), " ")
	c.PrevSize, c.PrevRoot = number(size), hash(root)
	c.Stock = hash(value(5, "stock"))
	c.Breaks = int(number(value(6, "breaks")))
	c.Accepted = strings.TrimPrefix(lines[7], "accepted ")
	if err == nil && c.text() != text {
		err = errors.New("it is not written as we write it")
	}
	return c, err
}
