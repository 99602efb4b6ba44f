package ratelimit

import (
	"context"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/sleep"
)

// SaveEvery is how often a [Saver] saves. A crash gives back what was spent
// since the last save.
const SaveEvery = 5 * time.Second

// Saver saves what was spent while the daemon runs.
type Saver struct {
	Limiter *Limiter
	Path    string
	Files   Files
	Now     func() time.Time // the wall clock
	Logger  logging.Logger
}

// Save saves once, and waits for the disk until ctx ends.
func (s *Saver) Save(ctx context.Context) error {
	return s.Limiter.Save(ctx, s.Files, At(s.Now()), s.Path)
}

// Run saves every [SaveEvery], and once more when ctx ends. It starts no save
// before the last one is done, and ends at most 2 seconds after ctx, whatever
// the disk does.
func (s *Saver) Run(ctx context.Context) error {
	outliving, cancel := atomicfile.Outlive(ctx)
	defer cancel()
	for running := true; running; {
		running = sleep.For(ctx, SaveEvery)
		if err := s.Save(outliving); err != nil {
			s.Logger.Error("budgets not saved", "error", err)
		}
	}
	return nil
}
