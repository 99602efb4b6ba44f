package client

import (
	"context"
	"time"
)

// TokenSource gives access tokens and asks for another one shortly before the
// last one ends. It never keeps an assertion, not even one that is an access
// token itself. It is safe for concurrent use: callers that find no token wait
// for one request, not one each.
type TokenSource struct {
	client *Client
	req    TokenRequest
	turn   chan struct{} // holds one value; who has taken it may read and write what follows
	token  Token
	until  time.Time
}

// TokenSource makes a source of tokens for one request. It asks nobody yet.
func (c *Client) TokenSource(req TokenRequest) (*TokenSource, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	s := &TokenSource{client: c, req: req, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s, nil
}

// String shows nothing of the token that is kept, and GoString makes %#v do the same.
func (s *TokenSource) String() string { return "token source of " + s.req.URL }

// GoString is String.
func (s *TokenSource) GoString() string { return s.String() }

// Token returns a token that is good for a while yet. The errors are those of
// [Client.Token]; none is kept.
func (s *TokenSource) Token(ctx context.Context) (Token, error) {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return Token{}, context.Cause(ctx)
	}
	if s.client.now().Before(s.until) {
		return s.token, nil
	}
	token, err := s.client.Token(ctx, s.req)
	if err != nil {
		return Token{}, err
	}
	s.token, s.until = token, goodUntil(token, s.client.now())
	return token, nil
}

// Forget makes the next call ask for another token, for when a resource server
// refuses this one before its time.
func (s *TokenSource) Forget(token Token) {
	<-s.turn
	if s.token.AccessToken == token.AccessToken {
		s.token, s.until = Token{}, time.Time{}
	}
	s.turn <- struct{}{}
}

// goodUntil leaves a tenth of the token's life, at most a minute, for the way to
// the resource server and for clocks. A token without an end is not kept.
func goodUntil(token Token, now time.Time) time.Time {
	if token.once || token.Expiry.IsZero() {
		return time.Time{}
	}
	return token.Expiry.Add(-min(time.Minute, token.Expiry.Sub(now)/10))
}
