package jwks

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
)

// fileMode of a JWKS file: it is public.
const fileMode = 0o644

// slowWrite is how long a write of the file can take before it counts as a
// failure.
const (
	slowWrite = 10 * time.Second
	slowError = "the JWKS file is still being written; check its disk"
)

// Files replaces files. [atomicfile.Writer] does it without tying this process
// to the disk.
type Files interface {
	// Update replaces a file unless it has this content and mode, and reports
	// whether it did. Readers see the whole old file or the whole new one, even
	// after a crash. It waits for the disk until ctx ends.
	Update(ctx context.Context, path string, content []byte, mode fs.FileMode) (changed bool, err error)
}

// setFile keeps a file current. A disk that hangs delays only the file: one
// write is under way at most, and the newest set comes next.
type setFile struct {
	path     string
	files    Files
	now      func() time.Time
	logger   logging.Logger
	throttle *logging.Throttle
	next     chan Set
	outcome  atomic.Pointer[ipc.JWKSStatus] // of the last write
	since    atomic.Pointer[time.Time]      // when the write under way began; nil for none
}

func newSetFile(c PublicationConfig, now func() time.Time) *setFile {
	f := &setFile{
		path: c.File, files: c.Files, now: now, logger: c.Logger, throttle: logging.NewThrottle(now), next: make(chan Set, 1),
	}
	f.outcome.Store(&ipc.JWKSStatus{})
	return f
}

// put makes run write a set, and forget one that it has not begun to write.
// Only one goroutine may call it.
func (f *setFile) put(set Set) {
	select {
	case <-f.next:
	default:
	}
	f.next <- set
}

// run writes until ctx ends. What was put by then it still writes, if the disk
// answers soon.
func (f *setFile) run(ctx context.Context) {
	outliving, cancel := atomicfile.Outlive(ctx)
	defer cancel()
	for {
		select {
		case set := <-f.next:
			f.write(outliving, set)
			continue
		default:
		}
		select {
		case set := <-f.next:
			f.write(outliving, set)
		case <-ctx.Done():
			return
		}
	}
}

func (f *setFile) write(ctx context.Context, set Set) {
	began := f.now()
	f.since.Store(&began)
	defer f.since.Store(nil)
	changed, err := f.files.Update(ctx, f.path, set.JSON(), fileMode)
	if err != nil {
		failed := *f.outcome.Load()
		failed.Error = "write the JWKS file: " + err.Error()
		f.outcome.Store(&failed)
		f.throttle.Log(f.logger.Error, "jwks file", "jwks file not written; its readers keep the previous keys", "error", err)
		return
	}
	if changed {
		f.logger.Info("jwks file written", "file", f.path, "keys", set.Len())
	}
	f.outcome.Store(&ipc.JWKSStatus{Published: f.now(), Keys: set.Len(), Digest: set.Digest()})
}

// status is the outcome of the last write, or a failure if one has been under
// way for long.
func (f *setFile) status() ipc.JWKSStatus {
	s := *f.outcome.Load()
	if began := f.since.Load(); began != nil && f.now().Sub(*began) > slowWrite {
		s.Error = slowError
	}
	return s
}

// LastPublished returns the keys that an earlier run left in a file. It returns
// nil if file is "" or can't be read: then the daemon can't tell which keys
// were lost since, nor which versions receivers had dropped.
func LastPublished(file string, trust trustpath.Rules, logger logging.Logger) []Key {
	if file == "" {
		return nil
	}
	text, err := trust.Read(file, trustpath.File, MaxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var set Set
	if err == nil {
		set, err = ParseSet(text)
	}
	if err != nil {
		logger.Warn("could not read the jwks file; the daemon can't tell which keys were lost since the last run, nor which versions receivers had dropped", "error", err)
		return nil
	}
	return append([]Key{}, set.Keys()...) // not nil if the file has no keys
}
