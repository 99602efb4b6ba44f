//go:build race

package interop

// raceFlags builds the programs under test with the race detector if the tests
// use it: a process that detects a race does not exit with 0.
var raceFlags = []string{"-race"}
