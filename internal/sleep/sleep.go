// Package sleep has sleeps that end with a context.
package sleep

import (
	"context"
	"time"
)

// For sleeps for d. It returns false if ctx ended first.
func For(ctx context.Context, d time.Duration) bool { return UntilWoken(ctx, d, nil) }

// UntilWoken sleeps for d, or until wake is closed or receives. It returns
// false if ctx ended first.
func UntilWoken(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
