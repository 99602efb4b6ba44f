package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/assertd/assertd/ipc"
)

// maxRetryAfter limits the pause after a failure that a server can ask for.
const maxRetryAfter = 5 * time.Minute

// TokenSource caches an access token and renews it shortly before it expires.
// If that fails, the token is used until it does expire. TokenSource never
// caches an assertion, even if that is itself the access token. It is safe for
// concurrent use: callers that need a new token share one request and its
// outcome.
//
// After a failure, callers get the same error for a second without another
// request, then for longer after each further failure, up to 30 seconds. If the
// server or the daemon asks for a longer pause, it is kept up to five minutes.
type TokenSource struct {
	client *Client
	req    TokenRequest

	mu      sync.Mutex
	token   Token
	renewAt time.Time
	request *sharedRequest // under way; nil if there is none
	failure failure
}

// sharedRequest is a token request that several callers wait for. The first of
// them makes it.
type sharedRequest struct {
	done chan struct{} // closed once the rest is set
	// abandoned means that the context of the caller that made the request ended,
	// which says nothing about the server.
	abandoned bool
	token     Token
	err       error
}

// failure is the last failed request, until one succeeds.
type failure struct {
	err     error
	retryAt time.Time
	backoff time.Duration // for the next failure
}

// TokenSource returns a source of tokens for one request. It sends nothing yet.
func (c *Client) TokenSource(req TokenRequest) (*TokenSource, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	return &TokenSource{client: c, req: req}, nil
}

// String reveals nothing of the cached token.
func (s *TokenSource) String() string { return "token source of " + s.req.URL }

// GoString is String, so that %#v is redacted too.
func (s *TokenSource) GoString() string { return s.String() }

// Token returns the cached token, or a new one. The errors are those of
// [Client.Token].
func (s *TokenSource) Token(ctx context.Context) (Token, error) {
	if s.req.URL == "" {
		// The assertion is the token, and nobody shares an assertion.
		return s.client.Token(ctx, s.req)
	}
	for {
		request, first, err := s.join()
		switch {
		case err != nil:
			return Token{}, err
		case first:
			s.perform(ctx, request)
			return request.token, request.err
		}
		select {
		case <-request.done:
		case <-ctx.Done():
			return Token{}, context.Cause(ctx)
		}
		if !request.abandoned {
			return request.token, request.err
		}
	}
}

// join returns the request to wait for, and whether the caller must perform it.
// The request is done already if the cached token will do.
func (s *TokenSource) join() (request *sharedRequest, first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.client.now()
	failing := now.Before(s.failure.retryAt)
	switch {
	case now.Before(s.renewAt), s.good(now) && (failing || s.request != nil):
		return &sharedRequest{done: closed, token: s.token}, false, nil
	case failing:
		return nil, false, fmt.Errorf("%w (the next try is in %v)", s.failure.err, s.failure.retryAt.Sub(now).Round(time.Millisecond))
	case s.request != nil:
		return s.request, false, nil
	}
	s.request = &sharedRequest{done: make(chan struct{})}
	return s.request, true, nil
}

// closed is the channel of a request that is done.
var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// good reports whether the cached token has not expired.
func (s *TokenSource) good(now time.Time) bool {
	return s.token.AccessToken != "" && now.Before(s.token.Expiry)
}

// perform makes the request and tells the callers that wait for it.
func (s *TokenSource) perform(ctx context.Context, request *sharedRequest) {
	// A panic in the given HTTP client must not leave the others waiting.
	request.abandoned = true
	defer func() {
		s.mu.Lock()
		s.request = nil
		s.mu.Unlock()
		close(request.done)
	}()
	token, err := s.client.Token(ctx, s.req)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.client.now()
	request.abandoned = err != nil && ctx.Err() != nil
	switch {
	case err == nil:
		s.token, s.renewAt, s.failure = token, renewalTime(token, now), failure{}
	case !request.abandoned:
		s.failure.add(err, now)
	}
	if err != nil && s.good(now) {
		token, err = s.token, nil
	}
	request.token, request.err = token, err
}

// add records a failure and sets the time of the next try.
func (f *failure) add(err error, now time.Time) {
	f.err, f.backoff = err, max(f.backoff, minBackoff)
	wait := max(f.backoff, min(askedDelay(err), maxRetryAfter))
	f.retryAt = now.Add(wait + rand.N(wait/4+1))
	// Asking a daemon that is down costs nothing, and it comes back soon.
	if !errors.Is(err, ErrUnavailable) {
		f.backoff = min(2*f.backoff, maxBackoff)
	}
}

// askedDelay is the pause that the server or the daemon asked for.
func askedDelay(err error) time.Duration {
	var failed *TokenError
	var problem *ipc.Problem
	switch {
	case errors.As(err, &failed):
		return failed.delay
	case errors.As(err, &problem):
		return problem.RetryAfter()
	}
	return 0
}

// Forget drops a token from the cache, for when a resource server rejects it
// before it expires.
func (s *TokenSource) Forget(token Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.AccessToken == token.AccessToken {
		s.token, s.renewAt = Token{}, time.Time{}
	}
}

// renewalTime leaves a tenth of the token's lifetime, at most a minute, for
// network delays and clock skew. A token without an expiry is not cached.
func renewalTime(token Token, now time.Time) time.Time {
	if token.uncacheable || token.Expiry.IsZero() {
		return time.Time{}
	}
	return token.Expiry.Add(-min(time.Minute, token.Expiry.Sub(now)/10))
}
