package profile

import (
	"slices"
	"time"

	"github.com/assertd/assertd/ipc"
)

// clientRows are the profiles for client authentication: iss = sub = client_id.
func clientRows() []*Profile {
	known := slices.Concat(serverClientRows(), vendorClientRows(), certificateClientRows())
	for _, p := range known {
		p.Known = true
	}
	rows := append(standardClientRows(), known...)
	for _, p := range rows {
		p.Family = ClientAuthentication
		p.Send = ipc.SendClientAssertion
		p.Issuer, p.Subject = SubjectRule{From: FromClientID}, SubjectRule{From: FromClientID}
	}
	return rows
}

const registerJWKS = "Client metadata (RFC 7591): jwks_uri with the daemon's JWKS URL, or jwks with a copy of the JWKS, never both; " +
	"token_endpoint_auth_method set to private_key_jwt; token_endpoint_auth_signing_alg set to the key set's alg."

// standardClientRows follow a specification that many servers implement.
func standardClientRows() []*Profile {
	return []*Profile{
		{
			Name:       "private_key_jwt",
			Title:      "Any OAuth 2.0 or OpenID Connect server",
			Source:     "RFC 7523 sections 2.2 and 3; OpenID Connect Core 1.0 section 9",
			Algorithms: allAlgorithms(), KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        issuerOrTokenAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 10 * time.Minute,
			BackDate: leeway, NotBefore: true, JTI: JTIRandom,
			Tested:   []string{"Fosite 0.49, test/interop TestFositeClientAuthentication", "node oidc-provider 9, test/interop TestOIDCProvider"},
			Register: registerJWKS,
			Notes:    "The classic form. Servers differ in the audience that they expect, so check their documentation. For a server that follows RFC 10070, use the profile rfc10070.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "9f3c0c",
					Audiences: []string{"https://as.example.com/token"}},
			},
		},
		{
			Name:       "rfc10070",
			Title:      "Servers that follow RFC 10070",
			Source:     "RFC 10070 (draft-ietf-oauth-rfc7523bis-10), which updates RFC 7521 and RFC 7523",
			Algorithms: allAlgorithms(), Typ: "client-authentication+jwt", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        issuerAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 10 * time.Minute,
			BackDate: leeway, NotBefore: true, JTI: JTIRandom,
			Tested:   []string{"node oidc-provider 9, test/interop TestOIDCProvider"},
			Register: registerJWKS,
			Notes:    "The issuer is the only audience. With the token endpoint as audience, a hostile server could collect assertions for another one (CVE-2025-27370, CVE-2025-27371).",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "9f3c0c",
					Audiences: []string{"https://as.example.com"}},
			},
		},
		{
			Name:       "fapi2",
			Title:      "FAPI 2.0 servers",
			Source:     "FAPI 2.0 Security Profile (Final, February 2025) sections 5.3.2.1 (8 and 13), 5.3.3.1 and 5.4.1",
			Algorithms: []string{"PS256", "ES256", "EdDSA", "Ed25519"}, KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        issuerAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 5 * time.Minute,
			NotBefore: true, JTI: JTIRandom,
			Tested:   []string{"node oidc-provider 9 in its FAPI 2.0 mode, test/interop TestFAPI2"},
			Register: registerJWKS,
			Notes:    "The server accepts iat and nbf up to 10 s ahead of its own clock and refuses them from 60 s on. RSA keys must have at least 2048 bits.",
			Example: Example{
				Settings: Settings{Alg: "PS256", ClientID: "s6BhdRkqt3",
					Audiences: []string{"https://as.bank.example"}},
			},
		},
		{
			Name:       "fapi1",
			Title:      "FAPI 1.0 Advanced servers",
			Source:     "FAPI 1.0 Part 2: Advanced, sections 5.2.2 and 8.6",
			Algorithms: []string{"PS256", "ES256"}, KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        issuerOrTokenAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 5 * time.Minute,
			BackDate: leeway, NotBefore: true, JTI: JTIRandom,
			Register: "The bank's or the directory's registration: the JWKS, often inside a signed software statement.",
			Notes:    "Banks differ in the audience, especially in UK open banking. Use one grant per bank.",
			Example: Example{
				Settings: Settings{Alg: "PS256", ClientID: "tpp-7781",
					Audiences: []string{"https://as.bank.example/token"}},
			},
		},
		{
			Name:       "smart-backend",
			Title:      "SMART Backend Services (FHIR)",
			Source:     "SMART App Launch 2.2: Client Authentication, Asymmetric",
			Algorithms: []string{"ES384", "RS384"}, Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        tokenAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 5 * time.Minute, BackDate: leeway, JTI: JTIRandom,
			Register: "The FHIR server's client registration: the JWKS URL (preferred) or the JWKS itself.",
			Notes:    "assertd never sends the optional jku header parameter.",
			Example: Example{
				Settings: Settings{Alg: "ES384", ClientID: "https://clinic.example.org/backend",
					Audiences: []string{"https://fhir.example.org/oauth2/token"}},
			},
		},
	}
}

