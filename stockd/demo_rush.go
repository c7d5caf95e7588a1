package main

import (
	"context"
	"fmt"

	"ticketrush/stockd/demo"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/rush"
)

// rush sends the crowd, then compares what the fans were promised with what the ledger says.
func (c *demoCommand) rush(ctx context.Context, con console, d *demo.Demo, crowd rush.Config) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-d.Died():
			cancel(err)
		case <-ctx.Done():
		}
	}()
	fmt.Fprintf(con.out, "\n%d fans are on their way\n", crowd.Fans)
	s, err := sendCrowd(ctx, con, crowd, c.Report)
	if err != nil {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	fmt.Fprintln(con.out, "\nreconciling the ledger")
	ok, err := addsUp(ctx, con, d.DSN(), reconcileOptions{event: crowd.Event})
	if err != nil {
		return err
	}
	if !ok || !s.OK() {
		fmt.Fprintln(con.out, "\nNOT everything holds, see above.")
		return failure.Told(failure.Failed)
	}
	fmt.Fprintln(con.out, "\nEverything holds: every seat, payment and ticket is where it belongs.")
	return nil
}
