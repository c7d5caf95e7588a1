package finance

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ExportOptions says what is exported.
type ExportOptions struct {
	Kind     string    // transfers, movements, orders, settlement
	Format   string    // csv, jsonl
	From, To time.Time // midnight UTC, both days included; zero: without an end. Of transfers the business day, of the others the day of the event
	Event    int32     // 0: all
	Now      time.Time
}

// Manifest is what was exported, and the evidence that it is whole.
type Manifest struct {
	Kind       string    `json:"kind"`
	Format     string    `json:"format"`
	File       string    `json:"file"`
	From       string    `json:"from,omitempty"`
	To         string    `json:"to,omitempty"`
	Event      int32     `json:"event,omitempty"`
	Rows       int64     `json:"rows"`
	Bytes      int64     `json:"bytes"`
	SHA256     string    `json:"sha256"`
	At         time.Time `json:"at"`
	Checkpoint string    `json:"checkpoint,omitempty"` // of the last signed day
}

// Why nothing is exported.
var (
	ErrExport       = errors.New("this cannot be exported")
	ErrExportExists = errors.New("the file is there already")
)

// ExportKinds are the kinds of rows, in order.
func ExportKinds() []string {
	var names []string
	for n := range exportKinds {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// plan is what an export will do.
type plan struct {
	kind       *exportKind
	head       []byte
	row        rowWriter
	first, end time.Time
}

func (o ExportOptions) plan() (*plan, error) {
	k, ok := exportKinds[o.Kind]
	if !ok {
		return nil, fmt.Errorf("%w: there is no kind %q; there are %s", ErrExport, o.Kind, strings.Join(ExportKinds(), ", "))
	}
	k.currencyAt = k.currencyColumn()
	p := &plan{kind: &k, first: o.From, end: o.To}
	switch o.Format {
	case "csv":
		p.head, p.row = csvHeader(&k), appendCSV
	case "jsonl":
		p.row = appendJSON
	default:
		return nil, fmt.Errorf("%w: there is no format %q; there are csv and jsonl", ErrExport, o.Format)
	}
	if o.Event != 0 && !k.event {
		return nil, fmt.Errorf("%w: rows of %s belong to no event", ErrExport, o.Kind)
	}
	if p.first.IsZero() {
		p.first = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if p.end.IsZero() {
		p.end = time.Date(2900, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if p.end.Before(p.first) {
		return nil, fmt.Errorf("%w: the last day, %s, is before the first, %s", ErrExport, p.end.Format(day), p.first.Format(day))
	}
	return p, nil
}

// Export streams rows to w, in one snapshot and in a fixed order, and returns how many they were. Memory does not grow with them.
func (d *Desk) Export(ctx context.Context, o ExportOptions, w io.Writer) (rows int64, err error) {
	p, err := o.plan()
	if err != nil {
		return 0, err
	}
	err = d.inTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'"); err != nil {
			return err
		}
		rows, err = p.stream(ctx, tx, o.Event, w)
		return err
	})
	return rows, err
}

func (p *plan) stream(ctx context.Context, tx *sql.Tx, event int32, w io.Writer) (n int64, err error) {
	found, err := tx.QueryContext(ctx, p.kind.query, p.first, p.end, event)
	if err != nil {
		return 0, err
	}
	defer found.Close()
	cells := make([][]byte, len(p.kind.columns))
	raw := make([]sql.RawBytes, len(cells))
	into := make([]any, len(cells))
	for i := range raw {
		into[i] = &raw[i]
	}
	buffer := append(make([]byte, 0, 1<<16), p.head...)
	for ; found.Next(); n++ {
		if err := found.Scan(into...); err != nil {
			return n, err
		}
		for i := range raw {
			cells[i] = raw[i]
		}
		buffer = p.row(buffer, p.kind, cells)
		if len(buffer) < 1<<15 {
			continue
		}
		if _, err := w.Write(buffer); err != nil {
			return n, err
		}
		buffer = buffer[:0]
	}
	if err := found.Err(); err != nil {
		return n, err
	}
	_, err = w.Write(buffer)
	return n, err
}

// ExportFile exports into a folder: the rows, and beside them a manifest. A file appears when it is whole. With replace it may be there before.
func (d *Desk) ExportFile(ctx context.Context, o ExportOptions, folder string, replace bool) (*Manifest, error) {
	m := &Manifest{Kind: o.Kind, Format: o.Format, Event: o.Event, At: o.Now.UTC().Truncate(time.Second), File: o.file()}
	if !o.From.IsZero() {
		m.From = o.From.Format(day)
	}
	if !o.To.IsZero() {
		m.To = o.To.Format(day)
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, m.File)
	if _, err := os.Stat(path); err == nil && !replace {
		return nil, fmt.Errorf("%w: %s; name another folder, or replace it with --force", ErrExportExists, path)
	}
	f, err := os.CreateTemp(folder, m.File+".part-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone when it got its name
	defer f.Close()
	sum := sha256.New()
	counted := &counter{}
	out := bufio.NewWriterSize(io.MultiWriter(f, sum, counted), 1<<16)
	if m.Rows, err = d.Export(ctx, o, out); err != nil {
		return nil, err
	}
	if err := errors.Join(out.Flush(), f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	m.Bytes, m.SHA256 = counted.n, hex.EncodeToString(sum.Sum(nil))
	switch last, err := d.q.LastClosing(ctx, d.pool); {
	case err == nil:
		m.Checkpoint = last.Checkpoint
	case !errors.Is(err, sql.ErrNoRows):
		return nil, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path+".manifest.json", append(text, '\n'), 0o640); err != nil { //nolint:gosec // the group of the books may read it
		return nil, err
	}
	return m, os.Rename(f.Name(), path)
}

// file names the file of an export by what is in it.
func (o ExportOptions) file() string {
	name := o.Kind
	if o.Event != 0 {
		name += fmt.Sprintf("-event%d", o.Event)
	}
	if !o.From.IsZero() {
		name += "-" + o.From.Format(day)
	}
	if !o.To.IsZero() && !o.To.Equal(o.From) {
		name += "-" + o.To.Format(day)
	}
	return name + "." + o.Format
}

// counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}
