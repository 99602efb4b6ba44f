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
	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
)

// Backoff between failed attempts of a Keeper or a TokenSource.
const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

// KeeperOptions configure a [Keeper].
type KeeperOptions struct {
	Request ipc.AssertionRequest
	File    string // in an existing directory; replaced atomically, mode 0600
	// Renewed, if not nil, is called after each write. Its error is passed to
	// Failed; the assertion stays in the file.
	Renewed func(ctx context.Context, expires time.Time) error
	// Failed, if not nil, is called after each failed attempt, with the time
	// until the next one.
	Failed func(err error, next time.Duration)
}

// Keeper keeps a fresh assertion in a file, for programs that read one: AWS web
// identity, Entra's federated token file, Vault's JWT login. Anyone who can
// read the file can use the assertion, so put it in a directory that only its
// reader can enter.
type Keeper struct {
	client *Client
	opts   KeeperOptions
}

// Keeper returns a keeper. It writes nothing until Once or Run.
func (c *Client) Keeper(opts KeeperOptions) (*Keeper, error) {
	if opts.File != "" {
		opts.File = filepath.Clean(opts.File) // .. after a link would lead where nothing was checked
	}
	if err := checkPath(opts.File); err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	if opts.Failed == nil {
		opts.Failed = func(error, time.Duration) {}
	}
	return &Keeper{client: c, opts: opts}, nil
}

// checkPath rejects a path on which other users could replace the file or a
// directory, and anything but a regular file: renaming over a device or a link
// would replace the device or the link itself.
func checkPath(path string) error {
	if path == "" {
		return errors.New("no file given; name the file to keep the assertion in")
	}
	_, err := trustpath.Rules{}.Check(filepath.Dir(path), trustpath.Directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; create the directory first", err)
	case err != nil:
		return fmt.Errorf("other users could replace the file: %w; or choose another directory", err)
	}
	switch existing, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !existing.Mode().IsRegular():
		return fmt.Errorf("%s exists and is not a regular file; choose another name", path)
	}
	return nil
}

// Once writes one fresh assertion and returns its iat and exp.
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

// Run keeps the file fresh until ctx ends, and then returns nil. It renews the
// assertion at half its lifetime. It waits for a daemon that is down, and
// returns a refusal, since asking again would not help.
func (k *Keeper) Run(ctx context.Context) error {
	backoff := minBackoff
	for {
		issued, expires, err := k.Once(ctx)
		var wait time.Duration
		switch {
		case ctx.Err() != nil:
			return nil
		case permanent(err):
			return err
		case err != nil && expires.IsZero():
			wait, backoff = backoff, min(2*backoff, maxBackoff)
		default:
			// Counted from iat: Renewed may have taken a while.
			renewal := issued.Add(expires.Sub(issued) / 2)
			wait, backoff = max(renewal.Sub(k.client.now()), minBackoff), minBackoff
		}
		if err != nil {
			k.opts.Failed(err, wait)
		}
		if !sleep.For(ctx, wait) {
			return nil
		}
	}
}

// permanent reports whether the request or policy is at fault, so that a retry
// would fail too.
func permanent(err error) bool {
	var problem *ipc.Problem
	return errors.As(err, &problem) && problem.Status < 500 && problem.Status != http.StatusTooManyRequests
}
