package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// ErrRegistration is the kind of everything that goes wrong when a client is
// registered.
var ErrRegistration = errors.New("the client was not registered")

// Registration is a dynamic client registration (RFC 7591) of a client that
// authenticates by assertions.
type Registration struct {
	URL string // the registration endpoint; https, or http on loopback
	// Metadata are the client's metadata (RFC 7591 section 2), such as client_name,
	// redirect_uris, scope. What follows below is added to them.
	Metadata map[string]any
	JWKSURI  string          // where the public keys are published: the way to go, since it follows rotations
	JWKS     json.RawMessage // or the keys themselves; exactly one of the two
	Alg      string          // token_endpoint_auth_signing_alg
	// InitialToken is the initial access token (RFC 7591 section 1.2), empty where
	// the server takes registrations from anybody.
	InitialToken string
	HTTP         *http.Client // as in TokenRequest
}

// Register registers a client and returns the server's answer (RFC 7591 section
// 3.2.1), which may hold a registration_access_token: keep it as a secret.
func Register(ctx context.Context, r Registration) (json.RawMessage, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRegistration, err)
	}
	request.GetBody = nil // an access token goes to the named URL and nowhere else
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if r.InitialToken != "" {
		request.Header.Set("Authorization", "Bearer "+r.InitialToken)
	}
	response, err := httpClient(r.HTTP).Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRegistration, err)
	}
	defer response.Body.Close()
	return registered(response)
}

// body are the metadata with what assertions need.
func (r Registration) body() ([]byte, error) {
	if err := checkEndpoint(r.URL); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRegistration, err)
	}
	if (r.JWKSURI == "") == (r.JWKS == nil) {
		return nil, fmt.Errorf("%w: give the keys either by jwks_uri or as jwks, not both (RFC 7591 section 2)", ErrRegistration)
	}
	metadata := map[string]any{"grant_types": []string{"client_credentials"}}
	for name, value := range r.Metadata {
		metadata[name] = value
	}
	metadata["token_endpoint_auth_method"] = "private_key_jwt"
	delete(metadata, "jwks")
	delete(metadata, "jwks_uri")
	if r.JWKSURI != "" {
		metadata["jwks_uri"] = r.JWKSURI
	} else {
		metadata["jwks"] = r.JWKS
	}
	if r.Alg != "" {
		metadata["token_endpoint_auth_signing_alg"] = r.Alg
	}
	return json.Marshal(metadata)
}

func registered(response *http.Response) (json.RawMessage, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxTokenAnswer))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrRegistration, err)
	case !json.Valid(text):
		return nil, fmt.Errorf("%w: HTTP %s with %s instead of JSON; is this the registration endpoint's URL?", ErrRegistration, response.Status, contentKind(response))
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("%w: HTTP %s: the server wants an initial access token, or another one", ErrRegistration, response.Status)
	case response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusOK:
		code, description := oauthError(text)
		return nil, fmt.Errorf("%w: HTTP %s: %s", ErrRegistration, response.Status, strings.Trim(code+": "+description, ": "))
	}
	return text, nil
}
