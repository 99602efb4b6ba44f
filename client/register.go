package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrRegistration matches every error of [Register].
var ErrRegistration = errors.New("client registration failed")

// Registration is a dynamic client registration (RFC 7591) for a client that
// authenticates with assertions.
type Registration struct {
	URL string // the registration endpoint; https, or http on loopback
	// Metadata is the client metadata (RFC 7591 section 2), such as
	// client_name, redirect_uris and scope. The fields below are added to it.
	Metadata map[string]any
	// JWKSURI is where the public keys are published. Set either JWKSURI or
	// JWKS. Prefer JWKSURI: the server then sees key rotations.
	JWKSURI string
	JWKS    json.RawMessage
	Alg     string // token_endpoint_auth_signing_alg
	// InitialToken is the initial access token (RFC 7591 section 1.2). Leave it
	// empty if registration is open.
	InitialToken string
	HTTP         *http.Client // as in TokenRequest
}

// Register registers a client and returns the server's response (RFC 7591
// section 3.2.1). It may contain a registration_access_token, so treat it as a
// secret.
func Register(ctx context.Context, r Registration) (json.RawMessage, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRegistration, err)
	}
	request.GetBody = nil // so that net/http can't send the access token to a redirect
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if r.InitialToken != "" {
		request.Header.Set("Authorization", "Bearer "+r.InitialToken)
	}
	response, err := httpClient(r.HTTP).Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w%s", ErrRegistration, err, trustRemedy(err))
	}
	defer response.Body.Close()
	return parseRegistration(response, []string{r.InitialToken})
}

// body is the metadata, with what the server needs to verify assertions.
func (r Registration) body() ([]byte, error) {
	if err := checkEndpoint(r.URL); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRegistration, err)
	}
	if (r.JWKSURI == "") == (r.JWKS == nil) {
		return nil, fmt.Errorf("%w: set either JWKSURI or JWKS, not both (RFC 7591 section 2)", ErrRegistration)
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

func parseRegistration(response *http.Response, secrets []string) (json.RawMessage, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxTokenResponse))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRegistration, err)
	}
	text = bytes.TrimPrefix(text, bom)
	if registered(response, text) {
		return text, nil
	}
	found := registrationEndpoint.refusal(response, text, secrets)
	remedy := ""
	if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
		remedy = "; give a valid initial access token"
	}
	return nil, fmt.Errorf("%w: HTTP %s: %s%s", ErrRegistration, statusLine(response), found, remedy)
}

// registered reports whether a response describes a client. Without a client_id
// (RFC 7591 section 3.2.1), it may be an error with status 200.
func registered(response *http.Response, text []byte) bool {
	var client struct {
		ID any `json:"client_id"`
	}
	return response.StatusCode/100 == 2 && json.Unmarshal(text, &client) == nil && client.ID != nil
}
