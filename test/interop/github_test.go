package interop

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	golangjwt "github.com/golang-jwt/jwt/v4"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer/profile"
)

// TestImportedGitHubAppKey imports the private key of a GitHub App, as GitHub
// hands it out, and signs the app's JWT with it. GitHub knows only the public
// half of the file.
func TestImportedGitHubAppKey(t *testing.T) {
	app, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k := newToken(t)
	kid := importKey(t, k, app)
	p, _ := profile.Lookup("github-app")
	g := exampleGrant(p)
	g.Key = "github"
	keys := map[string]any{"github": map[string]any{"alg": "RS256", "use": "assertion", "accept": "imported"}}
	clients := []any{map[string]any{"name": "ci", "match": map[string]any{"uid": os.Getuid()}, "grants": []grant{g}}}
	d := start(t, k, "keys: "+asJSON(t, keys)+"\nclients: "+asJSON(t, clients)+"\njwks: {listen: \"127.0.0.1:0\"}\n")
	request := ipc.AssertionRequest{Grant: g.Name}
	answer, other := d.assertion(t, request), d.assertion(t, request)
	verifyAsGitHub(t, answer.Assertion, app, g.ClientID)
	s := specimen{Name: g.Name, Alg: answer.Alg, Kid: kid, Assertion: answer.Assertion, Spoiled: splice(answer.Assertion, respell(t, other.Assertion))}
	set, err := jwk.Fetch(t.Context(), d.jwksURL)
	if err != nil {
		t.Fatal(err)
	}
	verifyByJWX(t, set, s)
	servers := startNode(t)
	servers.serve(t, d.jwksURL, nil, nil)
	verifyByJOSE(t, servers, s)
	useByGHInstallation(t, d, app, g)
}

// appSigner gives ghinstallation the app's JWT. The daemon writes its claims.
type appSigner struct {
	assert func(context.Context) (string, error)
}

func (s appSigner) Sign(golangjwt.Claims) (string, error) { return s.assert(context.Background()) }

// useByGHInstallation gets an installation's access token with ghinstallation
// from a server that checks the app's JWT as GitHub does, and calls the API
// with it.
func useByGHInstallation(t *testing.T, d *daemon, app *rsa.PrivateKey, g grant) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /app/installations/7/access_tokens", func(w http.ResponseWriter, r *http.Request) {
		assertion, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		verifyAsGitHub(t, assertion, app, g.ClientID)
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"token": "ghs_of_a_test", "expires_at": time.Now().Add(time.Hour)})
	})
	mux.HandleFunc("GET /installation/repositories", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	})
	github := httptest.NewServer(mux)
	defer github.Close()
	transport, err := ghinstallation.NewAppsTransportWithOptions(http.DefaultTransport, 1,
		ghinstallation.WithSigner(appSigner{d.AssertFunc(ipc.AssertionRequest{Grant: g.Name})}))
	if err != nil {
		t.Fatal(err)
	}
	installation := ghinstallation.NewFromAppsTransport(transport, 7)
	installation.BaseURL = github.URL
	response, err := (&http.Client{Transport: installation}).Get(github.URL + "/installation/repositories")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || string(text) != "token ghs_of_a_test" {
		t.Errorf("the API was called with %q, %v", text, err)
	}
}

// importKey runs assertd key import on a PKCS #1 file and returns the kid.
func importKey(t *testing.T, k token, key *rsa.PrivateKey) (kid string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.private-key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary(t, "assertd"), "key", "import", path, "--as", "github", "--alg", "RS256",
		"--module", k.Module, "--serial", k.Serial, "--pin-file", k.PINFile())
	command.Env = append(environment(), "SOFTHSM2_CONF="+k.ConfFile)
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "custody  imported") {
		t.Fatalf("%v: %s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "kid ")
	return strings.Fields(rest)[0]
}

// verifyAsGitHub checks what GitHub's documentation asks of an app's JWT:
// RS256, the app's client ID as issuer, and an expiry within ten minutes.
func verifyAsGitHub(t *testing.T, assertion string, app *rsa.PrivateKey, clientID string) {
	t.Helper()
	token, err := jwt.ParseString(assertion, jwt.WithKey(jwa.RS256(), app.Public()), jwt.WithIssuer(clientID), jwt.WithRequiredClaim("iat"),
		jwt.WithRequiredClaim("exp"))
	if err != nil {
		t.Error(err)
		return
	}
	issued, _ := token.IssuedAt()
	expires, _ := token.Expiration()
	if life := expires.Sub(issued); life <= 0 || life > 10*time.Minute || issued.After(time.Now()) {
		t.Errorf("issued %v, expires %v", issued, expires)
	}
}
