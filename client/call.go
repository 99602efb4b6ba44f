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

	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/ipc"
)

// maxResponse limits the body of a response, in bytes. The largest batch of
// assertions fits several times over.
const maxResponse = 4 << 20

// restartDelay gives a daemon that is restarting time to come back.
const restartDelay = 200 * time.Millisecond

// call makes a request and retries it once after a 503, or if the daemon was
// away and can't have acted on it. It never repeats a request that was refused.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	answer, err := attempt[T](ctx, c, method, path, body)
	if delay, ok := c.retryDelay(method, err); ok && pause(ctx, delay) {
		answer, err = attempt[T](ctx, c, method, path, body)
	}
	if errors.Is(err, ipc.CodeNotFound) {
		if wrong := c.wrongSocket(ctx, err); wrong != nil {
			return answer, wrong
		}
		err = c.unsupported(ctx, err, method+" "+path)
	}
	return answer, err
}

// retryDelay returns how long to wait before a retry, and whether to retry at
// all. A delay that the daemon asks for is waited out in full or not at all.
func (c *Client) retryDelay(method string, err error) (time.Duration, bool) {
	var problem *ipc.Problem
	switch {
	case errors.As(err, &problem):
		delay := cmp.Or(problem.RetryAfter(), restartDelay)
		return delay, problem.Status == http.StatusServiceUnavailable && delay <= c.maxRetryDelay
	case !repeatable(method, err):
		return 0, false
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, fs.ErrNotExist):
		return restartDelay, true
	}
	return 0, false
}

// pause waits, plus up to 25% of jitter so that callers don't all retry at
// once. It returns false if ctx ends, or would end, before the wait is over.
func pause(ctx context.Context, wait time.Duration) bool {
	wait += rand.N(wait/4 + 1)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return false
	}
	return sleep.For(ctx, wait)
}

func attempt[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	request, err := newRequest(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	response, text, err := c.exchange(request)
	if err != nil {
		return answer, err
	}
	if response.StatusCode != http.StatusOK {
		return answer, c.parseProblem(response, text)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, c.notAssertd(response)
	}
	return answer, nil
}

// exchange sends a request and reads the response, whatever its status.
func (c *Client) exchange(request *http.Request) (*http.Response, []byte, error) {
	response, text, err := c.pool.exchange(request)
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
