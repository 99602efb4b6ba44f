package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/trustpath"
)

// Sync is when records reach the disk.
type Sync string

const (
	// SyncAlways: when Append returns, the record is on disk (fdatasync); all
	// records waiting at that moment share one sync. It survives a power loss.
	SyncAlways Sync = "always"
	// SyncInterval: when Append returns, the record is in the file and survives
	// the end of the daemon, including kill -9. The file is synced once per
	// Options.Interval, so a power loss can lose that much. If a sync fails,
	// Append fails until one succeeds.
	SyncInterval Sync = "interval"
	// SyncNever: like SyncInterval, but the kernel decides when the file
	// reaches the disk.
	SyncNever Sync = "never"
)

// Limits of the log.
const (
	// MaxRecord is the maximum size of a record in bytes, as a JSON line.
	MaxRecord = 256 << 10
	// MaxPending is how many records may wait for the writer. Append fails at
	// once if there are more.
	MaxPending = 16384
)

// Defaults for Options that are left zero.
const (
	defaultInterval           = time.Second
	defaultTimeout            = 5 * time.Second
	defaultCheckpointInterval = time.Minute
	defaultCheckpointTimeout  = 10 * time.Second
)

// Options configure a Log.
type Options struct {
	// File is the path of the current file. Its directory must exist.
	File string
	// Trust relaxes who may be able to write the files and their directories.
	Trust trustpath.Rules
	// Mode is the mode of files that the log creates: 0600 (the default) or
	// 0640.
	Mode fs.FileMode
	// Sync defaults to SyncInterval.
	Sync Sync
	// Interval is how often SyncInterval syncs, and how often the writer checks
	// the file with any Sync: whether the disk has room again, whether someone
	// removed the file. Default 1 s.
	Interval time.Duration
	// Timeout limits how long Append waits, and how long a write or a sync may
	// take before Append fails at once and Status says so. It also limits how
	// long the end of Run waits for the disk. Default 5 s.
	Timeout time.Duration
	// MaxSize, in bytes, and MaxAge rotate the file; 0 leaves that to Reopen.
	// The log checks them between writes and waits for a checkpoint over the
	// file, so a file may grow somewhat larger or older.
	MaxSize int64
	MaxAge  time.Duration

	// Origin names the log in its checkpoints (C2SP tlog-checkpoint), and is
	// the name of the checkpoint keys. No white space, no "+". Required with
	// Key.
	Origin string
	// Key returns the key that signs checkpoints now. If Key is nil, the log
	// has no checkpoints.
	Key func(ctx context.Context) (Key, error)
	// CheckpointInterval is the time between checkpoints while there are new
	// records. Default 1 min.
	CheckpointInterval time.Duration
	// CheckpointTimeout limits one signature. Default 10 s.
	CheckpointTimeout time.Duration

	// Anchor is the path of a file on another file system that keeps the newest
	// checkpoint, or "". Open returns ErrRolledBack for a log that does not have
	// all lines below it.
	Anchor string
	// Witnessed says that witnesses see the checkpoints: the log keeps what
	// consistency proofs need. See Signed.
	Witnessed bool

	// Clock defaults to time.Now, and Logger to none.
	Clock  func() time.Time
	Logger logging.Logger
}

func (o *Options) setDefaults() {
	if o.Mode == 0 {
		o.Mode = 0o600
	}
	if o.Sync == "" {
		o.Sync = SyncInterval
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.CheckpointInterval == 0 {
		o.CheckpointInterval = defaultCheckpointInterval
	}
	if o.CheckpointTimeout == 0 {
		o.CheckpointTimeout = defaultCheckpointTimeout
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = logging.Discard
	}
}

func (o *Options) validate() error {
	switch {
	case o.File == "" || filepath.Base(o.File) != strings.TrimSpace(filepath.Base(o.File)):
		return errors.New("audit: no log file; set audit.file to its path")
	case o.Mode&^0o640 != 0:
		return fmt.Errorf("audit: mode %#o lets other users read or write the log; use 0600 or 0640", o.Mode)
	case o.Sync != SyncAlways && o.Sync != SyncInterval && o.Sync != SyncNever:
		return fmt.Errorf("audit: unknown sync %q; use always, interval or never", o.Sync)
	case o.Interval < 0 || o.Timeout < 0 || o.CheckpointInterval < 0 || o.CheckpointTimeout < 0 || o.MaxAge < 0 || o.MaxSize < 0:
		return errors.New("audit: intervals, timeouts and limits must not be negative")
	case o.Key == nil && (o.Anchor != "" || o.Witnessed):
		return errors.New("audit: an anchor and witnesses need checkpoints; set audit.checkpoint_key")
	case o.Key != nil && !validName(o.Origin):
		return fmt.Errorf("audit: invalid origin %q; use a name without white space or \"+\"", o.Origin)
	}
	return nil
}
