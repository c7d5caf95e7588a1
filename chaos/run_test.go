package chaos

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build makes the program of the nodes.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "stockd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "ticketrush/stockd").CombinedOutput(); err != nil {
		t.Fatalf("build stockd: %v\n%s", err, out)
	}
	return program
}

// TestPromisesAreKeptThroughAKillAndAHandOff is a small chaos run of real programs. How long the gaps are depends on the machine and is for
// `make chaos`; that no promise is broken does not.
func TestPromisesAreKeptThroughAKillAndAHandOff(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	r, err := Run(t.Context(), Options{Stockd: build(t), Faults: []string{"kill", "handoff"}, Seconds: 1, Buyers: 16, Rate: 300, Gentle: 200, Out: &said})
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	var report strings.Builder
	r.Write(&report)
	if len(r.Wrong) > 0 || len(r.Errors) > 0 || len(r.Lines) != 2 {
		t.Errorf("%s", &report)
	}
	if r.Checked < 1000 || r.Seats < 100 || r.Checks == 0 {
		t.Errorf("too little was looked at: %s", &report)
	}
	t.Logf("rooms: %+v", r.Rooms)
	if n := r.Rooms; n.Rooms != nodes || n.Passes < 50 || n.Renewals == 0 || n.Owners < nodes+2 || n.Most < n.Slots/2 {
		t.Errorf("too little happened in the rooms: %+v", n)
	}
	t.Logf("refunds: %+v", r.Refunds)
	if n := r.Refunds; n.Asked < 20 || n.Sent != n.Asked || n.Seats < 5 || n.Cancelled == 0 || n.CancelSent == 0 || r.Clearing == 0 {
		t.Errorf("too little went back: %+v", n)
	}
	if kill := r.Lines[0]; kill.Edge < kill.Calm || kill.Edge == 0 {
		t.Errorf("a killed node was not missed: %s", &report)
	}
	if !strings.Contains(report.String(), "porcupine: ok") {
		t.Errorf("the report does not say that the history is one: %s", &report)
	}
}

func TestUnknownFaultsAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Options{Faults: []string{"earthquake"}}); err == nil || !strings.Contains(err.Error(), "cut-bytes") {
		t.Errorf("%v does not say which there are", err)
	}
	if all, err := choose(nil); err != nil || len(all) != len(Faults()) {
		t.Errorf("%d faults, %v", len(all), err)
	}
}
