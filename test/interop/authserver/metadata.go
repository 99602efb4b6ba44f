package authserver

import "net/http"

// metadata is that of RFC 8414 and OpenID Connect Discovery. Its URLs are those
// of the listener that was asked.
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	base := s.base(r)
	answer := map[string]any{
		"issuer":                                           base,
		"authorization_endpoint":                           base + "/authorize",
		"token_endpoint":                                   base + "/token",
		"introspection_endpoint":                           base + "/introspect",
		"grant_types_supported":                            []string{ClientCredentials, JWTBearer},
		"response_types_supported":                         []string{},
		"scopes_supported":                                 []string{"read", "write"},
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256", "RS256", "PS256"},
		"dpop_signing_alg_values_supported":                proofAlgorithms,
	}
	if s.secure != nil {
		answer["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt", tlsClientAuth}
		answer["tls_client_certificate_bound_access_tokens"] = true
		answer["mtls_endpoint_aliases"] = map[string]string{"token_endpoint": s.SecureIssuer() + "/token"}
	}
	respond(w, http.StatusOK, answer)
}

// authorize is where a browser would log its user in. Discovery must name an
// address, and MSAL reads it, but no grant type here uses it.
func (s *Server) authorize(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusBadRequest, map[string]string{
		"error": "unsupported_response_type", "error_description": "This server has no users, so it grants nothing to them.",
	})
}
