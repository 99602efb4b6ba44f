package interop

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// TestGoogleExternalAccount gets an access token with Google's libraries for Go
// and Node, which run assertctl exec-credential.
func TestGoogleExternalAccount(t *testing.T) {
	t.Setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
	f := startFederation(t)
	server := startGoogleSTS(t, f)
	timeout := 120_000 // milliseconds, the most that the libraries allow
	for name, exchange := range map[string]func(*testing.T, externalaccount.Config) (string, error){"Go": exchangeByGo, "Node": exchangeByNode} {
		t.Run(name, func(t *testing.T) {
			by := func(grant string) (string, error) {
				command := binary(t, "assertctl") + " --socket " + f.socket + " exec-credential --grant " + grant
				return exchange(t, externalaccount.Config{
					Audience: googleAudience, SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt", TokenURL: server.URL,
					Scopes:           []string{"https://www.googleapis.com/auth/cloud-platform"},
					CredentialSource: &externalaccount.CredentialSource{Executable: &externalaccount.ExecutableConfig{Command: command, TimeoutMillis: &timeout}},
				})
			}
			if got, err := by("google"); err != nil || got != "ya29.of-a-test" {
				t.Errorf("got %q, %v", got, err)
			}
			if _, err := by("stranger"); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
				t.Errorf("another audience: %v", err)
			}
			if _, err := by("none"); err == nil || !strings.Contains(err.Error(), "has no such grant") {
				t.Errorf("no grant: %v", err)
			}
		})
	}
}

func exchangeByGo(t *testing.T, config externalaccount.Config) (accessToken string, err error) {
	source, err := externalaccount.NewTokenSource(t.Context(), config)
	if err != nil {
		return "", err
	}
	token, err := source.Token()
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

func exchangeByNode(t *testing.T, config externalaccount.Config) (accessToken string, err error) {
	file := filepath.Join(t.TempDir(), "credentials.json")
	executable := config.CredentialSource.Executable
	text := asJSON(t, map[string]any{
		"type": "external_account", "audience": config.Audience, "subject_token_type": config.SubjectTokenType, "token_url": config.TokenURL,
		"credential_source": map[string]any{"executable": map[string]any{"command": executable.Command, "timeout_millis": *executable.TimeoutMillis}},
	})
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", err
	}
	return runCloud(t, nil, "google", file)
}