// vendorClientRows each follow one vendor's documentation.
func vendorClientRows() []*Profile {
	return []*Profile{
		{
			Name:       "entra-certificate",
			Title:      "Microsoft Entra ID, certificate credential",
			Source:     "Microsoft identity platform: application authentication certificate credentials",
			Algorithms: []string{"PS256"}, Typ: "JWT", Header: []HeaderParam{ParamX5TS256}, KeyID: KeyIDAny, Delivery: DeliverUpload,
			Audience:        AudienceRule{Form: AudienceString, Summary: "tenant's token URL", Description: entraTokenURLFormat, Check: entraTokenURL},
			DefaultLifetime: 5 * time.Minute, MaxLifetime: 10 * time.Minute,
			NotBefore: true, JTI: JTIUUID,
			Tested:   []string{"azidentity 1.15 and MSAL 1.10 for Go with a server that checks like Entra, test/interop TestEntraClients"},
			Register: "Entra admin center, app registration, Certificates & secrets: upload the key's certificate. There is no JWKS.",
			Notes:    "Store the certificate on the token under the key's CKA_ID. If a tenant answers AADSTS700027 to x5t#S256, use entra-certificate-sha1.",
			Example: Example{
				Settings: Settings{Alg: "PS256", ClientID: "6731de76-14a6-49ae-97bc-6eba6914391e",
					Audiences: []string{"https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"}},
			},
		},
		{
			Name:       "entra-certificate-sha1",
			Title:      "Microsoft Entra ID by SHA-1 thumbprint, AD FS",
			Source:     "Microsoft identity platform: application authentication certificate credentials, before its change to x5t#S256; MicrosoftDocs/entra-docs pull request 1301; MSAL.NET issue 1708",
			Algorithms: []string{"RS256"}, Typ: "JWT", Header: []HeaderParam{ParamX5T}, KeyID: KeyIDAny, Delivery: DeliverUpload,
			Audience:        tokenAudience(),
			DefaultLifetime: 5 * time.Minute, MaxLifetime: 10 * time.Minute,
			NotBefore: true, JTI: JTIUUID,
			Register: "Same as entra-certificate. For AD FS: add the certificate to the application group's client.",
			Notes:    "SHA-1 only identifies the certificate here; the signature does not depend on it.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "payments",
					Audiences: []string{"https://adfs.example.com/adfs/oauth2/token"}},
			},
		},
		{
			Name:       "okta",
			Title:      "Okta",
			Source:     "Okta Developer: Client authentication methods, private_key_jwt",
			Algorithms: ecdsaOrPKCS1(), KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        AudienceRule{Form: AudienceString, Summary: "endpoint URL", Description: "the full URL of the endpoint that you call", Check: plainURL},
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: time.Hour, BackDate: leeway, JTI: JTIRandom,
			Register: "Admin console, the app's General tab, Public key / Private key: add the public JWK, or the JWKS URL.",
			Notes:    "Okta wants an iat before the time at which it receives the request, so iat is 5 s in the past.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "0oa1b2c3d4",
					Audiences: []string{"https://example.okta.com/oauth2/v1/token"}},
			},
		},
		{
			Name:       "auth0",
			Title:      "Auth0",
			Source:     "Auth0 Docs: Authenticate with Private Key JWT; Configure Private Key JWT",
			Algorithms: []string{"PS256", "RS256", "RS384"}, KeyID: KeyIDFromReceiver, Delivery: DeliverUpload,
			Audience:        AudienceRule{Form: AudienceString, Summary: "tenant URL/", Description: "the tenant's URL with its trailing slash", Check: hostURL},
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 5 * time.Minute, JTI: JTIUUID,
			Register: "Dashboard, the application's Credentials tab, Private Key JWT: upload the public key as PEM (at most two keys) and note the kid that Auth0 assigns.",
			Notes:    "iss, sub and jti have at most 64 characters.",
			Example: Example{
				Settings: Settings{Alg: "PS256", ClientID: "dZ3RtVqvI0Qx", KeyID: "my-auth0-kid",
					Audiences: []string{"https://example.eu.auth0.com/"}},
			},
		},
		{
			Name:       "keycloak",
			Title:      "Keycloak 26",
			Source:     "keycloak/keycloak: JWTClientValidator; issue 38576",
			Algorithms: []string{"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA", "RS256", "RS384", "RS512"}, KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        AudienceRule{Form: AudienceString, Summary: "realm issuer or endpoint", Description: "the realm's issuer, or its token, introspection, PAR or CIBA URL", Check: plainURL},
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: time.Minute, JTI: JTIRandom,
			Register: "The client's Credentials tab: Signed JWT, with the algorithm. Its Keys tab: Use JWKS URL.",
			Notes:    "60 s is Keycloak's own default limit, counted from iat. Keycloak refuses an iat more than 15 s ahead of its clock.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "payments",
					Audiences: []string{"https://sso.example.com/realms/main"}},
			},
		},
		{
			Name:       "login-gov",
			Title:      "Login.gov (iGov profile)",
			Source:     "Login.gov developers: OIDC, Token; 18F/identity-idp issue 4315",
			Algorithms: []string{"RS256"}, KeyID: KeyIDAny, Delivery: DeliverUpload,
			Audience:        tokenAudience(),
			DefaultLifetime: time.Minute, MaxLifetime: 5 * time.Minute, BackDate: leeway, JTI: JTIRandom,
			Notes:    "Login.gov has refused an iat just one second ahead of its clock, so iat is 5 s in the past.",
			Register: "Login.gov portal, the application's public certificates: the key's certificate as PEM, RSA with at least 2048 bits.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "urn:gov:gsa:openidconnect.profiles:sp:sso:agency:app",
					Audiences: []string{"https://secure.login.gov/api/openid_connect/token"}},
			},
		},
		{
			Name:       "pingone",
			Title:      "PingOne",
			Source:     "PingOne Platform APIs: Create a private key JWT; PRIVATE_KEY_JWT Setup",
			Algorithms: ecdsaOrPKCS1(), KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        AudienceRule{Form: AudienceString, Summary: "issuer or endpoint URL", Description: "the token endpoint, the issuer, or the URL of the endpoint that you call", Check: plainURL},
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: time.Hour, JTI: JTIRandom,
			Register: "The application's token authentication method: PRIVATE_KEY_JWT, with the JWKS URL or the JWKS.",
			Notes:    "PingOne refuses an nbf in the future, so assertd sends none. It ignores iat and jti.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "3f3a1c5e-6d2c-4b1e-9a57-0f0c1f7f2a10",
					Audiences: []string{"https://auth.pingone.eu/5caa81af/as/token"}},
			},
		},
		{
			Name:       "nhs-england",
			Title:      "NHS England API platform",
			Source:     "NHS England: Application-restricted RESTful APIs, signed JWT authentication",
			Algorithms: []string{"RS512"}, Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        tokenAudience(),
			DefaultLifetime: time.Minute, MaxLifetime: 5 * time.Minute, JTI: JTIUUID,
			Register: "Developer account, the application's public key URL: the JWKS URL. client_id is the application's API key.",
			Notes:    "The audience is the exact token URL of the environment.",
			Example: Example{
				Settings: Settings{Alg: "RS512", ClientID: "api-key-of-the-app",
					Audiences: []string{"https://api.service.nhs.uk/oauth2/token"}},
			},
		},
		{
			Name:       "singpass",
			Title:      "Singpass",
			Source:     "Singpass Developer Docs: Authorization Code Grant, Client Assertion JWT; Generation of Client Assertion",
			Algorithms: []string{"ES256", "ES384", "ES512"}, Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Audience:        issuerAudience(),
			Claims:          []ClaimRule{{Name: "code", Format: "the authorization code as a string", Normalize: nonEmptyString}},
			DefaultLifetime: time.Minute, MaxLifetime: 2 * time.Minute, JTI: JTIRandom,
			Register: "Singpass Developer Portal, the app's configuration: the JWKS URL.",
			Notes:    "Singpass refuses an exp more than 2 minutes after iat.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "T5sM5a53Yaw3URyDEv2y9129CbElCN2F",
					Audiences: []string{"https://id.singpass.gov.sg"}},
			},
		},
	}
}
