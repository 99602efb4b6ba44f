package client

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

func TestVaultLogin(t *testing.T) {
	var sent map[string]string
	var header http.Header
	status, body := http.StatusOK, `{"request_id":"r","auth":{"client_token":"hvs.secret","lease_duration":3600,"policies":["default"]}}`
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, header = nil, r.Header
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write([]byte(body))
	}))
	defer vault.Close()
	c, _ := numbered(t, ipc.SendVaultLogin)
	req := TokenRequest{URL: vault.URL + "/v1/auth/jwt/login", Parameters: url.Values{"role": {"payments"}, "namespace": {"team"}}}
	token, err := c.Token(t.Context(), req)
	if err != nil || token.AccessToken != "hvs.secret" || token.TokenType != "Bearer" {
		t.Fatalf("got %#v, %v", token, err)
	}
	if left := time.Until(token.Expiry); left < 59*time.Minute || left > time.Hour {
		t.Errorf("expires in %v", left)
	}
	if !maps.Equal(sent, map[string]string{"role": "payments", "jwt": "assertion-1"}) || header.Get("X-Vault-Namespace") != "team" || header.Get("Content-Type") != "application/json" {
		t.Errorf("sent %v, %v", sent, header)
	}
	status, body = http.StatusBadRequest, `{"errors":["error validating token: invalid audience (aud) claim: assertion-2"]}`
	var failed *TokenError
	if _, err := c.Token(t.Context(), req); !errors.As(err, &failed) || !strings.Contains(err.Error(), "invalid audience") || strings.Contains(err.Error(), "assertion-2") {
		t.Errorf("a refusal: %v", err)
	}
	status, body = http.StatusOK, `{"auth":{"mfa_requirement":{}}}`
	if _, err := c.Token(t.Context(), req); err == nil || !strings.Contains(err.Error(), "no client_token in the response") {
		t.Errorf("no token: %v", err)
	}
	for says, req := range map[string]TokenRequest{
		"takes no scope":        {URL: vault.URL, Scope: "read"},
		"takes one role, not 2": {URL: vault.URL, Parameters: url.Values{"role": {"a", "b"}}},
		"cannot be set by hand": {URL: vault.URL, Parameters: url.Values{"jwt": {"x"}}},
	} {
		if _, err := c.Token(t.Context(), req); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
