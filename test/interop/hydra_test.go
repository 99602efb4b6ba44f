//go:build hydra

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
)

// hydra is a running Ory Hydra with a database in memory. It listens on Unix
// sockets, so that no port can be taken before it listens.
type hydra struct {
	issuer string // a proxy in front of its public socket
	admin  *http.Client
	log    *journal
}

func startHydra(t *testing.T) hydra {
	t.Helper()
	program := os.Getenv("HYDRA")
	if program == "" {
		t.Fatal("HYDRA doesn't name Ory Hydra's program; run: make interop-all")
	}
	dir, err := os.MkdirTemp("", "hydra") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	public, admin := filepath.Join(dir, "public"), filepath.Join(dir, "admin")
	target := &url.URL{Scheme: "http", Host: "hydra"}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Transport: overSocket(public), Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	})
	t.Cleanup(front.Close)
	h := hydra{issuer: front.URL, admin: &http.Client{Transport: overSocket(admin)}, log: new(journal)}
	command := exec.Command(program, "serve", "all", "--dev", "--sqa-opt-out")
	command.Env = append(os.Environ(), "DSN=memory", "SECRETS_SYSTEM=for one run of one test only",
		"URLS_SELF_ISSUER="+h.issuer, "SERVE_PUBLIC_HOST=unix:"+public, "SERVE_ADMIN_HOST=unix:"+admin)
	command.Stdout, command.Stderr = h.log, h.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = command.Wait() // a request that fails says more
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		stuck := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
		<-exited
		stuck.Stop()
	})
	h.awaitReady(t, exited)
	return h
}

// overSocket connects to a Unix socket, whatever the URL. It keeps no
// connections, which would hold up the end of Hydra.
func overSocket(path string) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}
}

