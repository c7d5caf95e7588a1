package main

import (
	"context"
	"fmt"

	"ticketrush/stockd/serve"
	"ticketrush/stockd/site"
)

type siteCommand struct {
	Addr    string `default:"127.0.0.1:7401" placeholder:"HOST:PORT" help:"Where to listen (${default})."`
	Room    string `default:"demo" help:"The waiting room in front of /buy/; empty for none (${default})."`
	Event   string `default:"arena" help:"The event on sale (${default})."`
	Title   string `help:"What people read until the event is loaded."`
	Account string `placeholder:"PATH" help:"The address of your site that answers with the account token of whoever is signed in; empty: no accounts."`
	SignIn  string `placeholder:"PATH" help:"Where people sign in; it is given the way back as ?return=."`
}

// Run serves the shop until it is told to stop.
func (s *siteCommand) Run(ctx context.Context, con console) error {
	l, err := serve.Listen(ctx, s.Addr, "--addr")
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "the shop is at http://%s/\n", l.Addr())
	return serve.HTTP(ctx, l, site.Handler(site.Config{Room: s.Room, Event: s.Event, Title: s.Title, Account: s.Account, SignIn: s.SignIn}))
}
