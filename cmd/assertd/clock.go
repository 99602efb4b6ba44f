//go:build !clockshift

package main

import "time"

// now is the wall clock. Test builds replace it, with the tag clockshift.
var now = time.Now
