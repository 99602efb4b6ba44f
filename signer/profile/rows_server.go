package profile

import "time"

// serverClientRows are the profiles for client authentication at self-hosted
// servers. They differ in the audience that they expect.
func serverClientRows() []*Profile {
	return []*Profile{
		{
			Name:       "hydra",
			Title:      "Ory Hydra, Fosite",
			Source:     "ory/fosite v0.49: DefaultClientAuthenticationStrategy",
			Algorithms: withoutEdwards(), KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        tokenAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: time.Hour, BackDate: leeway, NotBefore: true, JTI: JTIRandom,
			Tested:   []string{"Hydra 2.3 (make interop-all), test/interop TestHydra", "Fosite 0.49, test/interop TestFositeTwoAssertionsInOneRequest"},
			Register: registerJWKS,
			Notes:    "Only the token endpoint is an audience; the issuer is refused. Fosite does not know EdDSA.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "9f3c0c", Audiences: []string{"https://hydra.example.com/oauth2/token"}},
			},
		},
		{
			Name:       "zitadel",
			Title:      "ZITADEL, zitadel/oidc",
			Source:     "zitadel/oidc v3.52: op.AuthorizePrivateJWTKey and oidc.CheckSignature",
			Algorithms: []string{"RS256", "ES256", "PS256"}, KeyID: KeyIDAny, Delivery: DeliverUpload,
			Audience:        AudienceRule{Form: AudienceString, Summary: "issuer", Description: "the issuer in the server's metadata, byte for byte, with its slash if it has one", Check: issuerURL},
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: time.Hour, BackDate: leeway, JTI: JTIRandom,
			Tested:   []string{"zitadel/oidc 3.52, test/interop TestZITADELProvider"},
			Register: "The application's keys: upload the public key. Set key_id to the ID that the server returns, if it does.",
			Notes:    "The server refuses private_key_jwt at a token exchange.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "312909075211944344", Audiences: []string{"https://id.example.com/"}},
			},
		},
		{
			Name:       "oidc-provider",
			Title:      "node oidc-provider",
			Source:     "panva/node-oidc-provider 9: private_key_jwt",
			Algorithms: []string{"ES256", "PS256", "RS256", "EdDSA", "Ed25519"}, KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        issuerOrTokenAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 10 * time.Minute, BackDate: leeway, NotBefore: true, JTI: JTIRandom,
			Tested:   []string{"node oidc-provider 9, test/interop TestOIDCProvider"},
			Register: registerJWKS,
			Notes:    "Either the issuer or the token endpoint is an audience. In its FAPI 2.0 mode only the issuer is: use fapi2 then. It keeps a JWKS for at least a minute.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "9f3c0c", Audiences: []string{"https://op.example.com"}},
			},
		},
		{
			Name:       "spring",
			Title:      "Spring Authorization Server",
			Source:     "spring-projects/spring-authorization-server: JwtClientAssertionDecoderFactory",
			Algorithms: withoutEdwards(), KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        AudienceRule{Form: AudienceString, Summary: "issuer or endpoint URL", Description: "the issuer, or its token, introspection or revocation endpoint", Check: plainURL},
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 10 * time.Minute, NotBefore: true, JTI: JTIRandom,
			Register: "The registered client: client authentication method private_key_jwt, the client setting jwkSetUrl, and tokenEndpointAuthenticationSigningAlgorithm.",
			Notes:    "Spring Security allows 60 s of clock skew.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "messaging-client", Audiences: []string{"https://as.example.com"}},
			},
		},
		{
			Name:       "duende",
			Title:      "Duende IdentityServer",
			Source:     "Duende IdentityServer: Client Authentication, Private Key JWTs and Strict Audience Validation",
			Algorithms: withoutEdwards(), Typ: "client-authentication+jwt", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        issuerAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 10 * time.Minute, BackDate: leeway, NotBefore: true, JTI: JTIRandom,
			Register: "A client secret of type JWK, with the public JWK.",
			Notes:    "With this typ, the server accepts only the issuer, whether or not StrictClientAssertionAudienceValidation is on. For a version before 7.2, use private_key_jwt.",
			Example: Example{
				Settings: Settings{Alg: "PS256", ClientID: "client", Audiences: []string{"https://identity.example.com"}},
			},
		},
	}
}
