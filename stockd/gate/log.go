package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// ErrLog says that a file is not a log of scans.
var ErrLog = errors.New("not a log of scans")

// gateMax is the length of a gate's name.
const gateMax = 64

func validGate(name string) bool {
	return name != "" && len(name) <= gateMax && strings.TrimSpace(name) == name && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Scan is a ticket that was good at a gate. All three together are its identity.
type Scan struct {
	Ticket uuid.UUID `json:"ticket"`
	Gate   string    `json:"gate"`
	At     time.Time `json:"at"` // UTC, to the microsecond
}

func (s Scan) plain() Scan {
	s.At = s.At.UTC().Truncate(time.Microsecond)
	return s
}

// compare orders scans: by time, then gate, then ticket.
func (s Scan) compare(o Scan) int {
	if c := s.At.Compare(o.At); c != 0 {
		return c
	}
	if c := strings.Compare(s.Gate, o.Gate); c != 0 {
		return c
	}
	return bytes.Compare(s.Ticket[:], o.Ticket[:])
}

// Log is a gate's log of scans: a file of one JSON document a line, only ever appended to. Each is on the disk before Add answers. One process at a time
// has it open. It is not safe for concurrent use.
type Log struct {
	file  *os.File
	first map[uuid.UUID]Scan
	scans []Scan
	cut   int
}

// OpenLog opens a log, or makes it. A last line that was torn, by the end of the process or of the power, is cut off: its scan was never answered. Any other
// line that is not a scan is an ErrLog with its number: the file is something else, or was changed.
func OpenLog(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of scans: %w", err)
	}
	l := &Log{file: f, first: map[uuid.UUID]Scan{}}
	if err := l.open(path); err != nil {
		_ = f.Close()
		return nil, err
	}
	return l, nil
}

func (l *Log) open(path string) error {
	if err := lockFile(l.file); err != nil {
		return fmt.Errorf("the log of scans %s is in use by another process: %w", path, err)
	}
	text, err := io.ReadAll(l.file)
	if err != nil {
		return fmt.Errorf("read the log of scans: %w", err)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	scans, err := parseLog(text[:whole])
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if whole < len(text) {
		l.cut = len(text) - whole
		if err := errors.Join(l.file.Truncate(int64(whole)), l.file.Sync()); err != nil {
			return fmt.Errorf("cut the torn last line of %s: %w", path, err)
		}
	}
	for _, s := range scans {
		l.keep(s)
	}
	return nil
}

func (l *Log) keep(s Scan) {
	l.scans = append(l.scans, s)
	if before, ok := l.first[s.Ticket]; !ok || s.compare(before) < 0 {
		l.first[s.Ticket] = s
	}
}

// Cut is how many bytes of a torn last line were cut off when the log was opened.
func (l *Log) Cut() int { return l.cut }

// Scans are all that the log has, in the order in which they were written.
func (l *Log) Scans() []Scan { return l.scans }

// Add writes a scan down, and gives the first scan of the ticket that was there before. After an error nothing is known of the scan, and the log takes no more.
func (l *Log) Add(s Scan) (first Scan, before bool, err error) {
	s = s.plain()
	line, err := json.Marshal(s)
	if err != nil {
		return first, false, err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return first, false, errors.Join(fmt.Errorf("write the scan down: %w", err), l.file.Close())
	}
	if err := l.file.Sync(); err != nil {
		return first, false, errors.Join(fmt.Errorf("write the scan down: %w", err), l.file.Close())
	}
	first, before = l.first[s.Ticket]
	l.keep(s)
	return first, before, nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// ReadLog reads the scans of a log that nobody has to have open, such as another gate's. A torn last line is left out.
func ReadLog(path string) ([]Scan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the log of scans: %w", err)
	}
	scans, err := parseLog(text[:bytes.LastIndexByte(text, '\n')+1])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return scans, nil
}

func parseLog(text []byte) (scans []Scan, err error) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		var s Scan
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil || s.Ticket == uuid.Nil || !validGate(s.Gate) || s.At.IsZero() {
			return nil, fmt.Errorf("%w: line %d is not a scan", ErrLog, n)
		}
		scans = append(scans, s.plain())
	}
	return scans, nil
}
