package client

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/assertd/assertd/ipc"
)

// tokenForm describes the token request for one way to send an assertion.
type tokenForm struct {
	assertion       string            // name of the parameter with the assertion
	assertionType   string            // name of the parameter with its type, if any
	fixed, defaults map[string]string // the caller may override the defaults
}

var tokenForms = map[ipc.Send]tokenForm{
	ipc.SendClientAssertion: {assertion: "client_assertion", assertionType: "client_assertion_type",
		defaults: map[string]string{"grant_type": "client_credentials"}},
	ipc.SendGrant: {assertion: "assertion", assertionType: "grant_type"},
	ipc.SendTokenExchange: {assertion: "subject_token", assertionType: "subject_token_type",
		fixed:    map[string]string{"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"},
		defaults: map[string]string{"requested_token_type": "urn:ietf:params:oauth:token-type:access_token"}},
	ipc.SendClientSecret: {assertion: "client_secret",
		defaults: map[string]string{"grant_type": "client_credentials"}},
	ipc.SendWebIdentity: {assertion: "WebIdentityToken",
		fixed: map[string]string{"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15"}},
	ipc.SendVaultLogin: {assertion: "jwt"}, // sent as JSON: see newLoginRequest
}

// otherUses says what to do with assertions that do not go into token requests.
var otherUses = map[ipc.Send]string{
	ipc.SendDPoP:             "it makes DPoP proofs: name it as the DPoP grant, and another grant for the assertion",
	ipc.SendRequestParameter: "it makes request objects, for authorization requests",
}

// sendOf is the assertion's Send, which older daemons leave out.
func sendOf(assertion ipc.AssertionResponse) ipc.Send {
	if assertion.Send == "" && assertion.AssertionType == ipc.AssertionType {
		return ipc.SendClientAssertion
	}
	return assertion.Send
}

// form is the body of the token request.
func (req TokenRequest) form(assertion ipc.AssertionResponse) (url.Values, error) {
	form, ok := tokenForms[sendOf(assertion)]
	if !ok {
		return nil, fmt.Errorf("grant %q does not make assertions for token requests; %s",
			assertion.Grant, cmp.Or(otherUses[assertion.Send], "get the assertion by itself and send it as its receiver requires"))
	}
	if req.URL == "" {
		return nil, fmt.Errorf("grant %q makes assertions for a token endpoint; give its URL", assertion.Grant)
	}
	fixed := maps.Clone(form.fixed)
	if fixed == nil {
		fixed = make(map[string]string)
	}
	fixed[form.assertion] = assertion.Assertion
	if form.assertionType != "" {
		fixed[form.assertionType] = assertion.AssertionType
	}
	return req.merge(fixed, form.defaults)
}

// authenticate adds the client's own assertion to a form whose first assertion
// does not authenticate the client.
func (c *Client) authenticate(ctx context.Context, req TokenRequest, send ipc.Send, form url.Values) error {
	if req.ClientAuth == nil {
		return nil
	}
	if send != ipc.SendGrant && send != ipc.SendTokenExchange {
		return fmt.Errorf("grant %q leaves no room for client authentication; only an authorization grant or a token exchange does",
			req.Assertion.Grant)
	}
	assertion, err := c.Assert(ctx, *req.ClientAuth)
	if err != nil {
		return fmt.Errorf("client authentication: %w", err)
	}
	if sendOf(assertion) != ipc.SendClientAssertion {
		return fmt.Errorf("client authentication: grant %q does not authenticate a client; name a grant whose profile does, such as private_key_jwt",
			assertion.Grant)
	}
	form.Set("client_assertion", assertion.Assertion)
	form.Set("client_assertion_type", assertion.AssertionType)
	return nil
}

// merge adds the caller's parameters to those of the form. The caller may
// override only the defaults.
func (req TokenRequest) merge(fixed, defaults map[string]string) (url.Values, error) {
	values := url.Values{}
	for name, value := range defaults {
		values.Set(name, value)
	}
	for name, given := range req.Parameters {
		if _, taken := fixed[name]; taken || slices.Contains(ownParameters, name) || req.ClientAuth != nil && slices.Contains(authParameters, name) {
			return nil, fmt.Errorf("parameter %q cannot be set by hand; the request sets it", name)
		}
		values[name] = slices.Clone(given)
	}
	for name, value := range fixed {
		values.Set(name, value)
	}
	if req.Scope != "" {
		values.Set("scope", req.Scope)
	}
	if req.ClientID != "" {
		values.Set("client_id", req.ClientID)
	}
	if len(req.Resource) > 0 {
		values["resource"] = slices.Clone(req.Resource)
	}
	return values, nil
}

// ownParameters have their own fields in TokenRequest.
var ownParameters = []string{"scope", "client_id", "resource"}

// authParameters are set by ClientAuth.
var authParameters = []string{"client_assertion", "client_assertion_type"}

// check finds errors that don't take an assertion to find.
func (req TokenRequest) check() error {
	if req.URL == "" {
		return nil
	}
	if err := checkEndpoint(req.URL); err != nil {
		return fmt.Errorf("%w: %w", ErrTokenEndpoint, err)
	}
	return nil
}

func newFormRequest(ctx context.Context, endpoint string, values url.Values) (*http.Request, error) {
	request, err := newPost(ctx, endpoint, "application/x-www-form-urlencoded", values.Encode())
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	return request, nil
}

// newPost returns a request whose body net/http can't read again, so that
// neither a redirect nor its own retry sends an assertion twice.
func newPost(ctx context.Context, endpoint, contentType, body string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenEndpoint, err)
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", contentType)
	return request, nil
}
