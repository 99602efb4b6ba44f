package freeze

import (
	"context"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/ipc"
)

// lookEvery is how often the board looks for freezes whose time is up: so late
// they end at most.
const lookEvery = time.Second

// Run saves the freezes, ends those whose time is up, and writes the records
// that could not be written, until ctx ends. It waits at most 2 seconds longer
// for the disk.
func (b *Board) Run(ctx context.Context) error {
	var saving sync.WaitGroup
	defer saving.Wait()
	saving.Go(func() { b.saver.run(ctx) })
	throttle := logging.NewThrottle(b.Now)
	for sleep.For(ctx, lookEvery) {
		b.writePending(ctx)
		for _, f := range b.list() {
			if err := b.expire(ctx, f); err != nil {
				throttle.Log(b.Logger.Error, "expire", "a freeze stays although its time is up, because its end can't be recorded", "target", f.String(), "error", err)
			}
		}
	}
	return nil
}

// expire ends a freeze whose time is up, once that is recorded.
func (b *Board) expire(ctx context.Context, f ipc.Freeze) error {
	if f.Until.IsZero() || b.Now().Before(f.Until) {
		return nil
	}
	if err := b.recordEnd(ctx, audit.KindFreezeEnd, self(), f); err != nil {
		return err
	}
	if ended, _ := b.remove(f, func() {}); ended {
		b.Logger.Warn("thawed, since the time of the freeze is up", "target", f.String())
	}
	return nil
}

// writePending writes the records that could not be written before, until one
// can't again.
func (b *Board) writePending(ctx context.Context) {
	b.mu.Lock()
	waiting := b.pending
	b.pending = nil
	b.mu.Unlock()
	for i, r := range waiting {
		if b.append(ctx, r) != nil {
			b.postpone(waiting[i:]...)
			return
		}
	}
}
