//go:build race

package interop

// raceFlags has the binaries under test look for races if this test does: a
// process that saw one doesn't exit with 0.
var raceFlags = []string{"-race"}
