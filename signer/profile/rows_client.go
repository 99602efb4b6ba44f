package profile

import "time"

// clientRows are the profiles with which a client authenticates itself.
func clientRows() []*Profile {
	return []*Profile{
		{
			Name: "private_key_jwt", Family: ClientAuthentication,
			Title:      "Any OAuth 2.0 or OpenID Connect server",
			Source:     "RFC 7523 sections 2.2 and 3; OpenID Connect Core 1.0 section 9",
			Algorithms: allAlgorithms(),
			KeyID:      KeyIDAny,
			Issuer:     Party{From: FromClientID}, Subject: Party{From: FromClientID},
			Audience:        AudienceRule{Form: AudienceString, Is: isEither, Check: endpointURL},
			OtherClaims:     true,
			DefaultLifetime: 60 * time.Second, MaxLifetime: 10 * time.Minute,
			NotBefore: true, JTI: JTIRandom,
			Send:     SendClientAssertion,
			Register: "Client metadata (RFC 7591): jwks_uri with the daemon's JWKS or jwks with a copy, never both; token_endpoint_auth_method private_key_jwt; token_endpoint_auth_signing_alg.",
			Notes:    "Servers after RFC 10070 want its profile instead.",
			Example:  Example{ClientID: "9f3c0c", Audiences: []string{"https://as.example.com/token"}},
		},
	}
}
