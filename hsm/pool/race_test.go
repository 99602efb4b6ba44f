//go:build race

package pool_test

// raceFactor is how much longer a start may take under the race detector.
const raceFactor = 3
