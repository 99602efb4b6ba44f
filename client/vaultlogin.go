package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// namespaceParameter is sent as the header X-Vault-Namespace.
const namespaceParameter = "namespace"

// newLoginRequest returns a login at the JWT auth method of OpenBao or Vault,
// whose parameters are JSON.
func newLoginRequest(ctx context.Context, endpoint string, values url.Values) (*http.Request, error) {
	members := make(map[string]string, len(values))
	for name, given := range values {
		switch {
		case slices.Contains(ownParameters, name):
			return nil, fmt.Errorf("a login at Vault takes no %s; name a role instead", name)
		case len(given) != 1:
			return nil, fmt.Errorf("a login at Vault takes one %s, not %d", name, len(given))
		case name != namespaceParameter:
			members[name] = given[0]
		}
	}
	body, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	request, err := newPost(ctx, endpoint, "application/json", string(body))
	if err != nil {
		return nil, err
	}
	// Agents and proxies refuse requests without this, since browsers can't add
	// it.
	request.Header.Set("X-Vault-Request", "true")
	if namespace := values.Get(namespaceParameter); namespace != "" {
		request.Header.Set("X-Vault-Namespace", namespace)
	}
	return request, nil
}

// parseLogin reads the response of a login. The token goes into X-Vault-Token,
// or like a bearer token into Authorization.
func parseLogin(text []byte, now time.Time) (Token, bool) {
	var login struct {
		Auth struct {
			ClientToken   string `json:"client_token"`
			LeaseDuration int64  `json:"lease_duration"` // seconds; 0 for a token without an end
		} `json:"auth"`
	}
	if err := json.Unmarshal(text, &login); err != nil || login.Auth.ClientToken == "" {
		return Token{}, false
	}
	token := Token{AccessToken: login.Auth.ClientToken, TokenType: "Bearer", Raw: text}
	if lease := login.Auth.LeaseDuration; lease > 0 && lease <= maxExpiresIn {
		token.Expiry = now.Add(time.Duration(lease) * time.Second)
	}
	return token, true
}
