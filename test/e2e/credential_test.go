package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2/google/externalaccount"
)

// Google's library runs assertctl, trades its assertion, and shows people why
// there was none.
func TestGoogleLibraryRunsExecCredential(t *testing.T) {
	d := startDev(t)
	var sent url.Values
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		sent = r.PostForm
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"access_token": "granted", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
			"token_type": "Bearer", "expires_in": 3600,
		})
	}))
	defer sts.Close()
	t.Setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
	t.Setenv("ASSERTD_SOCKET", d.socket)
	token := func(grant string) (string, error) {
		source, err := externalaccount.NewTokenSource(t.Context(), externalaccount.Config{
			Audience:         "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/prod/providers/assertd",
			SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt", TokenURL: sts.URL,
			CredentialSource: &externalaccount.CredentialSource{Executable: &externalaccount.ExecutableConfig{
				Command: filepath.Join(binaries, "assertctl") + " exec-credential --grant " + grant,
			}},
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
	if got, err := token("example"); err != nil || got != "granted" || !strings.HasPrefix(sent.Get("subject_token"), "ey") {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := token("other"); err == nil || !strings.Contains(err.Error(), `no grant "other"`) {
		t.Errorf("a refusal: %v", err)
	}
}
