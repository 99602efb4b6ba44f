package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"syscall"
	"time"

	"github.com/assertd/assertd/ipc"
)

// maxAnswer bounds what is read of one answer, in bytes: a batch of long
// assertions fits several times over.
const maxAnswer = 4 << 20

// restart is how long a daemon that is away is given before the second attempt.
const restart = 200 * time.Millisecond

// call makes a request and, after a 503 or a daemon that went away in between,
// one more. A request that was refused is never sent twice.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	answer, err := once[T](ctx, c, method, path, body)
	if wait, again := c.again(err); again && pause(ctx, wait) {
		answer, err = once[T](ctx, c, method, path, body)
	}
	if errors.Is(err, ipc.CodeNotFound) {
		err = c.olderDaemon(ctx, err, method+" "+path)
	}
	return answer, err
}

// again says whether a second attempt is worth it, and when. What the daemon
// asks to wait is waited whole or not at all.
func (c *Client) again(err error) (time.Duration, bool) {
	var problem *ipc.Problem
	switch {
	case errors.As(err, &problem):
		wait := cmp.Or(problem.RetryAfter(), restart)
		return wait, problem.Status == http.StatusServiceUnavailable && wait <= c.retry
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, fs.ErrNotExist):
		return restart, true
	}
	return 0, false
}

// pause waits, with up to a quarter more so that many callers do not come back
// at once. It says false where ctx would end before the wait does.
func pause(ctx context.Context, wait time.Duration) bool {
	wait += rand.N(wait/4 + 1)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func once[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	request, err := newRequest(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	response, text, err := c.exchange(request)
	if err != nil {
		return answer, err
	}
	if response.StatusCode != http.StatusOK {
		return answer, c.problemOf(response, text)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, c.foreign(response)
	}
	return answer, nil
}

// exchange sends a request and reads the answer, whatever its status.
func (c *Client) exchange(request *http.Request) (*http.Response, []byte, error) {
	response, text, err := c.socket.exchange(request)
	if err != nil {
		return nil, nil, c.unavailable(err)
	}
	return response, text, nil
}

func newRequest(ctx context.Context, method, path string, body any) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, "http://assertd"+path, nil)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://assertd"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}
