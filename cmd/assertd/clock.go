//go:build !clockshift

package main

import "time"

// now is the wall clock. The tag clockshift, which only tests build with, puts
// another in its place.
func now() time.Time { return time.Now() }
