// Package authserver is an authorization server for people and tests to try
// assertions with. It consists of Ory Fosite, what Fosite lacks, namely DPoP
// (RFC 9449) and mutual TLS (RFC 8705), and an API that wants access tokens. It
// keeps everything in memory, listens without TLS too, and gives anyone a
// certificate: it is for one machine only.
package authserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
)

// The grant types of the server.
const (
	ClientCredentials = "client_credentials"
	JWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// Server is an authorization server. Register its clients and issuers before it
// serves.
type Server struct {
	// Config can be changed before the server serves.
	Config *fosite.Config
	// Fetches counts the requests for a JWKS.
	Fetches atomic.Int64

	listener net.Listener
	secure   net.Listener // with TLS; nil without
	ca       *ca
	provider fosite.OAuth2Provider
	store    *store
	proofs   *proofs
}

// New listens at an address such as 127.0.0.1:0.
func New(address string) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{listener: listener, proofs: newProofs(time.Now)}
	transport := retryablehttp.NewClient()
	transport.Logger = nil
	transport.RequestLogHook = func(retryablehttp.Logger, *http.Request, int) { s.Fetches.Add(1) }
	fetcher := fosite.NewDefaultJWKSFetcherStrategy(fosite.JWKSFetcherWithHTTPClient(transport))
	s.store = &store{MemoryStore: storage.NewMemoryStore(), fetcher: fetcher, issuers: map[string]string{}}
	s.Config = &fosite.Config{
		TokenURL: s.TokenURL(), GlobalSecret: []byte(rand.Text()[:26] + "......"), JWKSFetcherStrategy: fetcher,
		GrantTypeJWTBearerCanSkipClientAuth: true, ClientAuthenticationStrategy: s.authenticate,
	}
	s.provider = compose.Compose(s.Config, s.store, compose.NewOAuth2HMACStrategy(s.Config),
		compose.OAuth2ClientCredentialsGrantFactory, compose.RFC7523AssertionGrantFactory, compose.OAuth2TokenIntrospectionFactory)
	return s, nil
}

// Issuer is the server's URL.
func (s *Server) Issuer() string { return "http://" + s.listener.Addr().String() }

// TokenURL is the URL of the token endpoint, which assertions name as their
// audience.
func (s *Server) TokenURL() string { return s.Issuer() + "/token" }

// APIURL is the URL of an API that wants an access token.
func (s *Server) APIURL() string { return s.Issuer() + "/api" }

// Register adds a client that authenticates with private_key_jwt. The server
// reads its keys from a URL.
func (s *Server) Register(id, alg, jwksURL string) {
	s.store.Clients[id] = &fosite.DefaultOpenIDConnectClient{
		DefaultClient:           &fosite.DefaultClient{ID: id, GrantTypes: []string{ClientCredentials, JWTBearer}, Scopes: []string{"read", "write"}},
		JSONWebKeysURI:          jwksURL,
		TokenEndpointAuthMethod: "private_key_jwt", TokenEndpointAuthSigningAlgorithm: alg,
	}
}

// RegisterTLS adds a client that authenticates with a certificate whose common
// name is its ID (RFC 8705 section 2.1).
func (s *Server) RegisterTLS(id string) {
	s.store.Clients[id] = &fosite.DefaultOpenIDConnectClient{
		DefaultClient:           &fosite.DefaultClient{ID: id, GrantTypes: []string{ClientCredentials}, Scopes: []string{"read", "write"}},
		TokenEndpointAuthMethod: tlsClientAuth,
	}
}

// Trust allows an issuer to use the JWT bearer grant for any subject.
func (s *Server) Trust(issuer, jwksURL string) { s.store.issuers[issuer] = jwksURL }

// Serve serves until the context ends.
func (s *Server) Serve(ctx context.Context) error {
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0), // of clients that do not trust the CA; they say so
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	ended := make(chan error, 2)
	for _, listener := range s.listeners() {
		go func() { ended <- server.Serve(listener) }()
	}
	var err error
	for range s.listeners() {
		err = cmp.Or(err, <-ended)
		_ = server.Close() // the other one is of no use without
	}
	if ctx.Err() == nil {
		return err
	}
	return nil
}

func (s *Server) listeners() []net.Listener {
	if s.secure == nil {
		return []net.Listener{s.listener}
	}
	return []net.Listener{s.listener, s.secure}
}

// Close ends a server that does not serve.
func (s *Server) Close() {
	for _, listener := range s.listeners() {
		_ = listener.Close()
	}
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /introspect", s.introspect)
	mux.HandleFunc("GET /api", s.api)
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.metadata)
	mux.HandleFunc("GET /.well-known/openid-configuration", s.metadata) // the only one that some clients read
	// MSAL asks for the version that Entra has, below the tenant.
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", s.metadata)
	if s.secure != nil {
		mux.HandleFunc("POST /certificate", s.issue)
	}
	return mux
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	session := &fosite.DefaultSession{Extra: map[string]any{}}
	proof := r.Header.Get("DPoP")
	if proof != "" {
		thumbprint, err := s.proofs.check(proof, expected{method: r.Method, url: s.base(r) + "/token"})
		if err != nil {
			s.proofs.refuse(w, err, http.StatusBadRequest)
			return
		}
		session.Extra[confirmation] = map[string]string{keyThumbprint: thumbprint}
	}
	request, err := s.provider.NewAccessRequest(r.Context(), r, session)
	if err != nil {
		s.provider.WriteAccessError(r.Context(), w, request, err)
		return
	}
	if proof == "" && s.usesTLS(request.GetClient().GetID()) {
		session.Extra[confirmation] = map[string]string{certThumbprint: certificateThumbprint(r)}
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	response, err := s.provider.NewAccessResponse(r.Context(), request)
	if err != nil {
		s.provider.WriteAccessError(r.Context(), w, request, err)
		return
	}
	if proof != "" {
		response.SetTokenType("DPoP")
	}
	s.provider.WriteAccessResponse(r.Context(), w, request, response)
}

// Owner returns the client ID and the subject that an access token belongs to.
func (s *Server) Owner(ctx context.Context, accessToken string) (clientID, subject string, err error) {
	request, err := s.find(ctx, accessToken)
	if err != nil {
		return "", "", fmt.Errorf("the server did not issue the access token: %w", err)
	}
	return request.GetClient().GetID(), request.GetSession().GetSubject(), nil
}

func (s *Server) find(ctx context.Context, accessToken string) (fosite.AccessRequester, error) {
	_, request, err := s.provider.IntrospectToken(ctx, accessToken, fosite.AccessToken, &fosite.DefaultSession{})
	return request, err
}

// base is the URL of the listener that a request came to.
func (s *Server) base(r *http.Request) string {
	if r.TLS != nil {
		return s.SecureIssuer()
	}
	return s.Issuer()
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client has gone
}
