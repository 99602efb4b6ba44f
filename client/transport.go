package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Transport adds an access token to each request to an API: a bearer token (RFC
// 6750), or a DPoP-bound token with its proof (RFC 9449 section 7). It handles
// the API's DPoP nonces. It is safe for concurrent use.
type Transport struct {
	tokens *TokenSource
	origin *url.URL
	base   http.RoundTripper

	mu    sync.Mutex
	nonce string // the API's last DPoP-Nonce
}

// Transport returns a transport for the API at an origin, such as
// https://api.example. It refuses requests to any other origin, which a
// redirect may lead to: the token is not for them. base sends the requests; nil
// means http.DefaultTransport.
func (s *TokenSource) Transport(origin string, base http.RoundTripper) (*Transport, error) {
	if err := checkEndpoint(origin); err != nil {
		return nil, err
	}
	parsed, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{tokens: s, origin: parsed, base: base}, nil
}

// RoundTrip implements http.RoundTripper. If the API asks for a DPoP nonce,
// RoundTrip repeats the request once, provided that its body can be read again.
// If the API rejects the token as invalid, the next request gets a new one.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != t.origin.Scheme || request.URL.Host != t.origin.Host {
		closeBody(request)
		return nil, fmt.Errorf("the token is only for %s://%s, not for %s://%s",
			t.origin.Scheme, t.origin.Host, request.URL.Scheme, request.URL.Host)
	}
	token, err := t.tokens.Token(request.Context())
	if err != nil {
		closeBody(request)
		return nil, err
	}
	response, err := t.send(request, token)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	challenge := strings.Join(response.Header.Values("WWW-Authenticate"), ",")
	if strings.Contains(challenge, "invalid_token") {
		t.tokens.Forget(token)
	}
	repeat, ok := rewind(request)
	if !strings.Contains(challenge, "use_dpop_nonce") || response.Header.Get("DPoP-Nonce") == "" || !ok {
		return response, nil
	}
	response.Body.Close()
	return t.send(repeat, token)
}

// send makes one attempt, with its own proof.
func (t *Transport) send(request *http.Request, token Token) (*http.Response, error) {
	authorized := request.Clone(request.Context())
	if err := t.authorize(request.Context(), authorized, token); err != nil {
		closeBody(request)
		return nil, err
	}
	response, err := t.base.RoundTrip(authorized)
	if err == nil {
		t.keepNonce(response.Header.Get("DPoP-Nonce"))
	}
	return response, err
}

func (t *Transport) authorize(ctx context.Context, request *http.Request, token Token) error {
	if !strings.EqualFold(token.TokenType, "DPoP") {
		request.Header.Set("Authorization", "Bearer "+token.AccessToken)
		return nil
	}
	t.mu.Lock()
	nonce := t.nonce
	t.mu.Unlock()
	proof, err := t.tokens.client.Proof(ctx, Proof{
		Grant: t.tokens.req.DPoP, Method: request.Method, URL: request.URL.String(),
		Nonce: nonce, AccessToken: token.AccessToken,
	})
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "DPoP "+token.AccessToken)
	request.Header.Set("DPoP", proof)
	return nil
}

func (t *Transport) keepNonce(nonce string) {
	if nonce == "" {
		return
	}
	t.mu.Lock()
	t.nonce = nonce
	t.mu.Unlock()
}

// rewind returns the request with its body at the start, if that is possible.
func rewind(request *http.Request) (*http.Request, bool) {
	if request.Body == nil || request.Body == http.NoBody {
		return request, true
	}
	if request.GetBody == nil {
		return nil, false
	}
	body, err := request.GetBody()
	if err != nil {
		return nil, false
	}
	repeat := request.Clone(request.Context())
	repeat.Body = body
	return repeat, true
}

// closeBody closes the body of a request that is not sent, as http.RoundTripper
// requires.
func closeBody(request *http.Request) {
	if request.Body != nil {
		request.Body.Close()
	}
}
