package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRegister(t *testing.T) {
	var got map[string]any
	var authorization string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		got = nil
		json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(http.StatusCreated)
		answer(w, map[string]string{"client_id": "c", "registration_access_token": "r"})
	}))
	defer s.Close()
	text, err := Register(t.Context(), Registration{
		URL: s.URL, JWKSURI: "https://keys.example/jwks.json", Alg: "ES256", InitialToken: "initial",
		Metadata: map[string]any{"client_name": "n", "jwks": "dropped", "token_endpoint_auth_method": "none"},
	})
	if err != nil || !strings.Contains(string(text), `"client_id":"c"`) || authorization != "Bearer initial" {
		t.Fatalf("got %s, %v, %s", text, err, authorization)
	}
	for name, want := range map[string]any{
		"client_name": "n", "jwks_uri": "https://keys.example/jwks.json", "jwks": nil,
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if _, err := Register(t.Context(), Registration{URL: s.URL, JWKS: json.RawMessage(`{"keys":[]}`)}); err != nil || got["jwks_uri"] != nil || got["jwks"] == nil {
		t.Errorf("inline: %v, %v", err, got)
	}
}

func TestRegisterRefusals(t *testing.T) {
	status, body := http.StatusOK, ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	}))
	defer s.Close()
	for _, row := range []struct {
		name, url, uri string
		status         int
		body, says     string
	}{
		{"plain http", "http://as.example/r", "https://k.example", 0, "", "plain http"},
		{"no keys", s.URL, "", 0, "", "either"},
		{"a page", s.URL, "https://k.example", 200, "<html>", "is this the registration endpoint"},
		{"unauthorized", s.URL, "https://k.example", 401, "{}", "initial access token"},
		{"bad metadata", s.URL, "https://k.example", 400, `{"error":"invalid_client_metadata","error_description":"no name"}`, "invalid_client_metadata: no name"},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, body = row.status, row.body
			_, err := Register(t.Context(), Registration{URL: row.url, JWKSURI: row.uri})
			if !errors.Is(err, ErrRegistration) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}
