package interop

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/assertd/assertd/ipc"
)

// entra is Microsoft Entra ID for one tenant with one application. The
// application trusts the federation, and has the certificate of one of its
// keys.
type entra struct {
	*federation
	server *httptest.Server
}

func startEntra(t *testing.T, f *federation) entra {
	t.Helper()
	e := entra{federation: f}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /common/discovery/instance", e.instances)
	mux.HandleFunc("GET /"+tenant+"/v2.0/.well-known/openid-configuration", e.metadata)
	mux.HandleFunc("POST /"+tenant+"/oauth2/v2.0/token", e.token)
	e.server = httptest.NewTLSServer(mux)
	t.Cleanup(e.server.Close)
	return e
}

// Do makes an HTTP client of the libraries that has all requests go to the
// server. They keep the host that the library chose.
func (e entra) Do(request *http.Request) (*http.Response, error) {
	address, err := url.Parse(e.server.URL)
	if err != nil {
		return nil, err
	}
	rerouted := request.Clone(request.Context())
	rerouted.Host, rerouted.URL.Host = request.URL.Host, address.Host
	return e.server.Client().Do(rerouted)
}

// CloseIdleConnections completes MSAL's interface.
func (e entra) CloseIdleConnections() { e.server.Client().CloseIdleConnections() }

func (e entra) instances(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]any{
		"tenant_discovery_endpoint": "https://login.microsoftonline.com/" + tenant + "/v2.0/.well-known/openid-configuration",
		"metadata": []any{map[string]any{
			"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net",
			"aliases": []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"},
		}},
	})
}

func (e entra) metadata(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]string{
		"issuer": "https://login.microsoftonline.com/" + tenant + "/v2.0", "token_endpoint": entraTokenURL,
		"authorization_endpoint": "https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/authorize",
	})
}

func (e entra) token(w http.ResponseWriter, r *http.Request) {
	if err := e.authenticate(r); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_client", "error_description": "AADSTS7000000: " + err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "token of a test"})
}

func (e entra) authenticate(r *http.Request) error {
	assertion := r.FormValue("client_assertion")
	if r.Host != "login.microsoftonline.com" || r.FormValue("client_id") != payments || r.FormValue("client_assertion_type") != ipc.AssertionType {
		return fmt.Errorf("the request to %s is for client %q with %q", r.Host, r.FormValue("client_id"), r.FormValue("client_assertion_type"))
	}
	if _, err := e.verify(r.Context(), assertion, entraAudience); err == nil {
		return nil
	}
	return e.verifyByCertificate(assertion)
}

// verifyByCertificate follows Microsoft's documentation of certificate
// credentials.
func (e entra) verifyByCertificate(assertion string) error {
	parsed, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.PS256})
	if err != nil {
		return err
	}
	thumbprint := sha256.Sum256(e.uploaded.Raw)
	if parsed.Headers[0].ExtraHeaders["x5t#S256"] != base64.RawURLEncoding.EncodeToString(thumbprint[:]) {
		return errors.New("no certificate has the thumbprint")
	}
	var claims jwt.Claims
	if err := parsed.Claims(e.uploaded.PublicKey, &claims); err != nil {
		return err
	}
	return claims.Validate(jwt.Expected{Issuer: payments, Subject: payments, AnyAudience: jwt.Audience{entraTokenURL}, Time: time.Now()})
}

// entraScope is what an application asks for.
var entraScope = []string{"https://graph.microsoft.com/.default"}

// byAzidentity gets an access token with Microsoft's azidentity.
func (e entra) byAzidentity(ctx context.Context, grant string) (string, error) {
	credential, err := azidentity.NewClientAssertionCredential(tenant, payments, e.AssertFunc(ipc.AssertionRequest{Grant: grant}),
		&azidentity.ClientAssertionCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: e, Retry: policy.RetryOptions{MaxRetries: -1}}})
	if err != nil {
		return "", err
	}
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: entraScope})
	return token.Token, err
}

// byMSAL gets an access token with Microsoft's MSAL.
func (e entra) byMSAL(ctx context.Context, grant string) (string, error) {
	assert := e.AssertFunc(ipc.AssertionRequest{Grant: grant})
	credential := confidential.NewCredFromAssertionCallback(
		func(ctx context.Context, _ confidential.AssertionRequestOptions) (string, error) { return assert(ctx) })
	client, err := confidential.New("https://login.microsoftonline.com/"+tenant, payments, credential, confidential.WithHTTPClient(e))
	if err != nil {
		return "", err
	}
	result, err := client.AcquireTokenByCredential(ctx, entraScope)
	return result.AccessToken, err
}

// TestEntraClients gets access tokens with a federated credential and with a
// certificate credential.
func TestEntraClients(t *testing.T) {
	e := startEntra(t, startFederation(t))
	for name, acquire := range map[string]func(context.Context, string) (string, error){"azidentity": e.byAzidentity, "MSAL": e.byMSAL} {
		for _, grant := range []string{"entra", "certificate"} {
			if token, err := acquire(t.Context(), grant); err != nil || token != "token of a test" {
				t.Errorf("%s, grant %s: %q, %v", name, grant, token, err)
			}
		}
		if _, err := acquire(t.Context(), "stranger"); err == nil || !strings.Contains(err.Error(), "AADSTS7000000") {
			t.Errorf("%s, another audience: %v", name, err)
		}
		if _, err := acquire(t.Context(), "none"); err == nil || !strings.Contains(err.Error(), "has no such grant") {
			t.Errorf("%s, no grant: %v", name, err)
		}
	}
}
