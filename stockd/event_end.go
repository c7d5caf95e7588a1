package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"ticketrush/ledger/money"
	"ticketrush/stockd/failure"
)

type eventCancel struct {
	eventName
	Reason string        `required:"" help:"Why: buyers and finance read it."`
	Wait   bool          `default:"true" negatable:"" help:"Show how far the refunds are until the last one is sent; --no-wait returns at once."`
	Every  time.Duration `default:"1s" help:"How often to ask."`
}

// cancellationView is how far the refunds of a cancelled event are.
type cancellationView struct {
	Open       int64  `json:"open"`
	Refunds    int64  `json:"refunds"`
	Sent       int64  `json:"sent"`
	Failed     int64  `json:"failed"`
	Amount     int64  `json:"amount"`
	AmountSent int64  `json:"amount_sent"`
	Currency   string `json:"currency"`
	FinishedAt string `json:"finished_at"`
}

func (c *cancellationView) String() string {
	text := fmt.Sprintf("%d refunds decided, %s %s; %d sent, %s %s; %d orders open", c.Refunds, money.Format(c.Amount, c.Currency), c.Currency, c.Sent,
		money.Format(c.AmountSent, c.Currency), c.Currency, c.Open)
	if c.Failed > 0 {
		text += fmt.Sprintf("; %d could not be sent and are tried again", c.Failed)
	}
	return text
}

// Run cancels the event, or goes on watching when it was cancelled before. Its end does not stop the refunds: nodes work them off.
func (e *eventCancel) Run(ctx context.Context, con console) error {
	if e.Every <= 0 {
		return failure.ByMisuse(fmt.Errorf("--every is %s, it has to be longer than nothing", e.Every))
	}
	body, err := json.Marshal(map[string]string{"reason": e.Reason})
	if err != nil {
		return err
	}
	got, err := e.call(ctx, http.MethodPost, e.path()+"/cancellation", "application/json", body, nil)
	if err != nil {
		return err
	}
	if got.status == http.StatusOK {
		fmt.Fprintf(con.out, "%s was cancelled before\n", e.Event)
	} else {
		fmt.Fprintf(con.out, "%s is cancelled: holds and payments are refused, tickets void, and everybody gets their money back\n", e.Event)
	}
	tick := time.NewTicker(e.Every)
	defer tick.Stop()
	last := ""
	for {
		var view cancellationView
		if err := decode(got.body, &view); err != nil {
			return err
		}
		if text := view.String(); text != last {
			fmt.Fprintln(con.out, text)
			last = text
		}
		if view.FinishedAt != "" {
			fmt.Fprintln(con.out, "everything has gone back")
			return nil
		}
		if !e.Wait {
			fmt.Fprintln(con.out, "the nodes go on; run this again to see how far they are")
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			fmt.Fprintln(con.out, "the nodes go on; run this again to see how far they are")
			return nil
		}
		if got, err = e.call(ctx, http.MethodGet, e.path()+"/cancellation", "", nil, nil); err != nil {
			return err
		}
	}
}

type eventPostpone struct {
	eventName
	StartsAt     time.Time `required:"" format:"2006-01-02T15:04:05Z07:00" help:"When it takes place instead, as in 2027-05-01T19:30:00Z."`
	RefundsUntil time.Time `format:"2006-01-02T15:04:05Z07:00" help:"Until when buyers may give their tickets back by themselves."`
}

// Run moves the event to another date.
func (e *eventPostpone) Run(ctx context.Context, con console) error {
	wish := map[string]time.Time{"starts_at": e.StartsAt}
	if !e.RefundsUntil.IsZero() {
		wish["refunds_until"] = e.RefundsUntil
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return err
	}
	got, err := e.call(ctx, http.MethodPost, e.path()+"/postponement", "application/json", body, nil)
	if err != nil {
		return err
	}
	var ev eventView
	if err := decode(got.body, &ev); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "%s starts %s\n", ev.Slug, ev.StartsAt)
	return nil
}
