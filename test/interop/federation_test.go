package interop

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/jwks"
)

// federation is a daemon that is an identity provider. A TLS server in front of
// its JWKS has the issuer's URL.
type federation struct {
	*daemon
	issuer string
	trust  *http.Client // trusts the issuer's certificate
	// uploaded is the certificate of the key of grant certificate.
	uploaded *x509.Certificate
}

// The grants of a federation, and what their receivers want to read.
const (
	payments        = "payments-api" // the subject
	awsAudience     = "sts.amazonaws.com"
	googleAudience  = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/prod/providers/assertd"
	entraAudience   = "api://AzureADTokenExchange"
	clusterAudience = "https://cluster.example.com"
	tenant          = "9188040d-6c67-4c5b-b112-36a304b66dad"
	entraTokenURL   = "https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/token"
)

// startFederation starts a daemon with grants aws, google, entra, certificate,
// cluster and svid, and stranger for an audience that no receiver wants.
func startFederation(t *testing.T) *federation {
	t.Helper()
	published := make(chan *url.URL, 1)
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		address := <-published
		published <- address
		r.SetURL(address)
	}})
	t.Cleanup(front.Close)
	k := newToken(t)
	versions := k.generate(t, newKey{Set: "certificate", Type: hsm.RSA2048, Certified: true}, newKey{Set: "rsa", Type: hsm.RSA2048},
		newKey{Set: "ec", Type: hsm.P256}, newKey{Set: "svid", Type: hsm.P256})
	uploaded, err := x509.ParseCertificate(versions[0].Certificate)
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, k, fmt.Sprintf(`
keys:
  certificate: {alg: PS256, use: assertion}
  rsa: {alg: RS256, use: assertion}
  ec: {alg: ES256, use: assertion}
  svid: {alg: ES256, use: assertion}
clients:
  - name: payments
    match: {uid: %[1]d}
    grants:
      - {name: aws, key: ec, profile: aws-web-identity, issuer: %[2]q, subject: %[3]s, audiences: [%[4]q]}
      - {name: google, key: ec, profile: google-workload-identity, issuer: %[2]q, subject: %[3]s, audiences: [%[5]q]}
      - {name: entra, key: rsa, profile: entra-federated, client_id: %[3]s, issuer: %[2]q, subject: %[3]s, audiences: [%[6]q]}
      - {name: certificate, key: certificate, profile: entra-certificate, client_id: %[3]s, audiences: [%[8]q]}
      - {name: cluster, key: ec, profile: kubernetes-jwt, issuer: %[2]q, subject: %[3]s, audiences: [%[7]q]}
      - {name: svid, key: svid, profile: spiffe-jwt-svid, subject: "spiffe://example.org/payments", audiences: ["spiffe://example.org/reports"]}
      - {name: stranger, key: ec, profile: aws-web-identity, issuer: %[2]q, subject: %[3]s, audiences: ["https://other.example"]}
jwks: {listen: "127.0.0.1:0", issuer: %[2]q}
`, os.Getuid(), front.URL, payments, awsAudience, googleAudience, entraAudience, clusterAudience, entraTokenURL))
	backend, err := url.Parse(d.jwksURL)
	if err != nil {
		t.Fatal(err)
	}
	published <- &url.URL{Scheme: backend.Scheme, Host: backend.Host}
	return &federation{daemon: d, issuer: front.URL, trust: front.Client(), uploaded: uploaded}
}

// verify does what a receiver does that trusts the issuer: it finds the keys by
// the discovery document, and verifies signature, issuer, audience and times.
func (f *federation) verify(ctx context.Context, assertion, audience string) (*oidc.IDToken, error) {
	ctx = oidc.ClientContext(ctx, f.trust)
	provider, err := oidc.NewProvider(ctx, f.issuer)
	if err != nil {
		return nil, err
	}
	token, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: audience}).Verify(ctx, assertion)
	if err == nil && token.Subject != payments {
		return nil, fmt.Errorf("the token is for %q", token.Subject)
	}
	return token, err
}

// TestGoOIDC verifies the tokens of an identity provider with go-oidc.
func TestGoOIDC(t *testing.T) {
	f := startFederation(t)
	for grant, audience := range map[string]string{"aws": awsAudience, "google": googleAudience, "entra": entraAudience, "cluster": clusterAudience} {
		if _, err := f.verify(t.Context(), f.assertion(t, ipc.AssertionRequest{Grant: grant}).Assertion, audience); err != nil {
			t.Errorf("%s: %v", grant, err)
		}
	}
	good := f.assertion(t, ipc.AssertionRequest{Grant: "aws"})
	for name, bad := range map[string]string{
		"another audience":               f.assertion(t, ipc.AssertionRequest{Grant: "stranger"}).Assertion,
		"a foreign key":                  forge(t, good.Assertion, good.Kid),
		"claims under another signature": splice(good.Assertion, f.assertion(t, ipc.AssertionRequest{Grant: "aws"}).Assertion),
	} {
		if _, err := f.verify(t.Context(), bad, awsAudience); err == nil {
			t.Errorf("go-oidc accepts %s", name)
		}
	}
	if _, err := oidc.NewProvider(oidc.ClientContext(t.Context(), f.trust), f.issuer+"/other"); err == nil {
		t.Errorf("there is a discovery document besides that of %s%s", f.issuer, jwks.DiscoveryPath)
	}
}
