package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	spiffefederation "github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/jwks"
)

// A trust domain's bundle has the keys of JWT-SVIDs, and no others: a verifier
// trusts each key for every identity.
func TestSPIFFEBundle(t *testing.T) {
	k := newToken(t)
	k.generate(t, newKey{Set: "svid", Type: hsm.P256}, newKey{Set: "oauth", Type: hsm.P256})
	d := start(t, k, fmt.Sprintf(`
keys:
  svid: {alg: ES256, use: assertion}
  oauth: {alg: ES256, use: assertion}
clients:
  - name: payments
    match: {uid: %d}
    grants:
      - {name: svid, key: svid, profile: spiffe-jwt-svid, subject: "spiffe://example.org/payments", audiences: ["spiffe://example.org/reports"]}
      - {name: oauth, key: oauth, profile: private_key_jwt, client_id: c, audiences: ["https://as.example.com"]}
jwks: {listen: "127.0.0.1:0"}
`, os.Getuid()))
	location := strings.TrimSuffix(d.jwksURL, jwks.SetPath) + jwks.BundlePathPrefix + "example.org.json"
	response, err := http.Get(location)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var served jose.JSONWebKeySet
	if err := json.NewDecoder(response.Body).Decode(&served); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("HTTP %s: %v", response.Status, err)
	}
	svid := d.assertion(t, ipc.AssertionRequest{Grant: "svid"})
	parsed, err := jwt.ParseSigned(svid.Assertion, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if keys := served.Key(svid.Kid); len(served.Keys) != 1 || len(keys) != 1 || keys[0].Use != "jwt-svid" {
		t.Fatalf("got %+v", served.Keys)
	} else if err := parsed.Claims(keys[0], &claims); err != nil || claims.Subject != "spiffe://example.org/payments" {
		t.Errorf("got %+v, %v", claims, err)
	}
	command := exec.Command(binary(t, "assertd"), "jwks", "--spiffe", "--config", d.config)
	command.Env = environment()
	out, err := command.Output()
	var printed jose.JSONWebKeySet
	if err != nil || json.Unmarshal(out, &printed) != nil || len(printed.Keys) != 1 || printed.Keys[0].KeyID != svid.Kid || printed.Keys[0].Use != "jwt-svid" {
		t.Errorf("assertd jwks --spiffe: %s, %v", out, err)
	}
}

// TestGoSPIFFE validates a JWT-SVID with go-spiffe, which fetches the trust
// domain's bundle from its https endpoint.
func TestGoSPIFFE(t *testing.T) {
	f := startFederation(t)
	domain := spiffeid.RequireTrustDomainFromString("example.org")
	location := f.issuer + jwks.BundlePathPrefix + "example.org.json"
	roots := f.trust.Transport.(*http.Transport).TLSClientConfig.RootCAs
	bundle, err := spiffefederation.FetchBundle(t.Context(), domain, location, spiffefederation.WithWebPKIRoots(roots))
	if err != nil {
		t.Fatal(err)
	}
	assertion := f.assertion(t, ipc.AssertionRequest{Grant: "svid"}).Assertion
	svid, err := jwtsvid.ParseAndValidate(assertion, bundle, []string{"spiffe://example.org/reports"})
	if err != nil || svid.ID.String() != "spiffe://example.org/payments" {
		t.Errorf("got %v, %v", svid, err)
	}
	if _, err := jwtsvid.ParseAndValidate(assertion, bundle, []string{"spiffe://example.org/other"}); err == nil {
		t.Error("go-spiffe accepts another audience")
	}
	other := f.assertion(t, ipc.AssertionRequest{Grant: "aws"}).Assertion
	if _, err := jwtsvid.ParseAndValidate(other, bundle, []string{awsAudience}); err == nil {
		t.Error("go-spiffe accepts a key that is not for JWT-SVIDs")
	}
}
