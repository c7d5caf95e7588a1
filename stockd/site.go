package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

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
	l, err := listen(ctx, s.Addr, "--addr")
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "the shop is at http://%s/\n", l.Addr())
	return serveHTTP(ctx, l, site.Handler(site.Config{Room: s.Room, Event: s.Event, Title: s.Title, Account: s.Account, SignIn: s.SignIn}))
}

// listen binds a TCP address; setting names what to change when it cannot be had.
func listen(ctx context.Context, addr, setting string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, missing(fmt.Errorf("%s: another process has %s already; stop that process (ss -ltnp shows it), or change %s", setting, addr, setting))
	case errors.Is(err, syscall.EACCES):
		return nil, missing(fmt.Errorf("%s: not allowed to listen on %s; take a port over 1023, or change %s", setting, addr, setting))
	case err != nil:
		return nil, missing(fmt.Errorf("%s: listen on %s: %w; change %s to an address of this machine", setting, addr, err, setting))
	}
	return l, nil
}

// newServer is an HTTP server with the limits that all our listeners have. It has no write timeout: streams are long.
func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 16 << 10}
}

// serveHTTP serves until the context ends, then lets requests finish.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	server := newServer(h)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close()
		}
	}()
	err := server.Serve(l)
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	<-stopped
	return nil
}
