package draw

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// FileFormat names the format of a published draw: a line of JSON, the Header, then one line of 32 lower-case hexadecimal digits for each tid, in
// ascending order. Each line ends with a line feed. So grep finds a tid, and sort -c and wc -l check the list.
const FileFormat = "ticketrush-draw/1"

// headerMax bounds the first line, in bytes; lineSize is that of all others, with the line feed.
const (
	headerMax = 8 << 10
	lineSize  = 2*tidSize + 1
)

// Header is the first line of a published draw.
type Header struct {
	Format string `json:"format"`
	Terms
	Seed Hash     `json:"seed"`
	Log  *LogHead `json:"log,omitempty"` // the room's log when the file was written, with the draw in it
}

// LogHead is a size and root of the room's transparency log. As JSON the root is base64, as in the log's checkpoint.
type LogHead struct {
	Size int64     `json:"size"`
	Root tlog.Hash `json:"root"`
}

// WriteFile publishes the draw: 33 bytes for each tid. log may be nil.
func (d *Drawn) WriteFile(w io.Writer, log *LogHead) error {
	out := bufio.NewWriterSize(w, 64<<10)
	header, err := json.Marshal(Header{Format: FileFormat, Terms: d.terms, Seed: d.seed, Log: log})
	if err != nil {
		return fmt.Errorf("draw: write the header: %w", err)
	}
	if _, err := out.Write(append(header, '\n')); err != nil {
		return fmt.Errorf("draw: write the header: %w", err)
	}
	var line [lineSize]byte
	line[lineSize-1] = '\n'
	for tid := range d.Tids() {
		hex.Encode(line[:], tid[:])
		if _, err := out.Write(line[:]); err != nil {
			return fmt.Errorf("draw: write the list: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("draw: write the list: %w", err)
	}
	return nil
}

// FileReader reads a published draw line by line; it needs 16 KiB of memory for any size. What is wrong with the file is a *Fault that names the line;
// an error of the underlying reader is passed on.
type FileReader struct {
	Header Header
	in     *bufio.Reader
	n      int64 // tids read
	last   key
}

// NewFileReader reads the header and checks its form; Verify of the numbers in it is VerifyDraw's.
func NewFileReader(r io.Reader) (*FileReader, error) {
	f := &FileReader{in: bufio.NewReaderSize(r, 2*headerMax)}
	line, err := f.in.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return nil, fault(StepFormat, "the file is empty")
	case errors.Is(err, bufio.ErrBufferFull), len(line) > headerMax:
		return nil, fault(StepFormat, "line 1 has more than %d bytes: this is no published draw", headerMax)
	case errors.Is(err, io.EOF):
		return nil, fault(StepFormat, "the file ends within line 1")
	case err != nil:
		return nil, err
	}
	if err := decode(line, &f.Header); err != nil {
		return nil, fault(StepFormat, "line 1: %w", err)
	}
	if f.Header.Format != FileFormat {
		return nil, fault(StepFormat, "line 1: the format is %.80q, this program knows %q", f.Header.Format, FileFormat)
	}
	if err := f.Header.checkFormat(); err != nil {
		return nil, err
	}
	return f, nil
}

// Next gives the next tid, and io.EOF after the N-th if the file ends there.
func (f *FileReader) Next() (Tid, error) {
	where := f.n + 2 // line
	line, err := f.in.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0 && f.n == f.Header.N:
		return Tid{}, io.EOF
	case errors.Is(err, io.EOF):
		return Tid{}, fault(StepList, "line %d: the file ends here after %d of %d tids", where, f.n, f.Header.N)
	case err != nil && !errors.Is(err, bufio.ErrBufferFull):
		return Tid{}, err
	case f.n == f.Header.N:
		return Tid{}, fault(StepList, "line %d: there is more than the %d tids that the header announces", where, f.Header.N)
	case len(line) != lineSize:
		return Tid{}, fault(StepList, "line %d: %d characters where %d hexadecimal digits are wanted", where, len(line)-1, 2*tidSize)
	}
	var tid Tid
	if err := unhex(tid[:], line[:lineSize-1]); err != nil {
		return Tid{}, fault(StepList, "line %d: %w", where, err)
	}
	k := keyOf(&tid)
	if f.n > 0 && k.compare(f.last) <= 0 {
		return Tid{}, fault(StepList, "line %d: %x is not greater than the line before; the list must be sorted and have each tid once", where, tid)
	}
	f.n, f.last = f.n+1, k
	return tid, nil
}
