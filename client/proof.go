package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/assertd/assertd/internal/uri"
	"github.com/assertd/assertd/ipc"
)

// Proof describes a DPoP proof (RFC 9449 section 4.2).
type Proof struct {
	Grant       string // a grant whose profile is dpop
	Method, URL string // of the request; the proof has its normal form, without query and fragment
	Nonce       string // the server's last DPoP-Nonce, if any
	AccessToken string // the token sent with the request; empty at the token endpoint
}

// Proof returns a fresh DPoP proof for one request: the value of its DPoP
// header.
func (c *Client) Proof(ctx context.Context, p Proof) (string, error) {
	target, err := uri.Normalize(p.URL)
	if err != nil {
		return "", fmt.Errorf("DPoP: the URL %q %w", p.URL, err)
	}
	claims := map[string]string{"htm": p.Method, "htu": target}
	if p.Nonce != "" {
		claims["nonce"] = p.Nonce
	}
	if p.AccessToken != "" {
		digest := sha256.Sum256([]byte(p.AccessToken))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	answer, err := c.Assert(ctx, ipc.AssertionRequest{Grant: p.Grant, Claims: stringClaims(claims)})
	if err != nil {
		return "", fmt.Errorf("DPoP: %w", err)
	}
	if answer.Send != ipc.SendDPoP {
		return "", fmt.Errorf("DPoP: grant %q does not make DPoP proofs; name a grant whose profile is dpop", p.Grant)
	}
	return answer.Assertion, nil
}

func stringClaims(claims map[string]string) map[string]json.RawMessage {
	raw := make(map[string]json.RawMessage, len(claims))
	for name, value := range claims {
		text, err := json.Marshal(value)
		if err != nil {
			continue // a string always marshals
		}
		raw[name] = text
	}
	return raw
}
