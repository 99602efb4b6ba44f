// Package memory decides how much memory the daemon takes: how far the heap may
// grow before a collection, and what a control group allows.
package memory

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// The heap may grow by room before a collection, but to no more than five times
// the live data. With the runtime's default, the collector runs some fifty
// times a second under load, and takes a tenth of the front's CPU time. Room is
// fixed because with many clients, five times the live data is hundreds of
// megabytes.
const (
	room        = 64 << 20 // bytes
	mostPercent = 400
	// tightPercent is the runtime's default, for work that makes much garbage.
	tightPercent = 100
)

// Tighten makes collections frequent until Settle. It is for reading a
// configuration, which makes ten times as much garbage as it returns.
func Tighten() { setPercent(tightPercent) }

// Settle returns unused memory to the system, and sets the collector's pace for
// the data that is left. It takes as long as a collection.
func Settle() {
	debug.FreeOSMemory()
	setPercent(percent(live()))
}

// setPercent does nothing where the environment has GOGC, which takes
// precedence.
func setPercent(p int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(p)
	}
}

func percent(live uint64) int {
	return int(min(mostPercent, room*100/max(live, 1)))
}

// live returns the bytes of the heap that the last collection found in use.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
