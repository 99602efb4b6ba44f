package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/assertd/assertd/ipc"
)

// TokenRequest is an OAuth token request that a fresh assertion authenticates.
type TokenRequest struct {
	URL       string               // the token endpoint; https, or http on loopback
	Assertion ipc.AssertionRequest // what to ask the daemon for
	Scope     string               // scopes separated by spaces; empty for the server's default
	ClientID  string               // sent where not empty: the assertion names the client already
	HTTP      *http.Client         // nil for one with a timeout of 30 s that follows no redirect
}

// maxTokenAnswer bounds what is read of a token endpoint's answer, in bytes.
const maxTokenAnswer = 1 << 20

// ErrTokenEndpoint is the kind of everything that goes wrong at the
// authorization server.
var ErrTokenEndpoint = errors.New("the token endpoint gave no token")

// Token asks the daemon for an assertion and the authorization server for an
// access token, by client credentials with private_key_jwt (RFC 7523 section
// 2.2). It returns the server's answer (RFC 6749 section 5.1) as it came.
func (c *Client) Token(ctx context.Context, req TokenRequest) (json.RawMessage, error) {
	if err := checkEndpoint(req.URL); err != nil {
		return nil, err
	}
	assertion, err := c.Assert(ctx, req.Assertion)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, req.URL, strings.NewReader(form(req, assertion).Encode()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenEndpoint, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := httpClient(req.HTTP).Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenEndpoint, err)
	}
	defer response.Body.Close()
	return tokenAnswer(response)
}

func form(req TokenRequest, assertion ipc.AssertionResponse) url.Values {
	values := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {assertion.AssertionType},
		"client_assertion":      {assertion.Assertion},
	}
	if req.Scope != "" {
		values.Set("scope", req.Scope)
	}
	if req.ClientID != "" {
		values.Set("client_id", req.ClientID)
	}
	return values
}

// checkEndpoint refuses to send a credential in the clear over a network.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTokenEndpoint, err)
	}
	loopback := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return fmt.Errorf("%w: %q is not an https URL; plain http is for loopback alone", ErrTokenEndpoint, endpoint)
	}
	return nil
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

// tokenAnswer reads the answer, or says in words what else came: an OAuth error
// (RFC 6749 section 5.2), a page, a redirect.
func tokenAnswer(response *http.Response) (json.RawMessage, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxTokenAnswer))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenEndpoint, err)
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if !json.Valid(text) {
		return nil, fmt.Errorf("%w: it answered %s with %s instead of JSON; is this the token endpoint's URL?", ErrTokenEndpoint, response.Status, kindOr(kind))
	}
	if response.StatusCode == http.StatusOK {
		return text, nil
	}
	return nil, fmt.Errorf("%w: %s: %s", ErrTokenEndpoint, response.Status, oauthError(text))
}

func kindOr(kind string) string {
	if kind == "" {
		return "no content type"
	}
	return kind
}

func oauthError(text []byte) string {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Error == "" {
		return "the answer holds no OAuth error"
	}
	return strings.TrimSuffix(answer.Error+": "+answer.Description, ": ")
}
