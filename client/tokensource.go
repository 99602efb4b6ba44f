package client

import (
	"context"
	"time"
)

// TokenSource caches an access token and renews it shortly before it expires.
// It never caches an assertion, even if that is itself the access token. It is
// safe for concurrent use: callers that need a new token share one request.
type TokenSource struct {
	client *Client
	req    TokenRequest

	lock    chan struct{} // a mutex that honors contexts: full when unlocked
	token   Token
	renewAt time.Time
}

// TokenSource returns a source of tokens for one request. It sends nothing yet.
func (c *Client) TokenSource(req TokenRequest) (*TokenSource, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	s := &TokenSource{client: c, req: req, lock: make(chan struct{}, 1)}
	s.lock <- struct{}{}
	return s, nil
}

// String reveals nothing of the cached token.
func (s *TokenSource) String() string { return "token source of " + s.req.URL }

// GoString is String, so that %#v is redacted too.
func (s *TokenSource) GoString() string { return s.String() }

// Token returns the cached token, or a new one. The errors are those of
// [Client.Token]; they are not cached.
func (s *TokenSource) Token(ctx context.Context) (Token, error) {
	select {
	case <-s.lock:
		defer func() { s.lock <- struct{}{} }()
	case <-ctx.Done():
		return Token{}, context.Cause(ctx)
	}
	if s.client.now().Before(s.renewAt) {
		return s.token, nil
	}
	token, err := s.client.Token(ctx, s.req)
	if err != nil {
		return Token{}, err
	}
	s.token, s.renewAt = token, renewalTime(token, s.client.now())
	return token, nil
}

// Forget drops a token from the cache, for when a resource server rejects it
// before it expires.
func (s *TokenSource) Forget(token Token) {
	<-s.lock
	if s.token.AccessToken == token.AccessToken {
		s.token, s.renewAt = Token{}, time.Time{}
	}
	s.lock <- struct{}{}
}

// renewalTime leaves a tenth of the token's lifetime, at most a minute, for
// network delays and clock skew. A token without an expiry is not cached.
func renewalTime(token Token, now time.Time) time.Time {
	if token.uncacheable || token.Expiry.IsZero() {
		return time.Time{}
	}
	return token.Expiry.Add(-min(time.Minute, token.Expiry.Sub(now)/10))
}
