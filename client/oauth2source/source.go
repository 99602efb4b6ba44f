// Package oauth2source adapts client.TokenSource to golang.org/x/oauth2. It is
// separate from package client so that programs without x/oauth2 do not link
// it.
package oauth2source

import (
	"context"
	"encoding/json"

	"golang.org/x/oauth2"

	"github.com/assertd/assertd/client"
)

// source implements oauth2.TokenSource.
type source struct {
	ctx    context.Context
	tokens *client.TokenSource
}

// New returns a source for oauth2.NewClient and the like. oauth2.TokenSource
// has no context, so every token request uses ctx, which must last as long as
// the source. tokens does the caching; oauth2.ReuseTokenSource is not needed.
func New(ctx context.Context, tokens *client.TokenSource) oauth2.TokenSource {
	return &source{ctx: ctx, tokens: tokens}
}

// Token implements oauth2.TokenSource. oauth2.Token.Extra gives access to every
// member of the server's response.
func (s *source) Token() (*oauth2.Token, error) {
	token, err := s.tokens.Token(s.ctx)
	if err != nil {
		return nil, err
	}
	out := &oauth2.Token{AccessToken: token.AccessToken, TokenType: token.TokenType, Expiry: token.Expiry}
	var extra map[string]any
	if err := json.Unmarshal(token.Raw, &extra); err != nil {
		return nil, err
	}
	return out.WithExtra(extra), nil
}
