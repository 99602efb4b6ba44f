package sleep

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if !For(t.Context(), time.Minute) || time.Since(start) != time.Minute {
			t.Errorf("slept for %v", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if For(ctx, time.Minute) || time.Since(start) != time.Second {
			t.Errorf("the context ended, and it slept for %v", time.Since(start))
		}
		if For(ctx, 0) {
			t.Error("the context had ended before")
		}
		wake := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(wake) })
		start = time.Now()
		if !UntilWoken(t.Context(), time.Minute, wake) || time.Since(start) != time.Second {
			t.Errorf("it was woken, and slept for %v", time.Since(start))
		}
	})
}