func (h hydra) awaitReady(t *testing.T, exited <-chan struct{}) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		response, err := h.admin.Get("http://hydra/health/ready")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("Hydra is not ready: %v\n%s", err, h.log.text())
		}
		select {
		case <-exited:
			t.Fatalf("Hydra ended:\n%s", h.log.text())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// create has the operator's API create something.
func (h hydra) create(t *testing.T, path string, document any) {
	t.Helper()
	response, err := h.admin.Post("http://hydra/admin"+path, "application/json", strings.NewReader(asJSON(t, document)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("%s: %s: %s", path, response.Status, text)
	}
}

// owner returns the client ID and the subject of an access token.
func (h hydra) owner(t *testing.T, accessToken string) (clientID, subject string) {
	t.Helper()
	response, err := h.admin.PostForm("http://hydra/admin/oauth2/introspect", url.Values{"token": {accessToken}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var state struct {
		Active   bool   `json:"active"`
		ClientID string `json:"client_id"`
		Subject  string `json:"sub"`
	}
	if err := json.NewDecoder(response.Body).Decode(&state); err != nil || !state.Active {
		t.Fatalf("%s: the token is not active: %v", response.Status, err)
	}
	return state.ClientID, state.Subject
}

// registerClient registers a client with the daemon's keys.
func (h hydra) registerClient(t *testing.T, id, jwksURL string) {
	t.Helper()
	h.create(t, "/clients", map[string]any{
		"client_id": id, "grant_types": []string{"client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, "scope": "read",
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256", "jwks_uri": jwksURL,
	})
}

// trust has Hydra take assertions of an issuer about a subject, with the key of
// one of the daemon's key sets.
func (h hydra) trust(t *testing.T, d *daemon, issuer, subject, kid string) {
	t.Helper()
	text, err := d.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if key["kid"] == kid {
			h.create(t, "/trust/grants/jwt-bearer/issuers", map[string]any{
				"issuer": issuer, "subject": subject, "scope": []string{"read"}, "jwk": key, "expires_at": time.Now().Add(time.Hour),
			})
			return
		}
	}
	t.Fatalf("the JWKS has no key %s", kid)
}

// TestHydra gets access tokens from Ory Hydra, by client credentials and by the
// JWT bearer grant.
func TestHydra(t *testing.T) {
	h := startHydra(t)
	endpoint := h.issuer + "/oauth2/token"
	k := newToken(t)
	keys := k.generate(t, newKey{Set: "payments", Type: hsm.P256}, newKey{Set: "batch", Type: hsm.RSA2048})
	d := start(t, k, fmt.Sprintf(`
keys:
  payments: {alg: ES256, use: assertion}
  batch: {alg: RS256, use: assertion}
clients:
  - name: payments-api
    match: {uid: %[1]d}
    grants:
      - {name: client, key: payments, profile: hydra, client_id: %[2]s, audiences: [%[3]q, %[4]q]}
      - {name: batch, key: batch, profile: jwt-bearer, issuer: "https://id.example.com", subject: batch-7, audiences: [%[3]q]}
      - {name: stranger, key: batch, profile: jwt-bearer, issuer: "https://stranger.example", subject: batch-7, audiences: [%[3]q]}
jwks: {listen: "127.0.0.1:0"}
`, os.Getuid(), payments, endpoint, h.issuer))
	h.registerClient(t, payments, d.jwksURL)
	h.trust(t, d, "https://id.example.com", "batch-7", keys[1].Kid)

	t.Run("client credentials", func(t *testing.T) { h.clientCredentials(t, d, endpoint) })
	t.Run("JWT bearer grant", func(t *testing.T) { h.bearerGrant(t, d, endpoint) })
}

func (h hydra) clientCredentials(t *testing.T, d *daemon, endpoint string) {
	answer := d.accessToken(t, "--url", endpoint, "--grant", "client", "--audience", endpoint, "--scope", "read")
	if id, _ := h.owner(t, answer.AccessToken); id != payments {
		t.Errorf("the access token belongs to client %q", id)
	}
	good := func() ipc.AssertionResponse {
		return d.assertion(t, ipc.AssertionRequest{Grant: "client", Audience: endpoint})
	}
	used := good()
	if answer, err := post(t.Context(), endpoint, clientCredentials(used.Assertion)); err != nil || answer.Error != "" {
		t.Fatalf("a fresh assertion: %+v, %v", answer, err)
	}
	for name, bad := range map[string]struct{ assertion, want string }{
		"a replay":                       {used.Assertion, "jti_known"},
		"the issuer as audience":         {d.assertion(t, ipc.AssertionRequest{Grant: "client", Audience: h.issuer}).Assertion, "invalid_client"},
		"a foreign key under our kid":    {forge(t, good().Assertion, used.Kid), "invalid_client"},
		"claims under another signature": {splice(used.Assertion, good().Assertion), "invalid_client"},
	} {
		if answer, err := post(t.Context(), endpoint, clientCredentials(bad.assertion)); err != nil || answer.Error != bad.want {
			t.Errorf("%s: %+v, %v; want the error %s", name, answer, err, bad.want)
		}
	}
}

// bearerGrant sends two assertions in one request: Hydra wants to know which
// client brings the grant.
func (h hydra) bearerGrant(t *testing.T, d *daemon, endpoint string) {
	both := client.TokenRequest{
		URL: endpoint, Scope: "read", Assertion: ipc.AssertionRequest{Grant: "batch"},
		ClientAuth: &ipc.AssertionRequest{Grant: "client", Audience: endpoint},
	}
	token, err := d.Token(t.Context(), both)
	if err != nil {
		t.Fatal(err)
	}
	if id, subject := h.owner(t, token.AccessToken); id != payments || subject != "batch-7" {
		t.Errorf("the access token is for %q, got by client %q", subject, id)
	}
	var refused *client.TokenError
	both.Assertion.Grant = "stranger"
	if _, err := d.Token(t.Context(), both); !errors.As(err, &refused) || refused.Code != "invalid_grant" {
		t.Errorf("an untrusted issuer: %v", err)
	}
	both.Assertion.Grant, both.ClientAuth = "batch", nil
	if _, err := d.Token(t.Context(), both); !errors.As(err, &refused) || refused.Status/100 != 4 {
		t.Errorf("without client authentication: %v", err)
	}
}
