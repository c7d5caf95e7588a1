package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/failure"
)

type apikeyCommand struct {
	Create apikeyCreate `cmd:"" help:"Make a key. It is shown once and kept only as a hash."`
}

type apikeyCreate struct {
	ledgerAt
	Name   string   `arg:"" help:"What the key is for, unique: for example box-office."`
	Person string   `required:"" help:"Whose key it is; the audit log names them."`
	Scope  []string `enum:"ops,sell,gate,finance" default:"ops" help:"ops: everything; sell: holds without a waiting room; gate: check tickets in; finance: read the books (${default})."`
	Out    string   `type:"path" placeholder:"FILE" help:"Write the key into a file that only you can read, not to the screen."`
}

// newAPIKey is the text of a fresh key. Its prefix lets scanners for leaked secrets find it.
func newAPIKey() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return "trk_" + base64.RawURLEncoding.EncodeToString(raw[:])
}

// Run makes the key.
func (a *apikeyCreate) Run(ctx context.Context, con console) error {
	dsn, err := a.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	text := newAPIKey()
	err = db.APIKeyInsert(ctx, ledger.APIKey{ID: uuid.New(), Name: a.Name, Person: a.Person, Scopes: a.Scope}, text)
	if errors.Is(err, ledger.ErrExists) {
		return failure.ByMisuse(fmt.Errorf("there is a key named %q already; choose another name", a.Name))
	}
	if err != nil {
		return err
	}
	if a.Out != "" {
		return os.WriteFile(a.Out, []byte(text+"\n"), 0o600)
	}
	fmt.Fprintln(con.out, text)
	return nil
}
