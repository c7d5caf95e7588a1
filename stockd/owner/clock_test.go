package owner

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestClockStaysWithinItsReadings draws readings with round trips of all lengths: the clock is never further from the ledger's than half the
// shortest recent round trip and the drift since, whatever this machine's own clock says, and it never goes back.
func TestClockStaysWithinItsReadings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zero := time.Unix(1_700_000_000, 0) // the ledger's time at 0
		c := Clock{base: zero.Add(time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "this machine is wrong by")))}
		var mono time.Duration
		var last time.Time
		for range rapid.IntRange(1, 30).Draw(t, "readings") {
			trip := time.Duration(rapid.Int64Range(1e5, 3e9).Draw(t, "round trip"))
			answered := time.Duration(rapid.Int64Range(0, int64(trip)).Draw(t, "answered after"))
			c.Reading(mono, mono+trip, zero.Add(mono+answered))
			mono += trip
			got := c.At(mono)
			if off := got.Sub(zero.Add(mono)); off.Abs() > c.Error(mono) && !got.Equal(last) {
				t.Fatalf("the clock is off by %v, the reading allows %v", off, c.Error(mono))
			}
			if got.Before(last) {
				t.Fatalf("the clock went back by %v", last.Sub(got))
			}
			last = got
			mono += time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "pause"))
		}
	})
}

// TestClockFollowsAStep: a close reading is kept against worse ones, until the ledger's clock was set.
func TestClockFollowsAStep(t *testing.T) {
	t.Parallel()
	zero := time.Unix(1_700_000_000, 0)
	c := Clock{base: zero.Add(-time.Hour)}
	if moved := c.Reading(time.Second, time.Second+2*time.Millisecond, zero.Add(time.Second+time.Millisecond)); moved != time.Hour {
		t.Errorf("the first reading moved the clock by %v, want 1h", moved)
	}
	if moved := c.Reading(2*time.Second, 2*time.Second+400*time.Millisecond, zero.Add(2*time.Second+10*time.Millisecond)); moved != 0 {
		t.Errorf("a slow reading moved the clock by %v", moved)
	}
	if got := c.At(3 * time.Second); got.Sub(zero.Add(3*time.Second)).Abs() > time.Millisecond {
		t.Errorf("after a slow reading the clock says %v", got)
	}
	ahead := zero.Add(30 * time.Second)
	c.Reading(3*time.Second, 3*time.Second+400*time.Millisecond, ahead.Add(3*time.Second+200*time.Millisecond))
	if got := c.At(4 * time.Second); got.Sub(ahead.Add(4*time.Second)).Abs() > time.Millisecond {
		t.Errorf("after the ledger's clock was set the clock says %v, want %v", got, ahead.Add(4*time.Second))
	}
}
