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

// TokenRequest is an OAuth token request, authenticated with a fresh assertion.
type TokenRequest struct {
	// URL is the token endpoint: https, or http on loopback. Leave it empty for
	// a profile whose assertion is itself the access token.
	URL       string
	Assertion ipc.AssertionRequest // what to ask the daemon for
	// ClientAuth is a second assertion, which authenticates the client beside a
	// first one that is an authorization grant or the subject of a token
	// exchange (RFC 7521 section 6.2). Leave it nil if the server takes the first
	// one without client authentication.
	ClientAuth *ipc.AssertionRequest
	Scope      string   // space-separated; empty for the server's default
	Resource   []string // URIs of the services that the token is for (RFC 8707)
	ClientID   string   // sent if not empty; most servers take it from the assertion
	// Parameters are additional form parameters, such as grant_type for a grant
	// other than client credentials, audience for a token exchange, or RoleArn
	// for AWS STS.
	Parameters url.Values
	// DPoP names a grant with profile dpop. The token is bound to its key (RFC
	// 9449 section 5). Leave it empty for a bearer token.
	DPoP string
	HTTP *http.Client // default: a 30-second timeout, no redirects
}

// Token is a response of a token endpoint (RFC 6749 section 5.1). It prints
// redacted.
type Token struct {
	AccessToken string
	TokenType   string    // as the server spells it: Bearer, bearer, DPoP
	Scope       string    // empty if it is the requested scope
	Expiry      time.Time // zero if the server does not say
	// Raw is the whole response, for other members. AWS STS returns no access
	// token, so Raw is then the only field that is set. If the server answered in
	// XML, Raw has the same in the JSON that AWS sends.
	Raw json.RawMessage

	uncacheable bool // the token is an assertion
}

// String returns the expiry, and nothing that would let a reader use the token.
func (t Token) String() string { return fmt.Sprintf("token [redacted], expires %v", t.Expiry) }

// GoString is String, so that %#v is redacted too.
func (t Token) GoString() string { return t.String() }

// Token asks the daemon for an assertion and trades it for a token at the
// authorization server, in the form that the grant's profile calls for: a
// client assertion (RFC 7523 section 2.2), an authorization grant (section
// 2.1), a token exchange (RFC 8693), AWS web identity, or a login at OpenBao or
// Vault. If the assertion is itself the access token, Token returns it and
// makes no token request.
//
// After a broken connection, a status from 502 to 504, or a demand for a DPoP
// nonce, Token retries once. The retry uses a new assertion; none is ever sent
// twice. If the caller sets grant_type, to redeem a code or a refresh token for
// example, Token retries only if the server can't have seen the first request.
//
// Errors from the authorization server are [*TokenError]; those from the daemon
// are the errors of [Client.Assert].
func (c *Client) Token(ctx context.Context, req TokenRequest) (Token, error) {
	if err := req.check(); err != nil {
		return Token{}, err
	}
	retried, nonce := false, ""
	for {
		token, err := c.tokenAttempt(ctx, req, nonce)
		var failed *TokenError
		if !errors.As(err, &failed) {
			return token, err
		}
		delay := time.Duration(0)
		switch {
		case failed.needsNonce() && nonce == "":
			nonce = failed.nonce
		case failed.temporary() && !retried && (req.repeatable() || failed.unsent()):
			retried, delay = true, failed.delay
		default:
			return token, err
		}
		if !pause(ctx, delay) {
			return token, err
		}
	}
}

// repeatable reports whether it is safe to repeat a request whose outcome is
// unknown. Codes are single-use, and often refresh tokens too. On a second use
// the server may revoke every token that the first one yielded (RFC 6749
// section 4.1.2, RFC 9700 section 4.14.2).
func (req TokenRequest) repeatable() bool {
	grant := req.Parameters.Get("grant_type")
	return grant == "" || grant == "client_credentials"
}

// tokenAttempt makes one token request with one assertion.
func (c *Client) tokenAttempt(ctx context.Context, req TokenRequest, nonce string) (Token, error) {
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
	if err := c.authenticate(ctx, req, sendOf(assertion), values); err != nil {
		return Token{}, err
	}
	newRequest := newFormRequest
	if sendOf(assertion) == ipc.SendVaultLogin {
		newRequest = newLoginRequest
	}
	request, err := newRequest(ctx, req.URL, values)
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
	return c.exchangeToken(req, request, sendOf(assertion), secretsOf(values))
}

// secretParameters are the parameters of a token request that errors must not
// repeat.
var secretParameters = []string{
	"client_assertion", "assertion", "subject_token", "actor_token", "WebIdentityToken", "client_secret", "code", "code_verifier",
	"device_code", "password", "refresh_token", "jwt",
}

func secretsOf(form url.Values) (secrets []string) {
	for _, name := range secretParameters {
		secrets = append(secrets, form[name]...)
	}
	return secrets
}

// exchangeToken sends the request and reads the response.
func (c *Client) exchangeToken(req TokenRequest, request *http.Request, send ipc.Send, secrets []string) (Token, error) {
	response, err := httpClient(req.HTTP).Do(request)
	if err != nil {
		return Token{}, unreachable(err, secrets)
	}
	defer response.Body.Close()
	token, err := readToken(response, send, c.now(), secrets)
	switch {
	case err != nil:
		return Token{}, err
	case req.DPoP != "" && !strings.EqualFold(token.TokenType, "DPoP"):
		return Token{}, fmt.Errorf("%w: the token is not bound to a key (token_type %q) despite the DPoP proof; leave DPoP out if a bearer token will do",
			ErrTokenEndpoint, token.TokenType)
	}
	return token, nil
}

// bearer returns an assertion that is itself the access token.
func (req TokenRequest) bearer(assertion ipc.AssertionResponse) (Token, error) {
	switch {
	case req.URL != "":
		return Token{}, fmt.Errorf("the assertion of grant %q is itself the access token; leave the URL out", assertion.Grant)
	case req.ClientAuth != nil:
		return Token{}, fmt.Errorf("the assertion of grant %q is itself the access token; leave the client authentication out", assertion.Grant)
	case req.DPoP != "":
		return Token{}, fmt.Errorf("the assertion of grant %q is a bearer token and cannot be bound to a key; leave DPoP out",
			assertion.Grant)
	}
	token := Token{
		AccessToken: assertion.Assertion, TokenType: "Bearer", Expiry: time.Unix(assertion.ExpiresAt, 0), uncacheable: true,
	}
	raw, err := json.Marshal(map[string]any{
		"access_token": token.AccessToken, "token_type": token.TokenType,
		"expires_in": assertion.ExpiresAt - assertion.IssuedAt,
	})
	token.Raw = raw
	return token, err
}
