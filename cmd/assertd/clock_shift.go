//go:build clockshift

package main

import (
	"fmt"
	"os"
	"time"
)

// now is the wall clock shifted by ASSERTD_CLOCK_SHIFT, such as 2160h, so that
// scripts can go through years of rotations. A test checks that no release
// contains this file, which needs the tag clockshift.
func now() time.Time { return time.Now().Add(clockShift) }

var clockShift = readClockShift()

func readClockShift() time.Duration {
	text := os.Getenv("ASSERTD_CLOCK_SHIFT")
	if text == "" {
		return 0
	}
	shift, err := time.ParseDuration(text)
	if err != nil {
		panic(fmt.Sprintf("ASSERTD_CLOCK_SHIFT: %v", err))
	}
	fmt.Fprintf(os.Stderr, "assertd: test build: the clock is shifted by %s\n", shift)
	return shift
}
