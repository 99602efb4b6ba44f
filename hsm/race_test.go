//go:build race

package hsm_test

// raceFactor is how much longer a scan may take under the race detector.
const raceFactor = 3
