//go:build !race

package pool_test

const raceFactor = 1
