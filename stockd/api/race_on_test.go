//go:build race

package api

// buildFlags give the nodes of a cluster the race detector too: what they do at the same time is in them, not in the test.
var buildFlags = []string{"-race"}
