package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ticketrush/room/openlog"
)

// drawSource is where a published draw is: a file or an address.
type drawSource struct {
	ctx  context.Context
	name string
}

// logSource is where a log is: an address that ends with a slash, or a folder.
type logSource struct {
	ctx  context.Context
	name string
}

// sources gives where the draw and the log are; the log is nil where there is none to look at. The address of a room is also that of both.
func (v *verifyCommand) sources(ctx context.Context) (*drawSource, *logSource, error) {
	d, l := v.Draw, v.Log
	if isAddress(d) {
		base := strings.TrimSuffix(strings.TrimSuffix(d, "log/draw"), "/") + "/"
		d = base + "log/draw"
		if l == "" {
			l = base + "log/"
		}
	}
	if l == "" || l == noLog {
		return &drawSource{ctx, d}, nil, nil
	}
	if isAddress(l) {
		l = strings.TrimSuffix(l, "/") + "/"
	} else if info, err := os.Stat(l); err != nil || !info.IsDir() {
		return nil, nil, fmt.Errorf("--log: there is no folder %s", l)
	}
	return &drawSource{ctx, d}, &logSource{ctx, l}, nil
}

func isAddress(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

func (s *drawSource) String() string { return s.name }

func (s *drawSource) open() (io.ReadCloser, error) {
	if isAddress(s.name) {
		return get(s.ctx, s.name)
	}
	return os.Open(s.name)
}

func (s *logSource) String() string { return s.name }

// Read implements openlog.Source.
func (s *logSource) Read(path string) ([]byte, error) {
	if !isAddress(s.name) {
		return readSmall(filepath.Join(s.name, filepath.FromSlash(path)), openlog.BundleMax)
	}
	body, err := get(s.ctx, s.name+path)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return readUpTo(body, s.name+path, openlog.BundleMax)
}

// answerMax is how long a server may take to begin an answer. How long a large draw then takes is the line's.
const answerMax = 30 * time.Second

var publicHTTP = func() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = answerMax
	return &http.Client{Transport: transport}
}()

// get opens what an address answers. What is not there is fs.ErrNotExist.
func get(ctx context.Context, address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := publicHTTP.Do(req)
	if err != nil {
		return nil, err
	}
	switch res.StatusCode {
	case http.StatusOK:
		return res.Body, nil
	case http.StatusNotFound, http.StatusGone:
		err = fmt.Errorf("%s: %w", address, fs.ErrNotExist)
	default:
		err = fmt.Errorf("%s answers %s", address, res.Status)
	}
	res.Body.Close()
	return nil, err
}
