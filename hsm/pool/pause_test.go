package pool

import (
	"context"
	"testing"
	"testing/synctest"
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

// TestRefusedPINWaitsForReset: a token may lock after three attempts, so time
// is no reason for another.
func TestRefusedPINWaitsForReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reset, ended := make(chan struct{}), make(chan bool, 1)
		go func() { ended <- retry(t.Context(), 0, false, reset) }()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		select {
		case <-ended:
			t.Error("the refused PIN is tried again")
		default:
		}
		close(reset)
		if !<-ended {
			t.Error("no attempt after Reset")
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if retry(ctx, 0, false, nil) {
			t.Error("an attempt after the end of the context")
		}
	})
}
