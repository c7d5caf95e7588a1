//go:build !race

package api

// buildFlags of the nodes of a cluster.
var buildFlags []string
