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

// tokenForm is how a kind of assertion travels in a token request.
type tokenForm struct {
	// assertion names the parameter of the assertion, kind that of its type.
	assertion, kind string
	fixed, initial  map[string]string // initial may be set otherwise by the caller
}

var tokenForms = map[string]tokenForm{
	ipc.SendClientAssertion: {assertion: "client_assertion", kind: "client_assertion_type",
		initial: map[string]string{"grant_type": "client_credentials"}},
	ipc.SendGrant: {assertion: "assertion", kind: "grant_type"},
	ipc.SendTokenExchange: {assertion: "subject_token", kind: "subject_token_type",
		fixed:   map[string]string{"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"},
		initial: map[string]string{"requested_token_type": "urn:ietf:params:oauth:token-type:access_token"}},
	ipc.SendClientSecret: {assertion: "client_secret",
		initial: map[string]string{"grant_type": "client_credentials"}},
	ipc.SendWebIdentity: {assertion: "WebIdentityToken",
		fixed: map[string]string{"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15"}},
}

// unsendable says what to do with assertions that no token request takes.
var unsendable = map[string]string{
	ipc.SendDPoP:             "it is a DPoP proof, which goes along with an assertion: name this grant as the one for DPoP, and another one for the assertion",
	ipc.SendRequestParameter: "it is a request object, for the authorization endpoint or for pushed authorization requests",
}

// sendOf is the answer's Send, or what a daemon that does not tell it means.
func sendOf(assertion ipc.AssertionResponse) string {
	if assertion.Send == "" && assertion.AssertionType == ipc.AssertionType {
		return ipc.SendClientAssertion
	}
	return assertion.Send
}

// form is the body of the token request.
func (req TokenRequest) form(assertion ipc.AssertionResponse) (url.Values, error) {
	form, ok := tokenForms[sendOf(assertion)]
	if !ok {
		return nil, fmt.Errorf("the assertion of grant %q goes into no token request: %s", assertion.Grant, cmp.Or(unsendable[assertion.Send], "ask for it alone and send it as its receiver says"))
	}
	if req.URL == "" {
		return nil, fmt.Errorf("the assertion of grant %q goes to a token endpoint: name its URL", assertion.Grant)
	}
	fixed := maps.Clone(form.fixed)
	if fixed == nil {
		fixed = make(map[string]string)
	}
	fixed[form.assertion] = assertion.Assertion
	if form.kind != "" {
		fixed[form.kind] = assertion.AssertionType
	}
	return req.merge(fixed, form.initial)
}

// merge puts the parameters of the form over those of the caller, who may
// replace none but the initial ones.
func (req TokenRequest) merge(fixed, initial map[string]string) (url.Values, error) {
	values := url.Values{}
	for name, value := range initial {
		values.Set(name, value)
	}
	for name, given := range req.Parameters {
		if _, taken := fixed[name]; taken || slices.Contains(ownParameters, name) {
			return nil, fmt.Errorf("the parameter %q can't be set by hand: it follows from the request", name)
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

// ownParameters have a field of TokenRequest.
var ownParameters = []string{"scope", "client_id", "resource"}

// check finds what no assertion is needed to know.
func (req TokenRequest) check() error {
	if req.URL == "" {
		return nil
	}
	if err := checkEndpoint(req.URL); err != nil {
		return fmt.Errorf("%w: %w", ErrTokenEndpoint, err)
	}
	return nil
}

// checkEndpoint refuses to send a credential in the clear over a network.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	loopback := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return fmt.Errorf("%q is not an https URL; plain http is for loopback alone", endpoint)
	}
	return nil
}

// newFormRequest makes a request whose body net/http can't read again: neither
// a redirect nor a repeated attempt of its own then sends an assertion twice.
func newFormRequest(ctx context.Context, endpoint string, values url.Values) (*http.Request, error) {
	body := values.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenEndpoint, err)
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	return request, nil
}
