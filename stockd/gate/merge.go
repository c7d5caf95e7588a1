package gate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/google/uuid"
)

// Double is a scan of a ticket that was scanned before.
type Double struct {
	First Scan `json:"first"`
	Again Scan `json:"again"`
}

// Merge puts logs together: every scan once, in order of time, gate and ticket. The order of the logs does not matter, nor how often one is given.
func Merge(logs ...[]Scan) []Scan {
	all := slices.Concat(logs...)
	slices.SortFunc(all, Scan.compare)
	return slices.CompactFunc(all, func(a, b Scan) bool { return a.compare(b) == 0 })
}

// Doubles are the scans of a merged log that are not the first of their ticket, each once, in order.
func Doubles(merged []Scan) (doubles []Double) {
	first := map[uuid.UUID]Scan{}
	for _, s := range merged {
		if f, ok := first[s.Ticket]; ok {
			doubles = append(doubles, Double{First: f, Again: s})
			continue
		}
		first[s.Ticket] = s
	}
	slices.SortStableFunc(doubles, func(a, b Double) int { return cmp.Or(a.Again.compare(b.Again), a.First.compare(b.First)) })
	return doubles
}

// WriteLog writes scans as a log to a new file.
func WriteLog(path string, scans []Scan) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the merged log: %w", err)
	}
	e := json.NewEncoder(f)
	for _, s := range scans {
		if err := e.Encode(s.plain()); err != nil {
			_ = f.Close()
			return fmt.Errorf("write the merged log: %w", err)
		}
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return fmt.Errorf("write the merged log: %w", err)
	}
	return f.Close()
}
