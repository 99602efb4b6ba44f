package freeze

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/logging"
)

// retryEvery is how soon a write that failed is tried again.
const retryEvery = 5 * time.Second

// errWaiting is why a write that has not ended is not saved.
var errWaiting = errors.New("the disk has not answered yet")

// saver writes the newest content to a file, with one write at a time: a disk
// that hangs must not collect processes that wait for it.
type saver struct {
	file   string
	files  Files
	logger logging.Logger
	wake   chan struct{}

	mu        sync.Mutex
	content   []byte
	wanted    uint64        // revision of content
	saved     uint64        // newest revision on the disk
	attempted uint64        // newest revision whose write has ended
	err       error         // of that write
	ended     chan struct{} // closed when a write ends
}

func newSaver(file string, files Files, logger logging.Logger) *saver {
	return &saver{file: file, files: files, logger: logger, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// want makes run write content. It returns its revision.
func (s *saver) want(content []byte) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.content = content
	s.wanted++
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return s.wanted
}

// wait waits until a revision, or a newer one, is saved, or a write of it has
// failed.
func (s *saver) wait(ctx context.Context, revision uint64) error {
	for {
		s.mu.Lock()
		saved, attempted, err, ended := s.saved, s.attempted, s.err, s.ended
		s.mu.Unlock()
		switch {
		case saved >= revision:
			return nil
		case attempted >= revision:
			return err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return errWaiting
		}
	}
}

// problem is why the newest revision is not saved, "" if it is.
func (s *saver) problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.saved >= s.wanted:
		return ""
	case s.err != nil:
		return s.err.Error()
	}
	return errWaiting.Error()
}

// run writes until ctx ends, and then what is left for at most 2 seconds more.
func (s *saver) run(ctx context.Context) {
	if s.file == "" {
		return
	}
	outliving, cancel := atomicfile.Outlive(ctx)
	defer cancel()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-s.wake:
		case <-retry.C:
		}
		if s.save(outliving) != nil {
			retry.Reset(retryEvery)
		}
	}
}

func (s *saver) save(ctx context.Context) error {
	s.mu.Lock()
	content, revision, done := s.content, s.wanted, s.saved >= s.wanted
	s.mu.Unlock()
	if done {
		return nil
	}
	_, err := s.files.Update(ctx, s.file, content, 0o600)
	if err != nil {
		err = fmt.Errorf("save freezes: %w", err)
		s.logger.Error("freezes are not saved; a restart thaws what is not in the file", "file", s.file, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempted, s.err = revision, err
	if err == nil {
		s.saved = revision
	}
	close(s.ended)
	s.ended = make(chan struct{})
	return err
}
