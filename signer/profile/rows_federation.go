package profile

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// federationRows are the profiles in which assertd is an identity provider: a
// cloud trusts its issuer URL and its JWKS.
func federationRows() []*Profile {
	rows := []*Profile{
		{
			Name:       "entra-federated",
			Title:      "Microsoft Entra ID, federated credential",
			Source:     "Microsoft Entra: Workload identity federation; Create a trust relationship between an app and an external identity provider",
			Algorithms: []string{"RS256"}, Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Issuer:  SubjectRule{From: FromIssuer, Format: "the https URL of the credential's Issuer in its normal form, at most 600 characters", Check: shortIssuer},
			Subject: SubjectRule{From: FromSubject, Format: "the credential's Subject identifier, at most 600 characters", Check: atMost600},
			Audience: AudienceRule{Form: AudienceString, Summary: "credential's Audience", Description: "the credential's Audience, at most 600 characters; api://AzureADTokenExchange is Microsoft's default, and sovereign clouds have others",
				Check: limited(600)},
			DefaultLifetime: 5 * time.Minute, MaxLifetime: time.Hour,
			NotBefore: true, JTI: JTIUUID, Send: ipc.SendClientAssertion,
			Tested:   []string{"azidentity 1.15 and MSAL 1.10 for Go with a server that checks like Entra, test/interop TestEntraClients"},
			Register: "App registration, Certificates & secrets, Federated credentials, Other issuer: exactly the same issuer, subject and audience. The issuer must serve the discovery document and the JWKS.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "6731de76-14a6-49ae-97bc-6eba6914391e", Issuer: "https://id.example.com", Subject: "payments-api",
					Audiences: []string{"api://AzureADTokenExchange"}},
			},
		},
		{
			Name:       "aws-web-identity",
			Title:      "AWS STS AssumeRoleWithWebIdentity",
			Source:     "AWS STS API Reference: AssumeRoleWithWebIdentity, WebIdentityToken; IAM User Guide: Create an OIDC identity provider",
			Algorithms: ecdsaOrPKCS1(), Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Issuer: SubjectRule{From: FromIssuer, Format: "an https URL in its normal form", Check: isIssuer}, Subject: SubjectRule{From: FromSubject},
			Audience:        AudienceRule{Form: AudienceString, Summary: "provider's audience", Description: "an audience of the IAM identity provider, usually sts.amazonaws.com"},
			OtherClaims:     true,
			DefaultLifetime: 5 * time.Minute, MaxLifetime: time.Hour,
			NotBefore: true, JTI: JTIRandom, Send: ipc.SendWebIdentity,
			Tested:   []string{"AWS's SDKs for Go and JavaScript with a server that checks like STS, test/interop TestAWSSDKs"},
			Register: "IAM, Identity providers: the audience and the issuer URL, which must serve the discovery document and the JWKS. The role's trust policy names both and the subject.",
			Example: Example{
				Settings: Settings{Alg: "ES256", Issuer: "https://id.example.com", Subject: "payments-api",
					Audiences: []string{"sts.amazonaws.com"}},
			},
		},
		{
			Name:       "google-workload-identity",
			Title:      "Google Cloud workload identity federation",
			Source:     "Google Cloud: Configure Workload Identity Federation with other identity providers; RFC 8693",
			Algorithms: []string{"ES256", "RS256"}, Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Issuer: SubjectRule{From: FromIssuer, Format: "an https URL in its normal form", Check: isIssuer}, Subject: SubjectRule{From: FromSubject},
			Audience:        AudienceRule{Form: AudienceString, Summary: "provider's audience", Description: "an allowed audience of the provider; by default its full resource name, //iam.googleapis.com/projects/…, with or without https:", Check: limited(256)},
			OtherClaims:     true,
			DefaultLifetime: 5 * time.Minute, MaxLifetime: time.Hour,
			JTI: JTIRandom, Send: ipc.SendTokenExchange,
			Tested:   []string{"Google's libraries for Go and Node with a server that checks like Google, test/interop TestGoogleExternalAccount"},
			Register: "IAM, Workload identity pools: an OIDC provider with the issuer URL or an uploaded JWKS, and a mapping for google.subject.",
			Example: Example{
				Settings: Settings{Alg: "ES256", Issuer: "https://id.example.com", Subject: "payments-api",
					Audiences: []string{"https://iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/prod/providers/assertd"}},
			},
		},
		{
			Name:       spiffeProfile,
			Title:      "SPIFFE JWT-SVID",
			Source:     "SPIFFE: The JWT SPIFFE Verifiable Identity Document, sections 2 to 5",
			Algorithms: withoutEdwards(), Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Issuer:          SubjectRule{From: FromIssuer, Optional: true},
			Subject:         SubjectRule{From: FromSubject, Format: "a SPIFFE ID such as spiffe://example.org/payments", Check: spiffeID},
			Audience:        AudienceRule{Form: AudienceString, Summary: "receiving service", Description: "the one service that receives it"},
			OtherClaims:     true,
			DefaultLifetime: 5 * time.Minute, MaxLifetime: time.Hour,
			JTI: JTIRandom, Send: ipc.SendBearer,
			Tested:   []string{"go-spiffe 2.9 with the bundle, test/interop TestGoSPIFFE", "go-jose 4.1 with the bundle, test/interop TestSPIFFEBundle"},
			Register: "The trust domain's bundle, with use jwt-svid: the daemon serves it at /.well-known/spiffe/<trust domain>.json, and assertd jwks --spiffe prints it. It has the keys of this profile's grants only.",
			Notes:    "The header has only alg, kid and typ. Keep the audience narrow: if it were the whole trust domain, each receiver could impersonate the caller.",
			Example: Example{
				Settings: Settings{Alg: "ES256", Subject: "spiffe://example.org/payments",
					Audiences: []string{"spiffe://example.org/reports"}},
			},
		},
		vaultRow("openbao-jwt", "OpenBao, JWT auth method", "OpenBao: JWT/OIDC auth method; API, JWT login"),
		vaultRow("vault-jwt", "HashiCorp Vault, JWT auth method", "Vault: JWT/OIDC auth method; API, JWT login"),
		{
			Name:       "kubernetes-jwt",
			Title:      "Kubernetes API server",
			Source:     "Kubernetes: Authenticating, Using Authentication Configuration (AuthenticationConfiguration, jwt)",
			Algorithms: withoutEdwards(), Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Issuer: SubjectRule{From: FromIssuer, Format: "an https URL in its normal form", Check: isIssuer}, Subject: SubjectRule{From: FromSubject},
			Audience:        AudienceRule{Form: AudienceString, Summary: "authenticator's audience", Description: "one of the audiences of the JWT authenticator"},
			OtherClaims:     true,
			DefaultLifetime: 5 * time.Minute, MaxLifetime: time.Hour,
			NotBefore: true, JTI: JTIRandom, Send: ipc.SendBearer,
			Tested:   []string{"client-go 0.37 with a server that checks like kube-apiserver, test/interop TestKubernetesExecPlugin"},
			Register: "AuthenticationConfiguration of kube-apiserver: the issuer's url and audiences, and claimMappings for the user name. The issuer must serve the discovery document and the JWKS.",
			Notes:    "assertctl exec-credential --format kubernetes makes it kubectl's credential. kube-apiserver refuses EdDSA and http issuers.",
			Example: Example{
				Settings: Settings{Alg: "ES256", Issuer: "https://id.example.com", Subject: "payments-api",
					Audiences: []string{"https://cluster.example.com"}},
				Listed: map[string]any{"groups": "deployers"},
			},
		},
	}
	for _, p := range rows {
		p.Family, p.Known = Federation, p.Name != spiffeProfile
	}
	return rows
}

