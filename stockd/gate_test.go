package main

import (
	"bufio"
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/gate"
	"ticketrush/stockd/order"
)

var gateKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// gateBundle is a bundle of an event that begins in an hour, in a file, and tickets for it.
func gateBundle(t *testing.T, tickets int) (path string, codes []string) {
	t.Helper()
	now := time.Now()
	b := gate.Bundle{Format: gate.Format, Event: uuid.New(), Slug: "night", Name: "Night", StartsAt: now.Add(time.Hour), ValidFrom: now.Add(-time.Hour), ValidUntil: now.Add(24 * time.Hour),
		AsOf: now, Names: "none", Types: []string{"adult"}, Keys: map[string][]byte{"1": gateKey.Public().(ed25519.PublicKey)}, Seats: map[string]string{"1": "N-1-1"}}
	for range tickets {
		codes = append(codes, order.TicketCode{KeyID: 1, Event: b.Event, Ticket: uuid.New(), Seat: 1, ValidFrom: now.Add(-time.Hour), ValidUntil: now.Add(time.Hour)}.Sign(gateKey))
	}
	path = filepath.Join(t.TempDir(), "gate.json")
	if err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	return path, codes
}

func TestGateCheck(t *testing.T) {
	t.Parallel()
	bundle, codes := gateBundle(t, 3)
	log := filepath.Join(t.TempDir(), "scans.log")
	at := []string{"gate", "check", "--bundle", bundle, "--log", log, "--gate", "north"}
	code, out, errs := stockd(t, append(at, codes[0], codes[1])...)
	if code != 0 || strings.Count(out, "GREEN  ok") != 2 || !strings.Contains(out, "N-1-1 adult: Let them in.") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	// A file of lines, one scanned before and one that is none.
	file := write(t, "codes", codes[2]+"\r\n\n"+codes[0]+"\nhello\n")
	code, out, _ = stockd(t, append(at, "-f", file)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 1 || len(lines) != 3 || !strings.HasPrefix(lines[0], "GREEN") || !strings.Contains(lines[1], "AMBER  again") || !strings.Contains(lines[1], "at gate north") || !strings.Contains(lines[2], "RED    unreadable") {
		t.Errorf("%d %s", code, out)
	}
	if code, out, _ = stockd(t, append(at, "--json", codes[0])...); code != 1 || !strings.Contains(out, `"result":"again"`) {
		t.Errorf("%d %s", code, out)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no bundle": {[]string{"gate", "check", "--bundle", bundle + ".none", "--log", log, "--gate", "n", "x"}, 3, "stockd gate fetch"},
		"no log":    {[]string{"gate", "check", "--bundle", bundle, "--log", write(t, "x", "hello\n"), "--gate", "n", "x"}, 3, "line 1 is not a scan"},
		"no name":   {[]string{"gate", "check", "--bundle", bundle, "--log", log, "x"}, 2, "--gate"},
		"bad name":  {[]string{"gate", "check", "--bundle", bundle, "--log", log, "--gate", " n", "x"}, 2, "visible letters"},
		"no file":   {append(at, "-f", file+".none"), 3, "read the codes"},
		"outside":   {[]string{"gate", "serve", "--bundle", bundle, "--log", log, "--gate", "n", "--listen", "192.0.2.1:1"}, 2, "an address of this device"},
	} {
		if code, _, errs := stockd(t, c.args...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%s: %d %s", name, code, errs)
		}
	}
}

func TestGateMerge(t *testing.T) {
	t.Parallel()
	bundle, codes := gateBundle(t, 2)
	north, south := filepath.Join(t.TempDir(), "n.log"), filepath.Join(t.TempDir(), "s.log")
	for log, gate := range map[string]string{north: "north", south: "south"} {
		if code, out, errs := stockd(t, "gate", "check", "--bundle", bundle, "--log", log, "--gate", gate, codes[0]); code != 0 {
			t.Fatal(code, out, errs)
		}
	}
	merged := filepath.Join(t.TempDir(), "merged.log")
	code, out, errs := stockd(t, "gate", "merge", "--out", merged, south, north, south)
	if code != 1 || strings.Count(out, "again at gate") != 1 || !strings.Contains(errs, "2 scans of 1 tickets, 1 of them again") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	if code, again, _ := stockd(t, "gate", "merge", north, merged); code != 1 || again != out {
		t.Errorf("merged again: %d %s", code, again)
	}
	if code, out, _ := stockd(t, "gate", "check", "--bundle", bundle, "--log", merged, "--gate", "west", codes[0], codes[1]); code != 1 || !strings.Contains(out, "AMBER") || !strings.Contains(out, "GREEN") {
		t.Errorf("%d %s", code, out)
	}
}

// TestGateIsKilled: what was answered is in the log, however the process ends.
func TestGateIsKilled(t *testing.T) {
	t.Parallel()
	const before = 40
	bundle, codes := gateBundle(t, before+1)
	log := filepath.Join(t.TempDir(), "scans.log")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program, "gate", "check", "--bundle", bundle, "--log", log, "--gate", "north")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(out)
	for i := range before {
		if _, err := fmt.Fprintln(in, codes[i]); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !strings.HasPrefix(answers.Text(), "GREEN") {
			t.Fatalf("scan %d: %s", i, answers.Text())
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	scans, err := gate.ReadLog(log)
	if err != nil || len(scans) != before {
		t.Fatalf("%d scans of %d are in the log, %v", len(scans), before, err)
	}
	if code, said, errs := stockd(t, "gate", "check", "--bundle", bundle, "--log", log, "--gate", "south", codes[before], codes[0]); code != 1 || !strings.Contains(said, "GREEN") || !strings.Contains(said, "at gate north") {
		t.Errorf("%d %s %s", code, said, errs)
	}
}
