package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
)

// zitadelStorage is that of zitadel's example server, for one client with its
// keys at a URL.
type zitadelStorage struct {
	*storage.Storage
	jwksURL string

	mu       sync.Mutex
	subjects map[string]string // of the access tokens, by ID
}

// zitadelClient authenticates with private_key_jwt.
type zitadelClient struct{ *storage.Client }

func (zitadelClient) AuthMethod() oidc.AuthMethod { return oidc.AuthMethodPrivateKeyJWT }

func (s *zitadelStorage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != payments {
		return nil, fmt.Errorf("there is no client %q", id)
	}
	return zitadelClient{storage.NativeClient(payments)}, nil
}

func (s *zitadelStorage) GetKeyByIDAndClientID(_ context.Context, kid, id string) (*jose.JSONWebKey, error) {
	if id != payments {
		return nil, fmt.Errorf("there is no client %q", id)
	}
	response, err := web.Get(s.jwksURL)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(response.Body).Decode(&set); err != nil {
		return nil, err
	}
	keys := set.Key(kid)
	if len(keys) != 1 {
		return nil, fmt.Errorf("the client has %d keys with kid %q", len(keys), kid)
	}
	return &keys[0], nil
}

func (s *zitadelStorage) CreateAccessToken(ctx context.Context, request op.TokenRequest) (id string, expires time.Time, err error) {
	id, expires, err = s.Storage.CreateAccessToken(ctx, request)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subjects[id] = request.GetSubject()
	return id, expires, err
}

func (s *zitadelStorage) SetIntrospectionFromToken(_ context.Context, answer *oidc.IntrospectionResponse, id, subject, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if subject == "" || s.subjects[id] != subject {
		return errors.New("there is no such token")
	}
	answer.Subject = subject
	return nil
}

// TestZITADELProvider gets a token from zitadel/oidc's provider by the JWT
// bearer grant, and authenticates with private_key_jwt at its introspection
// endpoint.
func TestZITADELProvider(t *testing.T) {
	provider := make(chan http.Handler, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := <-provider
		provider <- handler
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	k := newToken(t)
	k.generate(t, newKey{Set: "payments", Type: hsm.P256})
	d := start(t, k, fmt.Sprintf(`
keys: {payments: {alg: ES256, use: assertion}}
clients:
  - name: payments
    match: {uid: %d}
    grants:
      - {name: client, key: payments, profile: zitadel, client_id: %[2]s, audiences: [%[3]q]}
      - {name: bearer, key: payments, profile: jwt-bearer, issuer: %[2]s, subject: %[2]s, audiences: [%[3]q]}
      - {name: stranger, key: payments, profile: zitadel, client_id: stranger, audiences: [%[3]q]}
jwks: {listen: "127.0.0.1:0"}
`, os.Getuid(), payments, server.URL))
	store := &zitadelStorage{Storage: storage.NewStorage(storage.NewUserStore(server.URL)), jwksURL: d.jwksURL, subjects: map[string]string{}}
	served, err := op.NewOpenIDProvider(server.URL, &op.Config{AuthMethodPrivateKeyJWT: true}, store, op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	provider <- served

	granted := d.accessToken(t, "--url", server.URL+served.TokenEndpoint().Relative(), "--grant", "bearer", "--scope", "openid")
	introspect := func(assertion string) (status int, state oidc.IntrospectionResponse) {
		response, err := web.PostForm(server.URL+served.IntrospectionEndpoint().Relative(), url.Values{
			"token": {granted.AccessToken}, "client_assertion_type": {ipc.AssertionType}, "client_assertion": {assertion},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		_ = json.NewDecoder(response.Body).Decode(&state) // a refusal is text
		return response.StatusCode, state
	}
	good := d.assertion(t, ipc.AssertionRequest{Grant: "client"})
	if status, state := introspect(good.Assertion); status != http.StatusOK || !state.Active || state.Subject != payments {
		t.Errorf("HTTP %d, the access token is %+v", status, state)
	}
	for name, bad := range map[string]string{
		"a foreign key":     forge(t, good.Assertion, good.Kid),
		"an unknown client": d.assertion(t, ipc.AssertionRequest{Grant: "stranger"}).Assertion,
	} {
		if status, state := introspect(bad); status != http.StatusUnauthorized || state.Active {
			t.Errorf("%s: HTTP %d, %+v", name, status, state)
		}
	}
}
