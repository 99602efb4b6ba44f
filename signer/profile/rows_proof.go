package profile

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// proofRows are the profiles of JWTs that accompany a request, or are one. Each
// needs a key set of its own.
func proofRows() []*Profile {
	return []*Profile{
		{
			Name: "dpop", Family: Proof,
			Title:      "DPoP proof",
			Source:     "RFC 9449 sections 4.2, 7 and 8",
			Algorithms: classicAlgorithms(), Typ: "dpop+jwt", Header: []HeaderParam{ParamJWK}, KeyID: KeyIDAny, Delivery: DeliverHeader,
			Audience: AudienceRule{Form: AudienceNone},
			Claims: []ClaimRule{
				{Name: "htm", Required: true, Format: "the HTTP method in upper case", Normalize: httpMethod},
				{Name: "htu", Required: true, Format: "the request's https URL", Normalize: targetURI},
				{Name: "ath", Format: "the base64url SHA-256 of the access token, 43 characters", Normalize: tokenHash},
				{Name: "nonce", Format: "the server's nonce", Normalize: serverNonce},
			},
			DefaultLifetime: time.Minute, MaxLifetime: time.Minute, NoExpiry: true,
			JTI: JTIRandom, Send: ipc.SendDPoP, DedicatedKey: true,
			Tested:   []string{"node oidc-provider 9 in its FAPI 2.0 mode, test/interop TestFAPI2"},
			Register: "Nothing: the public key is in the header. Some servers require dpop_bound_access_tokens in the client metadata.",
			Notes:    "There is no exp: the receiver goes by iat. assertd removes the query and fragment from htu (section 4.2). If you know which URLs are called, allow exactly those as htu.",
			Example: Example{
				Settings: Settings{Alg: "ES256"},
				Listed:   map[string]any{"htm": "POST", "htu": "https://as.example.com/token"},
				Free:     map[string]any{"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", "nonce": "eyJ7S_zG.eyJH0-Z.HX4w-7v"},
			},
		},
		{
			Name: "request-object", Family: Proof,
			Title:      "Signed authorization request (JAR)",
			Source:     "RFC 9101 sections 4, 5 and 10; FAPI 2.0 Message Signing section 5.3",
			Algorithms: classicAlgorithms(), Typ: "oauth-authz-req+jwt", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Issuer:        SubjectRule{From: FromClientID},
			Audience:      issuerAudience(),
			ClientIDClaim: true, Forbidden: []string{"request", "request_uri"},
			Claims:          []ClaimRule{{Name: "response_type", Required: true, Format: "the response type as a string", Normalize: nonEmptyString}},
			OtherClaims:     true,
			DefaultLifetime: 5 * time.Minute, MaxLifetime: time.Hour,
			BackDate: leeway, NotBefore: true, JTI: JTIRandom, Send: ipc.SendRequestParameter, DedicatedKey: true,
			Tested:   []string{"node oidc-provider 9 in its FAPI 2.0 mode, test/interop TestFAPI2"},
			Register: "Client metadata: jwks_uri as for client authentication; request_object_signing_alg; require_signed_request_object.",
			Notes:    "There is no sub: with sub = client_id, a request object could pass as a client assertion. The parameters of the authorization request are the claims.",
			Example: Example{
				Settings: Settings{Alg: "PS256", ClientID: "s6BhdRkqt3",
					Audiences:    []string{"https://as.bank.example"},
					ForcedClaims: map[string]any{"response_type": "code", "redirect_uri": "https://app.example.com/cb"}},
				Listed: map[string]any{"scope": "accounts", "code_challenge_method": "S256"},
				Free:   map[string]any{"state": "af0ifjsldkj", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
			},
		},
	}
}
