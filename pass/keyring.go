package pass

import (
	"bufio"
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Limits of a keys file.
const (
	keysFileMax = 64 << 10
	keysMax     = 16
	rootLen     = 32
)

// ErrKeys is wrapped by every error about a keys file.
var ErrKeys = errors.New("keys file")

// Keyring holds the root keys of tokens by id. It is read only after it was made and safe for concurrent use.
type Keyring struct {
	roots   map[byte][]byte
	current byte
	macs    macs
}

// ParseKeyring reads the text of a keys file: one key per line, `next|current|previous <id 1..255> <base64 of 32 bytes>`; '#' starts a comment.
// There is exactly one current key. It alone signs; all of them verify. To rotate: add the new key as next everywhere, then make it current and
// the old one previous, and drop that when the longest life of a token has passed.
func ParseKeyring(text []byte) (*Keyring, error) {
	if len(text) > keysFileMax {
		return nil, fmt.Errorf("%w is larger than %d bytes", ErrKeys, keysFileMax)
	}
	k := &Keyring{roots: map[byte][]byte{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, keysFileMax+1)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			if err := k.add(fields); err != nil {
				return nil, fmt.Errorf("%w, line %d: %w", ErrKeys, n, err)
			}
		}
	}
	if k.current == 0 {
		return nil, fmt.Errorf("%w has no current key: a line `current <id> <base64 of %d bytes>` is needed", ErrKeys, rootLen)
	}
	return k, nil
}

func (k *Keyring) add(fields []string) error {
	if len(fields) != 3 {
		return errors.New("want `next|current|previous <id> <base64>`")
	}
	id, err := strconv.ParseUint(fields[1], 10, 8)
	if err != nil || id == 0 {
		return errors.New("the id is a number from 1 to 255")
	}
	if len(k.roots) == keysMax {
		return fmt.Errorf("more than %d keys", keysMax)
	}
	// The text of the key is in no error: these reach logs.
	root, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil || len(root) != rootLen {
		return fmt.Errorf("key %d is not the base64 of %d bytes", id, rootLen)
	}
	if _, ok := k.roots[byte(id)]; ok {
		return fmt.Errorf("key %d is there twice", id)
	}
	switch fields[0] {
	case "current":
		if k.current != 0 {
			return fmt.Errorf("keys %d and %d are both current", k.current, id)
		}
		k.current = byte(id)
	case "next", "previous":
	default:
		return errors.New("a key is next, current or previous")
	}
	k.roots[byte(id)] = root
	return nil
}

// LoadKeyring reads a keys file.
func LoadKeyring(path string) (*Keyring, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	k, err := ParseKeyring(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// NewKeysFile gives the text of a keys file with one fresh key. Keep it readable for its owner only.
func NewKeysFile() ([]byte, error) {
	root := make([]byte, rootLen)
	if _, err := rand.Read(root); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return fmt.Appendf(nil, "# ticketrush keys: next|current|previous <id> <base64 of %d bytes>\ncurrent 1 %s\n", rootLen, base64.StdEncoding.EncodeToString(root)), nil
}

// Derive gives n bytes for another use than tokens, from the current root; info names the use. It panics when n is over 8,160, the limit of HKDF.
// The result changes when the current key does.
func (k *Keyring) Derive(info string, n int) []byte {
	return derive(k.roots[k.current], "ticketrush/derive/"+info, n)
}

func derive(root []byte, info string, n int) []byte {
	out, err := hkdf.Key(sha256.New, root, nil, info, n)
	if err != nil {
		panic("pass: " + err.Error())
	}
	return out
}
