package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/ipc"
)

// Waits between attempts of a Keeper that has nothing fresh to write.
const (
	firstWait = time.Second
	lastWait  = 30 * time.Second
)

// KeeperOptions say what is kept where.
type KeeperOptions struct {
	Request ipc.AssertionRequest
	File    string // its directory must exist; the file is replaced as a whole, mode 0600
	// Renewed is called after each write, nil for not at all. Its error is reported
	// as that of a failed attempt is, and the assertion stays.
	Renewed func(ctx context.Context, expires time.Time) error
	// Failed is told of an attempt that failed and of when the next one is made.
	Failed func(err error, next time.Duration)
}

// Keeper keeps a fresh assertion in a file, for programs that read one from
// there: AWS web identity, Entra's federated token file, Vault's JWT login. Whoever
// can read the file can use it, so it belongs into a directory of its reader's.
type Keeper struct {
	client *Client
	opts   KeeperOptions
}

// Keeper makes a keeper; nothing is written before Once or Run.
func (c *Client) Keeper(opts KeeperOptions) (*Keeper, error) {
	if err := checkPlace(opts.File); err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	if opts.Failed == nil {
		opts.Failed = func(error, time.Duration) {}
	}
	return &Keeper{client: c, opts: opts}, nil
}

// checkPlace refuses a directory in which others could replace the file, and to
// put a file in the place of what is none: of a device, of a link that leads to where it was meant.
func checkPlace(path string) error {
	if path == "" {
		return errors.New("name the file to keep the assertion in")
	}
	directory, err := os.Stat(filepath.Dir(path))
	switch {
	case err != nil:
		return fmt.Errorf("make the file's directory first: %w", err)
	case directory.Mode().Perm()&0o022 != 0 && directory.Mode()&os.ModeSticky == 0:
		return fmt.Errorf("others may write to %s and could replace the file: chmod go-w, or choose another directory", filepath.Dir(path))
	}
	switch there, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !there.Mode().IsRegular():
		return fmt.Errorf("%s is there and is no regular file, and would be replaced: choose another name", path)
	}
	return nil
}

// Once writes one fresh assertion and returns when it was made and ends.
func (k *Keeper) Once(ctx context.Context) (issued, expires time.Time, err error) {
	answer, err := k.client.Assert(ctx, k.opts.Request)
	if err != nil {
		return issued, expires, err
	}
	if err := atomicfile.Replace(k.opts.File, []byte(answer.Assertion), 0o600); err != nil {
		return issued, expires, fmt.Errorf("keep: %w", err)
	}
	issued, expires = time.Unix(answer.IssuedAt, 0), time.Unix(answer.ExpiresAt, 0)
	if k.opts.Renewed != nil {
		err = k.opts.Renewed(ctx, expires)
	}
	return issued, expires, err
}

// Run keeps the file fresh until ctx ends, which is no error: who reads the file
// finds an assertion with at least half of its life left. A daemon that is away is
// waited for; what policy refuses is returned, since asking again is of no use.
func (k *Keeper) Run(ctx context.Context) error {
	backoff := firstWait
	for {
		issued, expires, err := k.Once(ctx)
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			return nil
		case refused(err):
			return err
		case err != nil && expires.IsZero():
			wait, backoff = backoff, min(2*backoff, lastWait)
		default:
			// From when it was made: Renewed may have taken its time.
			renewal := issued.Add(expires.Sub(issued) / 2)
			wait, backoff = max(renewal.Sub(k.client.now()), firstWait), firstWait
		}
		if err != nil {
			k.opts.Failed(err, wait)
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// refused says whether policy or the request is at fault, which time won't heal.
func refused(err error) bool {
	var problem *ipc.Problem
	return errors.As(err, &problem) && problem.Status < 500 && problem.Status != http.StatusTooManyRequests
}

func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
