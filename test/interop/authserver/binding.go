package authserver

import (
	"context"
	"net/http"
	"net/url"

	"github.com/ory/fosite"
)

// What a token can be bound to (RFC 7800): the claim, and its members for a key
// (RFC 9449 section 6.1) and a certificate (RFC 8705 section 3.1).
const (
	confirmation   = "cnf"
	keyThumbprint  = "jkt"
	certThumbprint = "x5t#S256"
)

// tlsClientAuth is the authentication method of RFC 8705 section 2.1.
const tlsClientAuth = "tls_client_auth"

// bound returns what a token is bound to, or nil.
func bound(request fosite.AccessRequester) map[string]string {
	session, ok := request.GetSession().(*fosite.DefaultSession)
	if !ok {
		return nil
	}
	cnf, _ := session.Extra[confirmation].(map[string]string)
	return cnf
}

func (s *Server) usesTLS(id string) bool {
	client, ok := s.store.Clients[id].(*fosite.DefaultOpenIDConnectClient)
	return ok && client.TokenEndpointAuthMethod == tlsClientAuth
}

// authenticate adds mutual TLS to Fosite's methods.
func (s *Server) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	id := form.Get("client_id")
	if !s.usesTLS(id) {
		return s.provider.(*fosite.Fosite).DefaultClientAuthenticationStrategy(ctx, r, form)
	}
	if leaf := clientCertificate(r); leaf == nil || leaf.Subject.CommonName != id {
		return nil, fosite.ErrInvalidClient.WithHint("The connection has no certificate of the client.")
	}
	return s.store.GetClient(ctx, id)
}
