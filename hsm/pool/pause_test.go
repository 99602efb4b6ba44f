package pool

import (
	"testing"
	"time"
)

func TestPauseGrowsToItsLimit(t *testing.T) {
	if pause(0) != 0 {
		t.Error("the first attempt waits")
	}
	for n := 1; n < 100; n++ {
		full := min(firstPause<<min(n-1, 10), longestPause)
		if d := pause(n); d < full/2 || d > full || d > time.Second {
			t.Errorf("after %d failures %v", n, d)
		}
	}
}
