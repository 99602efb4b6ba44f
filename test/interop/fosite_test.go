package interop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/interop/authserver"
)

// newAuthServer creates an authorization server without clients or issuers.
// Register them, then call serve.
func newAuthServer(t *testing.T) *authserver.Server {
	t.Helper()
	s, err := authserver.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// serve serves until the test ends.
func serve(t *testing.T, s *authserver.Server) {
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// owner returns the client ID and the subject that an access token belongs to.
func owner(t *testing.T, s *authserver.Server, accessToken string) (clientID, subject string) {
	t.Helper()
	clientID, subject, err := s.Owner(t.Context(), accessToken)
	if err != nil {
		t.Fatal(err)
	}
	return clientID, subject
}

// oauthAnswer is a token response (RFC 6749 sections 5.1 and 5.2).
type oauthAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// web uses a new connection for each request. Node closes a connection that was
// idle for five seconds, and a POST that is sent at that moment fails.
var web = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// post sends a token request.
func post(ctx context.Context, endpoint string, form url.Values) (answer oauthAnswer, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return answer, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := web.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("%s: %w", response.Status, err)
	}
	if (answer.AccessToken == "") == (answer.Error == "") {
		return answer, errors.New("neither a token nor an error: " + response.Status)
	}
	return answer, nil
}

// clientCredentials returns the form of RFC 7523 section 2.2.
func clientCredentials(assertion string) url.Values {
	return url.Values{
		"grant_type": {"client_credentials"}, "scope": {"read"},
		"client_assertion_type": {ipc.AssertionType}, "client_assertion": {assertion},
	}
}

func TestFositeClientAuthentication(t *testing.T) {
	server := newAuthServer(t)
	k := newToken(t)
	kid := k.generate(t, newKey{Set: "payments", Type: hsm.P256})[0].Kid
	d := start(t, k, fmt.Sprintf(`
keys:
  payments: {alg: ES256, use: assertion}
clients:
  - name: payments-api
    match: {uid: %d}
    grants:
      - name: fosite
        key: payments
        profile: private_key_jwt
        client_id: 9f3c0c
        audiences: [%q, "https://other.example/token"]
jwks: {listen: "127.0.0.1:0"}
`, os.Getuid(), server.TokenURL()))
	server.Register("9f3c0c", "ES256", d.jwksURL)
	serve(t, server)

	t.Run("assertctl gets an access token", func(t *testing.T) {
		answer := d.accessToken(t, "--url", server.TokenURL(), "--audience", server.TokenURL(), "--scope", "read")
		if client, _ := owner(t, server, answer.AccessToken); client != "9f3c0c" {
			t.Errorf("the access token belongs to client %q", client)
		}
		if n := server.Fetches.Load(); n != 1 {
			t.Errorf("the server fetched the JWKS %d times, want 1", n)
		}
	})

	good := func() string { return d.assertion(t, ipc.AssertionRequest{Audience: server.TokenURL()}).Assertion }
	used := good()
	if answer, err := post(t.Context(), server.TokenURL(), clientCredentials(used)); err != nil || answer.Error != "" {
		t.Fatalf("a fresh assertion: %+v, %v", answer, err)
	}
	expiring := d.assertion(t, ipc.AssertionRequest{Audience: server.TokenURL(), LifetimeSeconds: 1})
	for _, test := range []struct {
		name, assertion, want string
	}{
		{"a replay", used, "jti_known"},
		{"another server's audience", d.assertion(t, ipc.AssertionRequest{Audience: "https://other.example/token"}).Assertion, "invalid_client"},
		{"a foreign key under our kid", forge(t, good(), kid), "invalid_client"},
		{"a foreign key under its own kid", forge(t, good(), "foreign"), "invalid_request"},
		{"claims under another signature", splice(used, good()), "invalid_client"},
	} {
		t.Run("refuses "+test.name, func(t *testing.T) {
			answer, err := post(t.Context(), server.TokenURL(), clientCredentials(test.assertion))
			if err != nil || answer.Error != test.want {
				t.Errorf("answer %+v, %v; want the error %s", answer, err, test.want)
			}
		})
	}
	t.Run("refuses one that has expired", func(t *testing.T) {
		<-time.After(time.Until(time.Unix(expiring.ExpiresAt+1, 0)))
		answer, err := post(t.Context(), server.TokenURL(), clientCredentials(expiring.Assertion))
		if err != nil || answer.Error == "" { // Fosite 0.49 has no code of OAuth's for this one
			t.Errorf("answer %+v, %v; want an error", answer, err)
		}
	})
}

// forge signs the claims of an assertion with an unknown key.
func forge(t *testing.T, assertion, kid string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	genuine, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	forged, err := signer.Sign(genuine.UnsafePayloadWithoutVerification())
	if err != nil {
		t.Fatal(err)
	}
	compact, err := forged.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// splice combines the claims of one assertion with the signature of another.
func splice(signed, claims string) string {
	of, with := strings.Split(signed, "."), strings.Split(claims, ".")
	return strings.Join([]string{of[0], with[1], of[2]}, ".")
}

func TestFositeBearerGrant(t *testing.T) {
	server := newAuthServer(t)
	k := newToken(t)
	k.generate(t, newKey{Set: "batch", Type: hsm.RSA2048}, newKey{Set: "stranger", Type: hsm.RSA2048})
	d := start(t, k, fmt.Sprintf(`
keys:
  batch: {alg: PS256, use: assertion}
  stranger: {alg: PS256, use: assertion}
clients:
  - name: batch
    match: {uid: %d}
    grants:
      - {name: batch, key: batch, profile: jwt-bearer, issuer: "https://id.example.com", subject: batch-7, audiences: [%q]}
      - {name: stranger, key: stranger, profile: jwt-bearer, issuer: "https://stranger.example", subject: batch-7, audiences: [%q]}
jwks: {listen: "127.0.0.1:0"}
`, os.Getuid(), server.TokenURL(), server.TokenURL()))
	server.Trust("https://id.example.com", d.jwksURL)
	serve(t, server)

	t.Run("assertctl gets an access token", func(t *testing.T) {
		answer := d.accessToken(t, "--url", server.TokenURL(), "--grant", "batch", "--scope", "read")
		if _, subject := owner(t, server, answer.AccessToken); subject != "batch-7" {
			t.Errorf("the access token belongs to subject %q", subject)
		}
	})
	answer := d.assertion(t, ipc.AssertionRequest{Grant: "batch"})
	form := url.Values{"grant_type": {answer.AssertionType}, "assertion": {answer.Assertion}, "scope": {"read"}}
	if granted, err := post(t.Context(), server.TokenURL(), form); err != nil || granted.Error != "" {
		t.Errorf("a fresh assertion: %+v, %v", granted, err)
	}
	if again, err := post(t.Context(), server.TokenURL(), form); err != nil || again.Error != "jti_known" {
		t.Errorf("a replay: %+v, %v; want the error jti_known", again, err)
	}
	form.Set("assertion", d.assertion(t, ipc.AssertionRequest{Grant: "stranger"}).Assertion)
	if other, err := post(t.Context(), server.TokenURL(), form); err != nil || other.Error != "invalid_grant" {
		t.Errorf("an untrusted issuer: %+v, %v; want the error invalid_grant", other, err)
	}
}

// A server may want to know which client brings an authorization grant.
func TestFositeTwoAssertionsInOneRequest(t *testing.T) {
	server := newAuthServer(t)
	server.Config.GrantTypeJWTBearerCanSkipClientAuth = false
	k := newToken(t)
	k.generate(t, newKey{Set: "payments", Type: hsm.P256}, newKey{Set: "batch", Type: hsm.RSA2048})
	d := start(t, k, fmt.Sprintf(`
keys:
  payments: {alg: ES256, use: assertion}
  batch: {alg: RS256, use: assertion}
clients:
  - name: batch
    match: {uid: %d}
    grants:
      - {name: client, key: payments, profile: hydra, client_id: 9f3c0c, audiences: [%q]}
      - {name: batch, key: batch, profile: jwt-bearer, issuer: "https://id.example.com", subject: batch-7, audiences: [%q]}
jwks: {listen: "127.0.0.1:0"}
`, os.Getuid(), server.TokenURL(), server.TokenURL()))
	server.Register("9f3c0c", "ES256", d.jwksURL)
	server.Trust("https://id.example.com", d.jwksURL)
	serve(t, server)

	answer := d.accessToken(t, "--url", server.TokenURL(), "--grant", "batch", "--client-auth", "client", "--scope", "read")
	if id, subject := owner(t, server, answer.AccessToken); id != "9f3c0c" || subject != "batch-7" {
		t.Errorf("the access token is for %q, got by client %q", subject, id)
	}
	one := client.TokenRequest{URL: server.TokenURL(), Assertion: ipc.AssertionRequest{Grant: "batch"}, Scope: "read"}
	var refused *client.TokenError
	if _, err := d.Token(t.Context(), one); !errors.As(err, &refused) || refused.Code != "invalid_request" && refused.Code != "invalid_client" {
		t.Errorf("without client authentication: %v", err)
	}
}
