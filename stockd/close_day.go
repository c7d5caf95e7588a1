package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ticketrush/ledger/finance"
	"ticketrush/stockd/failure"
)

type closeDayCommand struct {
	ledgerAt
	Day     string `placeholder:"2006-01-02" help:"The business day to close; default: the days that are closed and not signed yet, else the open day once it has ended (UTC)."`
	Key     string `required:"" type:"path" placeholder:"FILE" help:"The closer's key, made by stockd keys closer."`
	Publish string `required:"" type:"path" placeholder:"FILE" help:"The file that the signed checkpoints are appended to. Keep it where those who run the database cannot write."`
	Accept  string `name:"accept-breaks" placeholder:"REASON" help:"Sign although reconcile finds breaks, and say why: it is signed too."`
}

// Run closes a day, signs it and publishes the checkpoint. After a crash it goes on where it ended.
func (c *closeDayCommand) Run(ctx context.Context, con console) error {
	o := finance.CloseOptions{By: whoami(), Accept: c.Accept, Now: time.Now()}
	var err error
	if c.Day != "" {
		if o.Day, err = time.Parse(time.DateOnly, c.Day); err != nil {
			return failure.ByMisuse(fmt.Errorf("--day %q is no date; write it as 2006-01-02", c.Day))
		}
	}
	if o.Key, err = closerKey(c.Key); err != nil {
		return err
	}
	dsn, err := c.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	desk := finance.New(db)
	done, report, err := desk.Close(ctx, o)
	for _, d := range done {
		fmt.Fprintf(con.out, "signed %s: %d postings, %d in the tree\n", d.Day, d.Transfers, d.Size)
	}
	if errors.Is(err, finance.ErrBreaks) {
		if err := report.WriteText(con.out); err != nil {
			return err
		}
	}
	published, perr := desk.Publish(ctx, c.Publish)
	switch {
	case perr != nil:
		return errors.Join(err, fmt.Errorf("publish: %w", perr))
	case published > 0:
		fmt.Fprintf(con.out, "published %d checkpoints in %s\n", published, c.Publish)
	case err == nil:
		fmt.Fprintf(con.out, "%s has it already\n", c.Publish)
	}
	switch {
	case errors.Is(err, finance.ErrBreaks):
		return fmt.Errorf("%w: put them right and run this again, or sign all the same with --accept-breaks REASON", err)
	case errors.Is(err, finance.ErrDay):
		return failure.ByMisuse(err)
	case err == nil && len(done) > 0:
		fmt.Fprint(con.out, "\n"+done[len(done)-1].Checkpoint)
	}
	return err
}

// closerKey reads the key that signs days.
func closerKey(path string) (note.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.ByAbsence(fmt.Errorf("--key: %w; stockd keys closer makes one", err))
	}
	key, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, failure.ByMisuse(fmt.Errorf("--key %s: %w; it is a file that stockd keys closer made, and not the .pub beside it", path, err))
	}
	return key, nil
}

// closerPublicKey reads the key that checks what was signed; it may be the text itself.
func closerPublicKey(path string) (note.Verifier, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.ByAbsence(fmt.Errorf("--key: %w; it is the .pub file that stockd keys closer made", err))
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, failure.ByMisuse(fmt.Errorf("--key %s: %w; it is the .pub file that stockd keys closer made", path, err))
	}
	return key, nil
}
