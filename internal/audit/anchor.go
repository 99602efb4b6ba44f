package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/trustpath"
)

// anchor keeps the newest checkpoint in a file on another file system. Someone
// who puts an older copy of the log back leaves the newer anchor in place.
type anchor struct {
	path string

	mu      sync.Mutex
	held    bool          // the log was not compared with the file yet
	newest  int64         // size of the newest checkpoint that came
	had     []int64       // sizes that the file may have had before the attempts that failed
	tried   []int64       // sizes of those attempts
	next    *signature    // the checkpoint to store after the current one
	storing chan struct{} // closed when there is nothing left to store; nil before
	cleaned bool          // what a killed process left was removed; only run uses it
	err     error         // of the last attempt
}

// newAnchor returns nil if there is no path.
func newAnchor(path string) *anchor {
	if path == "" {
		return nil
	}
	return &anchor{path: path}
}

// store replaces the anchor's checkpoint in the background, so that a stuck
// file system holds up nothing. If it falls behind, it stores only the newest.
// Checkpoints may come out of order, because each waits for a sync of its own.
func (a *anchor) store(s *signature) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.checkpoint.Size < a.newest {
		return
	}
	a.newest, a.next = s.checkpoint.Size, s
	a.begin()
}

// begin stores what is next. The caller holds mu.
func (a *anchor) begin() {
	if a.held || a.next == nil || a.storing != nil && !isClosed(a.storing) {
		return
	}
	a.storing = make(chan struct{})
	go a.run(a.storing)
}

// hold keeps the file as it is until release. If the log was rolled back, the
// file is what shows it.
func (a *anchor) hold() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = true
}

func (a *anchor) release() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = false
	a.begin()
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (a *anchor) run(ended chan struct{}) {
	for s := a.take(ended); s != nil; s = a.take(ended) {
		err := a.replace(s.note)
		a.mu.Lock()
		if a.err = err; err == nil {
			a.had, a.tried = []int64{s.checkpoint.Size}, nil
		}
		a.mu.Unlock()
	}
}

func (a *anchor) replace(note []byte) error {
	if !a.cleaned {
		if err := atomicfile.RemoveLeftovers(a.path, 0); err != nil {
			return err
		}
		a.cleaned = true
	}
	return atomicfile.Replace(a.path, note, 0o600)
}

// take returns what to store next. If that is nothing, it ends the run.
func (a *anchor) take(ended chan struct{}) *signature {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.next
	a.next = nil
	if s == nil {
		close(ended)
		return nil
	}
	a.tried = append(a.tried[max(0, len(a.tried)-1):], s.checkpoint.Size) // the last two
	return s
}

// may reports whether the file may have a checkpoint of this size, now or once
// what is under way has ended.
func (a *anchor) may(size int64) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.had, size) || slices.Contains(a.tried, size) || size >= a.newest
}

// mayHave notes the sizes that the log kept for an anchor that is missing. Its
// file system may be back later.
func (a *anchor) mayHave(pins []*pin) {
	if a == nil {
		return
	}
	for _, p := range pins {
		a.had = append(a.had, p.tree.size)
	}
}

// wait waits until the newest checkpoint is stored, or for two seconds if the
// file system is stuck.
func (a *anchor) wait() {
	if a == nil {
		return
	}
	a.mu.Lock()
	storing := a.storing
	a.mu.Unlock()
	if storing == nil {
		return
	}
	select {
	case <-storing:
	case <-time.After(2 * time.Second):
	}
}

// problem says why the newest checkpoint is not in the file, or returns "".
func (a *anchor) problem() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		return ""
	}
	return a.err.Error()
}

// warnIfShared warns about an anchor that is restored together with the log.
func (o *Options) warnIfShared() {
	var log, anchor unix.Stat_t
	if o.Anchor == "" || unix.Stat(filepath.Dir(o.File), &log) != nil || unix.Stat(filepath.Dir(o.Anchor), &anchor) != nil {
		return
	}
	if log.Dev == anchor.Dev {
		o.Logger.Warn("the anchor is on the file system of the audit log, so a snapshot of it restores both; "+
			"move audit.anchor to another file system", "file", o.File, "anchor", o.Anchor)
	}
}

// maxAnchor is the maximum size of an anchor: a checkpoint with the signatures
// of many witnesses.
const maxAnchor = 1 << 20

// readAnchor returns the checkpoint of an anchor; ok is false if there is none
// yet. The signature does not matter: a forged anchor can only stop the daemon.
func readAnchor(trust trustpath.Rules, path string, limit time.Duration) (c Checkpoint, ok bool, err error) {
	if path == "" {
		return c, false, nil
	}
	text, err := answerWithin(limit, func() ([]byte, error) {
		if _, err := trust.Check(path, trustpath.Written); err != nil {
			return nil, err
		}
		return trust.Read(path, trustpath.File, maxAnchor)
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, false, nil
	case errors.Is(err, trustpath.ErrUntrusted):
		return c, false, fmt.Errorf("%w: the anchor: %w", ErrUnsafe, err)
	case errors.Is(err, errNoAnswer):
		return c, false, fmt.Errorf("audit: read the anchor %s: %w; see whether its file system is mounted and answers", path, err)
	}
	if err == nil {
		c, _, err = OpenCheckpoint(text, nil)
	}
	if err != nil {
		return c, false, fmt.Errorf("audit: read the anchor %s: %w; restore it, or remove it to start a new one", path, err)
	}
	return c, true, nil
}
