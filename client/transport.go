package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Transport puts an access token into each request to an API: as a bearer token
// (RFC 6750), or with a DPoP proof where the token is bound to a key (RFC 9449
// section 7), whose nonces it follows. It is safe for concurrent use.
type Transport struct {
	tokens *TokenSource
	origin *url.URL
	base   http.RoundTripper

	mu    sync.Mutex
	nonce string // the API's last DPoP-Nonce
}

// Transport makes a transport for the API at an origin, such as
// https://api.example. A request to any other origin, where a redirect may have
// led, is refused: the token is not for it. base does the work,
// http.DefaultTransport if it is nil.
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

// RoundTrip implements http.RoundTripper. A request whose DPoP proof lacked the
// API's nonce is sent once more, if its body can be. A token that the API calls
// invalid is forgotten, so that the next request has another one.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != t.origin.Scheme || request.URL.Host != t.origin.Host {
		closeBody(request)
		return nil, fmt.Errorf("the token is for %s://%s alone, not for %s://%s", t.origin.Scheme, t.origin.Host, request.URL.Scheme, request.URL.Host)
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
	again, ok := replay(request)
	if !strings.Contains(challenge, "use_dpop_nonce") || response.Header.Get("DPoP-Nonce") == "" || !ok {
		return response, nil
	}
	response.Body.Close()
	return t.send(again, token)
}

// send makes one attempt with a proof of its own.
func (t *Transport) send(request *http.Request, token Token) (*http.Response, error) {
	authorized := request.Clone(request.Context())
	if err := t.authorize(request.Context(), authorized, token); err != nil {
		closeBody(request)
		return nil, err
	}
	response, err := t.base.RoundTrip(authorized)
	if err == nil {
		t.remember(response.Header.Get("DPoP-Nonce"))
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
		Grant: t.tokens.req.DPoP, Method: request.Method, URL: request.URL.String(), Nonce: nonce, AccessToken: token.AccessToken,
	})
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "DPoP "+token.AccessToken)
	request.Header.Set("DPoP", proof)
	return nil
}

func (t *Transport) remember(nonce string) {
	if nonce == "" {
		return
	}
	t.mu.Lock()
	t.nonce = nonce
	t.mu.Unlock()
}

// replay is the request with its body from the start, if that can be had.
func replay(request *http.Request) (*http.Request, bool) {
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
	again := request.Clone(request.Context())
	again.Body = body
	return again, true
}

// closeBody does what http.RoundTripper asks for even where nothing is sent.
func closeBody(request *http.Request) {
	if request.Body != nil {
		request.Body.Close()
	}
}
