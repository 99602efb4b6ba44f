//go:build !race

package hsm_test

const raceFactor = 1
