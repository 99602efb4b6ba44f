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
)

// Sync says what has happened to a record when Append returns nil.
type Sync string

const (
	// SyncAlways: the record is on the disk (fdatasync), one sync for all records that wait at that moment. It survives
	// a loss of power.
	SyncAlways Sync = "always"
	// SyncInterval: the record was written to the file and survives the end of the daemon, kill -9 included; the file is
	// synced once per Options.Interval, so a loss of power may cost that much of it. If a sync fails, Append refuses
	// until one has succeeded.
	SyncInterval Sync = "interval"
	// SyncNever: as SyncInterval, but the kernel alone decides when the file reaches the disk.
	SyncNever Sync = "never"
)

// Limits of the log.
const (
	// MaxRecord is the longest record in bytes, as one JSON line.
	MaxRecord = 256 << 10
	// MaxPending is how many records may wait for the writer before Append refuses at once.
	MaxPending = 16384
)

// Defaults for Options that are left zero.
const (
	DefaultInterval           = time.Second
	DefaultCheckpointInterval = time.Minute
	DefaultCheckpointTimeout  = 10 * time.Second
)

// Options are the settings of a Log.
type Options struct {
	// File is the path of the log's current file. Its directory must exist.
	File string
	// Mode is the mode of files that the log creates: 0600 (default) or 0640.
	Mode fs.FileMode
	// Sync defaults to SyncInterval.
	Sync Sync
	// Interval is how often the file is synced with SyncInterval, and how often the writer looks after the file (whether
	// there is room again, whether somebody removed it) with every Sync. Default 1 s.
	Interval time.Duration
	// MaxSize in bytes and MaxAge rotate the file; 0 means that only Reopen does. Both are checked between writes and
	// rotation waits for a checkpoint that covers the file, so a file may end somewhat later.
	MaxSize int64
	MaxAge  time.Duration

	// Origin names the log in its checkpoints (C2SP tlog-checkpoint) and is the name of the checkpoint keys. It must
	// hold neither white space nor "+". Required with Key.
	Origin string
	// Key gives the key that signs checkpoints at this moment; nil writes no checkpoints.
	Key func(ctx context.Context) (Key, error)
	// CheckpointInterval is the time between checkpoints while there are new records. Default 1 min.
	CheckpointInterval time.Duration
	// CheckpointTimeout bounds one signature. Default 10 s.
	CheckpointTimeout time.Duration

	// Clock defaults to time.Now, Logger to none.
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
		o.Interval = DefaultInterval
	}
	if o.CheckpointInterval == 0 {
		o.CheckpointInterval = DefaultCheckpointInterval
	}
	if o.CheckpointTimeout == 0 {
		o.CheckpointTimeout = DefaultCheckpointTimeout
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
		return errors.New("audit: no file given: set audit.file to the path of the log")
	case o.Mode&^0o640 != 0:
		return fmt.Errorf("audit: mode %#o would let others read or write the log: use 0600 or 0640", o.Mode)
	case o.Sync != SyncAlways && o.Sync != SyncInterval && o.Sync != SyncNever:
		return fmt.Errorf("audit: sync %q: use always, interval or never", o.Sync)
	case o.Interval < 0 || o.CheckpointInterval < 0 || o.CheckpointTimeout < 0 || o.MaxAge < 0 || o.MaxSize < 0:
		return errors.New("audit: intervals, timeouts and limits can't be negative")
	case o.Key != nil && !validName(o.Origin):
		return fmt.Errorf("audit: origin %q: checkpoints need a name without white space and \"+\"", o.Origin)
	}
	return nil
}
