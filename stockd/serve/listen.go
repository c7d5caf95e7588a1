package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"ticketrush/stockd/failure"
)

// Listen binds a TCP address; setting names what to change when it cannot be had.
func Listen(ctx context.Context, addr, setting string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, failure.ByAbsence(fmt.Errorf("%s: another process has %s already; stop that process (ss -ltnp shows it), or change %s", setting, addr, setting))
	case errors.Is(err, syscall.EACCES):
		return nil, failure.ByAbsence(fmt.Errorf("%s: not allowed to listen on %s; take a port over 1023, or change %s", setting, addr, setting))
	case err != nil:
		return nil, failure.ByAbsence(fmt.Errorf("%s: listen on %s: %w; change %s to an address of this machine", setting, addr, err, setting))
	}
	return l, nil
}

// NewServer is an HTTP server with the limits that all our listeners have. It has no write timeout: streams are long.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 16 << 10}
}

// HTTP serves until the context ends, then lets requests finish.
func HTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	server := NewServer(h)
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
