package owner

import (
	"errors"
	"fmt"
	"time"
)

// Config sets up a Core. The zero value of each setting means its default.
type Config struct {
	// Node is this node's id. Required; the same after a restart, so that the node takes its own partitions back at once.
	Node string
	// SessionTTL is the life of a session without renewal. Default 3 s: what a crash costs. Longer tolerates longer stalls of the ledger.
	SessionTTL time.Duration
	// RenewEvery is the time from one renewal to the next. Default SessionTTL/3, so that two may fail.
	RenewEvery time.Duration
	// Guard is how long before the end of a session promising stops, on top of 0.5 % for drift. Default SessionTTL/10.
	Guard time.Duration
	// Lanes is the number of flush lanes. Default 2; a partition's lane is its number modulo Lanes.
	Lanes int
	// Linger is how long the first operation of a batch waits for more. Default: for what comes at the same time and no longer. While a batch is in
	// flight the next one gathers anyway; an operating system's timer makes a millisecond or two out of any shorter wait.
	Linger time.Duration
	// BatchMax is the most operations of a batch. Default 128.
	BatchMax int
	// QueueMax is the most requests that wait for one partition while it moves or the ledger is away. Default 256.
	QueueMax int
	// QueueTotal is the most requests that a node keeps in all, waiting or under way. Default 8192.
	QueueTotal int
	// QueueWait is how long a request may wait for its answer. Default 2 s.
	QueueWait time.Duration
	// ClaimEvery is the time between claims for partitions that somebody else still has. Default 100 ms, growing to ten times that.
	ClaimEvery time.Duration
	// BalanceAfter is how long the view must be stable before a partition with stock moves for balance. Default 10 s.
	BalanceAfter time.Duration
	// EmptyAfter is the same for partitions without stock, which move unnoticed and without limit. Default 300 ms.
	EmptyAfter time.Duration
	// BalanceMax is how many partitions with stock are in hand-off at once. Default 8.
	BalanceMax int
	// MoveCooldown is how long a partition with stock stays where it came to. Default 60 s.
	MoveCooldown time.Duration
	// HotRate is from how many operations per second on a partition is in a rush. Default 50.
	HotRate int
	// HotStay is for how long from the beginning of a rush its partition does not move for balance. Default 5 min.
	HotStay time.Duration
	// ChangedEvery is the time between reports of changed counts. Default 200 ms.
	ChangedEvery time.Duration
}

const (
	movesPerSecond = 64  // of partitions with stock, in the whole cluster
	loadChunk      = 256 // partitions of one Load
	releaseChunk   = 512 // partitions of one Release
	houseEvery     = 50 * time.Millisecond
	expireMax      = 64  // expiries of one segment at a time
	legsMax        = 256 // legs that are asked about at a time
	holdQueueMax   = 16  // commands that wait for one hold
	lanePendingMax = 2048
	suspectsMax    = 1024
	resendFirst    = 20 * time.Millisecond
	resendMax      = 100 * time.Millisecond
	strikeFirst    = 200 * time.Millisecond
	strikeMax      = 10 * time.Second
	retryMoving    = 20 * time.Millisecond
	retryAway      = 500 * time.Millisecond
)

func (c Config) withDefaults() (Config, error) {
	var problems []error
	if c.Node == "" {
		problems = append(problems, errors.New("the node id is empty"))
	}
	for _, d := range []struct {
		name string
		at   *time.Duration
		def  time.Duration
	}{
		{"session TTL", &c.SessionTTL, 3 * time.Second}, {"linger", &c.Linger, time.Nanosecond},
		{"queue wait", &c.QueueWait, 2 * time.Second}, {"claim interval", &c.ClaimEvery, 100 * time.Millisecond},
		{"balance delay", &c.BalanceAfter, 10 * time.Second}, {"empty delay", &c.EmptyAfter, 300 * time.Millisecond},
		{"move cooldown", &c.MoveCooldown, time.Minute}, {"stay of what is hot", &c.HotStay, 5 * time.Minute},
		{"changed interval", &c.ChangedEvery, 200 * time.Millisecond},
	} {
		if *d.at < 0 {
			problems = append(problems, fmt.Errorf("the %s is negative: %v", d.name, *d.at))
		}
		if *d.at == 0 {
			*d.at = d.def
		}
	}
	for _, n := range []struct {
		name string
		at   *int
		def  int
	}{{"lanes", &c.Lanes, 2}, {"batch size", &c.BatchMax, 128}, {"queue size", &c.QueueMax, 256}, {"total queue size", &c.QueueTotal, 8192}, {"balance moves", &c.BalanceMax, 8}, {"operations of a hot partition", &c.HotRate, 50}} {
		if *n.at < 0 {
			problems = append(problems, fmt.Errorf("the number of %s is negative: %d", n.name, *n.at))
		}
		if *n.at == 0 {
			*n.at = n.def
		}
	}
	if c.RenewEvery <= 0 {
		c.RenewEvery = c.SessionTTL / 3
	}
	if c.Guard <= 0 {
		c.Guard = c.SessionTTL / 10
	}
	if c.RenewEvery+c.Guard >= c.SessionTTL {
		problems = append(problems, fmt.Errorf("a session of %v cannot be renewed every %v with a guard of %v", c.SessionTTL, c.RenewEvery, c.Guard))
	}
	return c, errors.Join(problems...)
}
