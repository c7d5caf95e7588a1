package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"ticketrush/room/draw"
	"ticketrush/room/openlog"
	"ticketrush/stockd/failure"
)

type verifyCommand struct {
	Draw    string   `arg:"" placeholder:"FILE|URL" help:"The published draw: a file, or the room's address, such as https://tickets.example.com/.wr/v1/spring-tour/."`
	Log     string   `placeholder:"URL|DIR" help:"The room's log: an address or a folder with checkpoint and tile/. Default: beside the draw, when that is an address; none leaves it out."`
	Key     string   `placeholder:"KEY|FILE" help:"The room's public key, name+hash+base64, to check the log's signature."`
	Seen    []string `type:"path" sep:"none" placeholder:"FILE" help:"A checkpoint of the log that you kept from earlier: shows that nothing before it was written anew. Can be repeated."`
	Receipt []string `type:"path" sep:"none" placeholder:"FILE" help:"A receipt to check against the whole list, its ordinal too. Can be repeated."`
	Tid     []string `sep:"none" placeholder:"HEX" help:"Somebody's tid, 32 hexadecimal digits: prints their rank and ordinal. Can be repeated."`
}

// noLog is what --log takes to leave the log out.
const noLog = "none"

// Run verifies the draw and fails when a step does not hold.
func (v *verifyCommand) Run(ctx context.Context, con console) error {
	in, err := v.read()
	if err != nil {
		return err
	}
	draws, log, err := v.sources(ctx)
	if err != nil {
		return failure.ByMisuse(err)
	}
	file, err := draws.open()
	if errors.Is(err, fs.ErrNotExist) && isAddress(draws.name) {
		return failure.ByAbsence(fmt.Errorf("the draw: %w; a room serves it once it has drawn", err))
	}
	if err != nil {
		return failure.ByAbsence(fmt.Errorf("the draw: %w", err))
	}
	defer file.Close()
	report, err := draw.VerifyDraw(file, in.asked()...)
	if err != nil {
		return fmt.Errorf("the draw %s: %w", draws, err)
	}
	t := &tally{out: con.out}
	t.checks(report.Checks)
	t.places(report, in.tids)
	t.receipts(report, in.receipts)
	if err := v.log(t, log, report, in); err != nil {
		return err
	}
	return t.conclude()
}

// verifyInput is what the flags name, read.
type verifyInput struct {
	key      note.Verifier
	seen     []openlog.Checkpoint
	receipts []namedReceipt
	tids     []draw.Tid
}

// asked gives the tids whose places are to be found: those of --tid first.
func (in *verifyInput) asked() []draw.Tid {
	asked := slices.Clone(in.tids)
	for _, r := range in.receipts {
		if r.err == nil {
			asked = append(asked, draw.Tid(r.receipt.Tid))
		}
	}
	return asked
}

// namedReceipt is a receipt or why its file is none.
type namedReceipt struct {
	name    string
	receipt *draw.Receipt
	err     error
}

// read reads what the flags name.
func (v *verifyCommand) read() (in verifyInput, err error) {
	if v.Key != "" {
		if in.key, err = readVerifier(v.Key); err != nil {
			return in, failure.ByMisuse(fmt.Errorf("--key: %w", err))
		}
	}
	for _, name := range v.Seen {
		text, err := readSmall(name, openlog.CheckpointMax)
		if err != nil {
			return in, failure.ByMisuse(fmt.Errorf("--seen: %w", err))
		}
		var keys []note.Verifier
		if in.key != nil {
			keys = append(keys, in.key)
		}
		c, err := openlog.OpenCheckpoint(text, keys...)
		if err != nil {
			return in, failure.ByMisuse(fmt.Errorf("--seen %s: %w", name, err))
		}
		in.seen = append(in.seen, c)
	}
	for _, name := range v.Receipt {
		text, err := readSmall(name, 64<<10)
		if err != nil {
			return in, failure.ByMisuse(fmt.Errorf("--receipt: %w", err))
		}
		r, err := draw.ParseReceipt(text)
		in.receipts = append(in.receipts, namedReceipt{name, r, err})
	}
	for _, text := range v.Tid {
		var tid draw.TidText
		if err := tid.UnmarshalText([]byte(strings.ToLower(text))); err != nil {
			return in, failure.ByMisuse(fmt.Errorf("--tid: %w", err))
		}
		in.tids = append(in.tids, draw.Tid(tid))
	}
	return in, nil
}

// readVerifier takes a key as text, or the file that has it.
func readVerifier(key string) (note.Verifier, error) {
	if v, err := note.NewVerifier(key); err == nil {
		return v, nil
	}
	text, err := readSmall(key, 4<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%q is neither a key, name+hash+base64, nor a file that has one", key)
	}
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s has no key of the form name+hash+base64: %w", key, err)
	}
	return v, nil
}

// readSmall reads a file that must not be larger than limit bytes.
func readSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readUpTo(f, name, limit)
}

func readUpTo(r io.Reader, name string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return text, nil
}

// log verifies the room's log, and the draw against it.
func (v *verifyCommand) log(t *tally, log *logSource, report *draw.Report, in verifyInput) error {
	if log == nil {
		t.check("log", draw.Check{Skipped: true, Text: "that C and R were published in time shows the room's log only, and --log names none"})
		return nil
	}
	o := openlog.Options{Key: in.key, Seen: in.seen}
	if report.Header.Format != "" {
		o.Draw = &report.Header
	}
	r, err := openlog.Verify(log, o)
	if err != nil {
		return failure.ByAbsence(fmt.Errorf("the log %s: %w", log, err))
	}
	t.log(r)
	return nil
}
