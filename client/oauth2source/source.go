// Package oauth2source gives golang.org/x/oauth2 tokens that an assertion of
// assertd was traded for. It is apart from package client so that programs
// without x/oauth2 do not link it.
package oauth2source

import (
	"context"
	"encoding/json"

	"golang.org/x/oauth2"

	"github.com/assertd/assertd/client"
)

// source is a client.TokenSource with the method that x/oauth2 wants.
type source struct {
	ctx  context.Context
	from *client.TokenSource
}

// New returns a source for oauth2.NewClient and whatever else takes one. The
// interface has no context, so that requests for tokens end with ctx, which lasts
// as long as the source is used. Tokens are kept by from: oauth2.ReuseTokenSource
// is not needed.
func New(ctx context.Context, from *client.TokenSource) oauth2.TokenSource {
	return &source{ctx: ctx, from: from}
}

// Token implements oauth2.TokenSource. The server's whole answer is there by
// oauth2.Token.Extra.
func (s *source) Token() (*oauth2.Token, error) {
	token, err := s.from.Token(s.ctx)
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
