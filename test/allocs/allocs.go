// Package allocs limits what code on the path of a request allocates. More
// allocations mean more work for every assertion, and unlike times they are the
// same on every machine.
package allocs

import "testing"

const (
	attempts = 5
	runs     = 20
)

// AtMost fails the test if f allocates more often than that. It counts the
// allocations of the whole process, so the lowest of several averages counts:
// something else may allocate meanwhile. The test needs the build tag !race,
// because the race detector makes sync.Pool forget at random.
func AtMost(t *testing.T, most float64, f func()) {
	t.Helper()
	least := testing.AllocsPerRun(runs, f)
	for range attempts - 1 {
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	if least > most {
		t.Errorf("%v allocations; want at most %v. If the change is worth it, raise the limit", least, most)
	}
}
