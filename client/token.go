package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/assertd/assertd/ipc"
)

// TokenRequest is an OAuth token request that a fresh assertion authenticates.
type TokenRequest struct {
	// URL is the token endpoint: https, or http on loopback. It stays empty for a
	// profile whose assertion is the access token itself.
	URL       string
	Assertion ipc.AssertionRequest // what to ask the daemon for
	Scope     string               // scopes separated by spaces; empty for the server's default
	Resource  []string             // RFC 8707: the URIs of the services that the token is for
	ClientID  string               // sent where not empty: most servers find it in the assertion
	// Parameters are sent along: grant_type for another grant than client
	// credentials, audience of a token exchange, RoleArn of AWS STS.
	Parameters url.Values
	// DPoP names the grant of profile dpop whose key the token shall be bound to
	// (RFC 9449 section 5). Empty for a bearer token.
	DPoP string
	HTTP *http.Client // nil for one with a timeout of 30 s that follows no redirect
}

// Token is what a token endpoint gave (RFC 6749 section 5.1). It prints redacted.
type Token struct {
	AccessToken string
	TokenType   string    // as the server has it: Bearer, DPoP; any mixture of upper and lower case
	Scope       string    // empty where it is what was asked for
	Expiry      time.Time // zero where the server does not say
	// Raw is the whole answer, for members that are not here. AWS STS answers
	// without an access token, so that there is nothing but Raw.
	Raw json.RawMessage

	once bool // an assertion of the daemon's, not for the cache
}

// String says when the token ends and nothing that would let anybody use it.
func (t Token) String() string { return fmt.Sprintf("token [redacted], expiry %v", t.Expiry) }

// GoString is String, so that %#v is redacted too.
func (t Token) GoString() string { return t.String() }

// Token asks the daemon for an assertion and the authorization server for a
// token, in the form that the grant's profile wants: a client assertion (RFC 7523
// section 2.2), an authorization grant (section 2.1), a token exchange (RFC 8693),
// AWS web identity; where the assertion is itself the access token, nobody else is
// asked. After a broken connection, a status 502 to 504 or a demanded DPoP nonce it
// tries once more, with another assertion: none is ever sent twice. With a code, a
// refresh token or another grant_type of the caller's it does so only where the
// server can't have seen the first attempt.
//
// The error of the authorization server is a [*TokenError], that of the daemon is
// as [Client.Assert] has it.
func (c *Client) Token(ctx context.Context, req TokenRequest) (Token, error) {
	if err := req.check(); err != nil {
		return Token{}, err
	}
	failures, nonce := 0, ""
	for {
		token, err := c.askToken(ctx, req, nonce)
		var failed *TokenError
		if !errors.As(err, &failed) {
			return token, err
		}
		wait := time.Duration(0)
		switch {
		case failed.nonceDemanded() && nonce == "":
			nonce = failed.nonce
		case failed.passing() && failures == 0 && (req.repeatable() || failed.unsent()):
			failures, wait = 1, failed.wait
		default:
			return token, err
		}
		if !pause(ctx, wait) {
			return token, err
		}
	}
}

// repeatable says whether a request of which nobody knows what became may be made
// again. A code works once, a refresh token often too, and a second use can have
// everything revoked that the first one gave (RFC 6749 section 4.1.2, RFC 9700
// section 4.14.2).
func (req TokenRequest) repeatable() bool {
	grant := req.Parameters.Get("grant_type")
	return grant == "" || grant == "client_credentials"
}

// askToken makes one attempt with one assertion.
func (c *Client) askToken(ctx context.Context, req TokenRequest, nonce string) (Token, error) {
	assertion, err := c.Assert(ctx, req.Assertion)
	if err != nil {
		return Token{}, err
	}
	if sendOf(assertion) == ipc.SendBearer {
		return req.bearer(assertion)
	}
	values, err := req.form(assertion)
	if err != nil {
		return Token{}, err
	}
	request, err := newFormRequest(ctx, req.URL, values)
	if err != nil {
		return Token{}, err
	}
	if req.DPoP != "" {
		proof, err := c.Proof(ctx, Proof{Grant: req.DPoP, Method: http.MethodPost, URL: req.URL, Nonce: nonce})
		if err != nil {
			return Token{}, err
		}
		request.Header.Set("DPoP", proof)
	}
	return c.sendToken(req, request, sendOf(assertion))
}

// sendToken sends the request and reads the answer.
func (c *Client) sendToken(req TokenRequest, request *http.Request, send string) (Token, error) {
	response, err := httpClient(req.HTTP).Do(request)
	if err != nil {
		return Token{}, unreachable(err)
	}
	defer response.Body.Close()
	token, err := tokenAnswer(response, c.now())
	switch {
	case err != nil:
		return Token{}, err
	case token.AccessToken == "" && send != ipc.SendWebIdentity:
		return Token{}, fmt.Errorf("%w: its answer holds no access_token", ErrTokenEndpoint)
	case req.DPoP != "" && !strings.EqualFold(token.TokenType, "DPoP"):
		return Token{}, fmt.Errorf("%w: it bound the token to no key (token_type %q), though a DPoP proof was sent; leave DPoP out if a bearer token will do", ErrTokenEndpoint, token.TokenType)
	}
	return token, nil
}

// bearer takes an assertion that is an access token itself.
func (req TokenRequest) bearer(assertion ipc.AssertionResponse) (Token, error) {
	switch {
	case req.URL != "":
		return Token{}, fmt.Errorf("the assertion of grant %q is the access token itself, and no token endpoint takes it: leave the URL out", assertion.Grant)
	case req.DPoP != "":
		return Token{}, fmt.Errorf("the assertion of grant %q is a bearer token, which nothing binds to a key: leave DPoP out", assertion.Grant)
	}
	token := Token{AccessToken: assertion.Assertion, TokenType: "Bearer", Expiry: time.Unix(assertion.ExpiresAt, 0), once: true}
	raw, err := json.Marshal(map[string]any{
		"access_token": token.AccessToken, "token_type": token.TokenType, "expires_in": assertion.ExpiresAt - assertion.IssuedAt,
	})
	token.Raw = raw
	return token, err
}

// httpClient follows no redirect: an assertion goes to the URL that was named
// and nowhere else.
func httpClient(given *http.Client) *http.Client {
	if given != nil {
		return given
	}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
