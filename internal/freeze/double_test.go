package freeze_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer"
)

var (
	payments = ipc.FreezeTarget{Client: "payments-api"}
	bank     = ipc.FreezeTarget{Client: "payments-api", Grant: "bank"}
	keys     = ipc.FreezeTarget{Key: "payments"}
	all      = ipc.FreezeTarget{All: true}
	known    = []ipc.FreezeTarget{payments, bank, keys, {Client: "billing"}}

	operator = caller.Caller{UID: 1000, GID: 100, PID: 4711}

	errInjected = errors.New("injected")
)

// world is what a board works with: a signer and an audit log in memory, and a
// disk, with faults that a test chooses.
type world struct {
	mu      sync.Mutex
	frozen  signer.Frozen
	records []audit.Record
	logErr  error
	diskErr error
	content []byte        // of the file, if the disk is in memory
	hang    chan struct{} // while it is open, the disk does not answer
	writing int           // writes under way
	most    int           // as many as there ever were
}

func (w *world) Freeze(frozen signer.Frozen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = frozen
}

func (w *world) Append(_ context.Context, r audit.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.logErr == nil {
		w.records = append(w.records, r)
	}
	return w.logErr
}

func (w *world) Update(ctx context.Context, _ string, content []byte, _ fs.FileMode) (bool, error) {
	w.mu.Lock()
	hang := w.hang
	w.writing++
	w.most = max(w.most, w.writing)
	w.mu.Unlock()
	defer func() { w.mu.Lock(); w.writing--; w.mu.Unlock() }()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return false, atomicfile.ErrStuck
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.diskErr == nil {
		w.content = content
	}
	return true, w.diskErr
}

// fault sets the errors of the log and the disk.
func (w *world) fault(log, disk error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logErr, w.diskErr = log, disk
}

func (w *world) check(t *testing.T, want ...ipc.FreezeTarget) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := slices.Collect(maps.Keys(w.frozen))
	if len(got) != len(want) || slices.ContainsFunc(want, func(target ipc.FreezeTarget) bool { return !w.frozen[target] }) {
		t.Errorf("frozen %v, want %v", got, want)
	}
}

// kinds are the kinds of the records.
func (w *world) kinds() (kinds []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.records {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

// last returns the record that was written last.
func (w *world) last() audit.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.records[len(w.records)-1]
}

// disk returns the file, and how many writes there ever were at a time.
func (w *world) disk() (content string, most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.content), w.most
}

// realFiles replaces real files from this process.
type realFiles struct{}

func (realFiles) Update(_ context.Context, path string, content []byte, mode fs.FileMode) (bool, error) {
	return atomicfile.Update(path, content, mode)
}

// run makes a board whose disk is in memory, and runs it until the test ends.
func (w *world) run(t *testing.T) *freeze.Board {
	t.Helper()
	b := freeze.New(freeze.Options{
		Signer: w, Log: w, RecordRequired: true, File: "/freezes", Files: w, Host: "here", Now: time.Now, Logger: logging.Discard,
	})
	start(t, b)
	return b
}

// start runs a board until the test, or what it returns, ends that.
func start(t *testing.T, b *freeze.Board) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func mustFreeze(t *testing.T, b *freeze.Board, target ipc.FreezeTarget, seconds int64) ipc.FreezeResponse {
	t.Helper()
	response, err := b.Freeze(t.Context(), operator, ipc.FreezeRequest{FreezeTarget: target, ForSeconds: seconds, Reason: "key leaked"}, known)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func mustThaw(t *testing.T, b *freeze.Board, target ipc.FreezeTarget) ipc.ThawResponse {
	t.Helper()
	response, err := b.Thaw(t.Context(), operator, target)
	if err != nil {
		t.Fatal(err)
	}
	return response
}