// vaultRow is the row of OpenBao and of Vault, whose JWT auth methods are
// alike.
func vaultRow(name, title, source string) *Profile {
	return &Profile{
		Name: name, Title: title, Source: source,
		Algorithms: []string{"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA", "RS256", "RS384", "RS512"}, Typ: "JWT",
		KeyID: KeyIDAny, Delivery: DeliverJWKS,
		Issuer: SubjectRule{From: FromIssuer, Format: "the bound_issuer of the auth method"}, Subject: SubjectRule{From: FromSubject},
		Audience:        AudienceRule{Form: AudienceString, Summary: "role's audience", Description: "one of the bound_audiences of the role"},
		OtherClaims:     true,
		DefaultLifetime: time.Minute, MaxLifetime: time.Hour,
		NotBefore: true, JTI: JTIRandom, Send: ipc.SendVaultLogin,
		Register: "The auth method's jwks_url, or jwt_validation_pubkeys, and bound_issuer. A role of type jwt with bound_audiences, bound_subject and user_claim: sub.",
		Notes:    "assertctl token logs in: its URL is that of the method's login, and --param role=NAME names the role. The method knows EdDSA by that name only.",
		Example: Example{
			Settings: Settings{Alg: "ES256", Issuer: "https://id.example.com", Subject: "payments-api", Audiences: []string{"https://vault.example.com"}},
		},
	}
}
