package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ticketrush/ledger/finance"
	"ticketrush/stockd/failure"
)

type proveCommand struct {
	ledgerAt
	Transfer  int64    `arg:"" optional:"" help:"The number of the posting to be proven (the column id of an export of transfers)."`
	Between   []string `placeholder:"DAY,DAY" help:"Prove that the checkpoint of the second day continues that of the first."`
	Verify    string   `type:"path" placeholder:"FILE" help:"Check a proof that was printed. It needs --key, and no database."`
	Published string   `type:"path" placeholder:"FILE" help:"Compare the ledger with the checkpoints that were published in this file. It needs --key."`
	Key       string   `type:"path" placeholder:"FILE" help:"The closer's public key, the .pub that stockd keys closer made."`
}

// proofMax bounds a file with a proof: a proof has a hash for each level of the tree.
const proofMax = 1 << 20

// Run proves, or checks.
func (p *proveCommand) Run(ctx context.Context, con console) error {
	wanted := 0
	for _, w := range []bool{p.Transfer != 0, len(p.Between) > 0, p.Verify != "", p.Published != ""} {
		if w {
			wanted++
		}
	}
	switch {
	case wanted != 1:
		return failure.ByMisuse(errors.New("prove what? Give the number of a posting, --between DAY,DAY, --verify FILE or --published FILE, one of them"))
	case (p.Verify != "" || p.Published != "") && p.Key == "":
		return failure.ByMisuse(errors.New("--verify and --published need --key, the closer's public key"))
	case p.Verify != "":
		return p.verify(con)
	}
	dsn, err := p.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	desk := finance.New(db)
	if p.Published != "" {
		return p.published(ctx, con, desk)
	}
	var proof *finance.Proof
	if p.Transfer != 0 {
		proof, err = desk.Prove(ctx, p.Transfer)
	} else {
		proof, err = p.between(ctx, desk)
	}
	if err != nil {
		return err
	}
	out := json.NewEncoder(con.out)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(proof)
}

func (p *proveCommand) between(ctx context.Context, desk *finance.Desk) (*finance.Proof, error) {
	if len(p.Between) != 2 {
		return nil, failure.ByMisuse(errors.New("--between needs two days, as 2026-06-01,2026-06-30"))
	}
	var days [2]time.Time
	for i, text := range p.Between {
		var err error
		if days[i], err = time.Parse(time.DateOnly, text); err != nil {
			return nil, failure.ByMisuse(fmt.Errorf("--between: %q is no date; write it as 2006-01-02", text))
		}
	}
	return desk.ProveConsistency(ctx, days[0], days[1])
}

func (p *proveCommand) verify(con console) error {
	key, err := closerPublicKey(p.Key)
	if err != nil {
		return err
	}
	text, err := readAtMost(p.Verify, proofMax)
	if err != nil {
		return failure.ByMisuse(err)
	}
	proof, err := finance.ReadProof(text)
	if err != nil {
		return failure.ByMisuse(fmt.Errorf("%s: %w", p.Verify, err))
	}
	c, err := proof.Verify(key)
	if err != nil {
		return err
	}
	if t := proof.Transfer; t != nil {
		fmt.Fprintf(con.out, "posting %d (%s, %s %s from %s to %s) is leaf %d of the %d that %s signed with %s\n", t.ID, t.Source, t.Amount, t.Currency, t.Debit, t.Credit, proof.Leaf, c.Size, c.Origin, c.Day)
		return nil
	}
	fmt.Fprintf(con.out, "the checkpoint of %s, %d postings, continues the older one: nothing before it was changed\n", c.Day, c.Size)
	return nil
}

func (p *proveCommand) published(ctx context.Context, con console, desk *finance.Desk) error {
	key, err := closerPublicKey(p.Key)
	if err != nil {
		return err
	}
	text, err := readAtMost(p.Published, 64<<20)
	if err != nil {
		return failure.ByMisuse(err)
	}
	n, err := desk.CheckPublished(ctx, text, key)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Published, err)
	}
	fmt.Fprintf(con.out, "the ledger is what was published: %d checkpoints\n", n)
	return nil
}
