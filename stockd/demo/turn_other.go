//go:build !linux

package demo

import "context"

// turn does nothing here: two demos that start in the same second may want the same ports, and one of them says so.
func turn(context.Context) (release func(), err error) { return func() {}, nil }
