package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/mod/sumdb/note"

	"ticketrush/pass"
	"ticketrush/stockd/failure"
)

type keysCommand struct {
	New      keysNew      `cmd:"" help:"A keys file: for the passes of waiting rooms (room_keys_file), or for tokens and tickets (secrets_file)."`
	Internal keysInternal `cmd:"" help:"The key of the internal listener (internal_key_file)."`
	Gossip   keysGossip   `cmd:"" help:"The key of the gossip (gossip_key_file)."`
	Closer   keysCloser   `cmd:"" help:"The key that signs closed days (stockd close-day), and beside it FILE.pub, which checks them."`
}

type outFile struct {
	Out   string `required:"" type:"path" placeholder:"FILE" help:"Where to write it. Nobody but its owner may read it."`
	Force bool   `help:"Write over a file that is there. What was signed with the old keys is void then."`
}

type keysNew struct {
	outFile
}

// Run makes a keyring with one current key.
func (k *keysNew) Run(con console) error {
	text, err := pass.NewKeysFile()
	if err != nil {
		return err
	}
	return k.write(con, text)
}

type keysInternal struct {
	outFile
}

// Run makes a shared key.
func (k *keysInternal) Run(con console) error { return k.write(con, randomKey()) }

type keysGossip struct {
	outFile
}

// Run makes a shared key.
func (k *keysGossip) Run(con console) error { return k.write(con, randomKey()) }

type keysCloser struct {
	outFile
	Name string `default:"ticketrush-ledger" help:"Whose days are signed: it is the first line of each checkpoint. No spaces, no plus (${default})."`
}

// Run makes a pair of keys.
func (k *keysCloser) Run(con console) error {
	secret, public, err := note.GenerateKey(rand.Reader, k.Name)
	if err == nil {
		_, err = note.NewVerifier(public) // refuses a name that a note cannot have
	}
	if err != nil {
		return failure.ByMisuse(fmt.Errorf("--name %q: %w; it may have no spaces and no plus", k.Name, err))
	}
	if err := k.write(con, []byte(secret+"\n")); err != nil {
		return err
	}
	if err := os.WriteFile(k.Out+".pub", []byte(public+"\n"), 0o644); err != nil { //nolint:gosec // everybody may read it
		return failure.ByAbsence(fmt.Errorf("write the public key: %w", err))
	}
	fmt.Fprintf(con.out, "wrote %s.pub; give it to everybody who checks closings\n", k.Out)
	return nil
}

// randomKey is 32 random bytes as a line of base64.
func randomKey() []byte {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return []byte(base64.StdEncoding.EncodeToString(raw[:]) + "\n")
}

func (o outFile) write(con console, text []byte) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if o.Force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(o.Out, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return failure.ByMisuse(fmt.Errorf("%s is there already; name another file, or replace it with --force", o.Out))
	}
	if err != nil {
		return failure.ByAbsence(fmt.Errorf("write the keys: %w", err))
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return failure.ByAbsence(fmt.Errorf("write the keys: %w", err))
	}
	fmt.Fprintf(con.out, "wrote %s; keep it secret, and keep a copy\n", o.Out)
	return nil
}
