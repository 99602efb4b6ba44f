package interop

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2/google/externalaccount"
)

// startGoogleSTS serves Google's token exchange for a workload identity pool
// that trusts the federation. It verifies the subject token.
func startGoogleSTS(t *testing.T, f *federation) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" || r.FormValue("audience") != googleAudience {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_request","error_description":%q}`, "the request is "+r.FormValue("grant_type"))
			return
		}
		if _, err := f.verify(r.Context(), r.FormValue("subject_token"), googleAudience); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, err)
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"ya29.of-a-test","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`))
	}))
	t.Cleanup(server.Close)
	return server
}

// externalAccountCommand is the command of an executable-sourced credential.
func (d *daemon) externalAccountCommand(t *testing.T, grant string) string {
	return binary(t, "assertctl") + " --socket " + d.socket + " exec-credential --grant " + grant
}

// TestGoogleExternalAccount gets an access token with Google's Go library,
// which runs assertctl exec-credential.
func TestGoogleExternalAccount(t *testing.T) {
	t.Setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
	f := startFederation(t)
	server := startGoogleSTS(t, f)
	exchange := func(grant string) (string, error) {
		source, err := externalaccount.NewTokenSource(t.Context(), externalaccount.Config{
			Audience: googleAudience, SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt", TokenURL: server.URL,
			Scopes:           []string{"https://www.googleapis.com/auth/cloud-platform"},
			CredentialSource: &externalaccount.CredentialSource{Executable: &externalaccount.ExecutableConfig{Command: f.externalAccountCommand(t, grant)}},
		})
		if err != nil {
			return "", err
		}
		token, err := source.Token()
		if err != nil {
			return "", err
		}
		return token.AccessToken, nil
	}
	if got, err := exchange("google"); err != nil || got != "ya29.of-a-test" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := exchange("stranger"); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("another audience: %v", err)
	}
	if _, err := exchange("none"); err == nil || !strings.Contains(err.Error(), "has no such grant") {
		t.Errorf("no grant: %v", err)
	}
}
