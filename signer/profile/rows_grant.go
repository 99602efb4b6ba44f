package profile

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// grantRows are the profiles of assertions that are themselves the
// authorization grant: the token endpoint returns an access token for the
// subject.
func grantRows() []*Profile {
	rows := []*Profile{
		{
			Name:       "jwt-bearer",
			Title:      "Any server that supports the JWT bearer grant",
			Source:     "RFC 7523 sections 2.1 and 3",
			Algorithms: classicAlgorithms(), KeyID: KeyIDAny, Delivery: DeliverJWKS,
			Issuer: SubjectRule{From: FromIssuer}, Subject: SubjectRule{From: FromSubject},
			Audience:        issuerOrTokenAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: time.Hour,
			BackDate: leeway, NotBefore: true, JTI: JTIRandom,
			Tested:   []string{"Fosite 0.49, test/interop TestFositeBearerGrant", "zitadel/oidc 3.52, test/interop TestZITADELProvider"},
			Register: "The server's list of trusted issuers: the issuer, the JWKS URL, and the subjects that it may act for.",
			Example: Example{
				Settings: Settings{Alg: "ES256", Issuer: "https://id.example.com", Subject: "batch-7",
					Audiences: []string{"https://as.example.com/token"}},
			},
		},
		{
			Name:       "google-service-account",
			Title:      "Google service account, OAuth 2.0",
			Source:     "Google: Using OAuth 2.0 for Server to Server Applications, HTTP/REST",
			Algorithms: []string{"RS256"}, Typ: "JWT", KeyID: KeyIDFromReceiver, Delivery: DeliverUpload,
			Issuer:   SubjectRule{From: FromIssuer, Format: "the service account's email address", Check: emailAddress},
			Subject:  SubjectRule{From: FromSubject, Optional: true, Format: "the user's email address", Check: emailAddress},
			Audience: literalAudience(AudienceString, "https://oauth2.googleapis.com/token"),
			Claims: []ClaimRule{
				{Name: "scope", Format: "the scopes as one space-separated string", Normalize: nonEmptyString},
				{Name: "target_audience", Format: "the audience of an ID token as a string", Normalize: nonEmptyString},
			},
			DefaultLifetime: time.Minute, MaxLifetime: time.Hour, JTI: JTINone,
			Register: "Cloud console, or gcloud iam service-accounts keys upload: the key's X.509 certificate. Google returns the key ID for key_id.",
			Notes:    "Set subject only with domain-wide delegation. Allow scope for access tokens, target_audience for ID tokens.",
			Example: Example{
				Settings: Settings{Alg: "RS256", Issuer: "batch@project.iam.gserviceaccount.com", KeyID: "370ab79b4513eb9bad7c9bd16a95cb76b5b2a56a"},
				Listed:   map[string]any{"scope": "https://www.googleapis.com/auth/devstorage.read_only"},
			},
		},
		{
			Name:       "salesforce",
			Title:      "Salesforce",
			Source:     "Salesforce Help: OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration",
			Algorithms: []string{"RS256"}, KeyID: KeyIDAny, Delivery: DeliverUpload,
			Issuer:          SubjectRule{From: FromClientID, Format: "the consumer key"},
			Subject:         SubjectRule{From: FromSubject, Format: "the user's username"},
			Audience:        AudienceRule{Form: AudienceString, Summary: "login URL", Description: "https://login.salesforce.com, https://test.salesforce.com or the site URL", Check: plainURL},
			DefaultLifetime: time.Minute, MaxLifetime: 2 * time.Minute, JTI: JTIRandom,
			Register: "External client app or connected app, Use digital signatures: the key's X.509 certificate. Pre-authorize the user's profile.",
			Notes:    "Salesforce allows 3 minutes of clock skew on exp, and refuses a jti that it has already seen.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "3MVG99OxTyEMCQ3g", Subject: "integration@example.com",
					Audiences: []string{"https://login.salesforce.com"}},
			},
		},
		{
			Name:       "box",
			Title:      "Box",
			Source:     "Box Developer: JWT without SDKs",
			Algorithms: []string{"RS512", "RS384", "RS256"}, Typ: "JWT", KeyID: KeyIDFromReceiver, Delivery: DeliverUpload,
			Issuer:   SubjectRule{From: FromClientID},
			Subject:  SubjectRule{From: FromSubject, Format: "the enterprise ID or user ID"},
			Audience: literalAudience(AudienceString, "https://api.box.com/oauth2/token"),
			Claims: []ClaimRule{
				{Name: "box_sub_type", Required: true, Format: "enterprise or user", Normalize: oneOf("enterprise", "user")},
			},
			DefaultLifetime: 45 * time.Second, MaxLifetime: time.Minute, JTI: JTIRandom,
			Register: "Developer console, the app's configuration, Add and manage public keys: the public key as PEM. Box returns the key ID for key_id.",
			Notes:    "Box requires a jti of 16 to 128 characters; assertd's has 22. The default lifetime leaves 15 s for a clock that runs fast.",
			Example: Example{
				Settings: Settings{Alg: "RS512", ClientID: "abc123", Subject: "998877", KeyID: "d4k9x2m1",
					ForcedClaims: map[string]any{"box_sub_type": "enterprise"}},
			},
		},
		{
			Name:       "docusign",
			Title:      "Docusign",
			Source:     "Docusign Developer: How to get an access token with JWT Grant",
			Algorithms: []string{"RS256"}, Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverUpload,
			Issuer:   SubjectRule{From: FromClientID, Format: "the integration key"},
			Subject:  SubjectRule{From: FromSubject, Format: "the ID of the impersonated user"},
			Audience: AudienceRule{Form: AudienceString, Summary: "account host", Description: "account.docusign.com or account-d.docusign.com, without https://", Check: hostOnly},
			Claims: []ClaimRule{
				{Name: "scope", Required: true, Format: "the scopes as one space-separated string", Normalize: nonEmptyString},
			},
			DefaultLifetime: 5 * time.Minute, MaxLifetime: time.Hour, JTI: JTINone,
			Register: "Apps and Keys, the app's Service Integration: upload the RSA public key. Every user must consent to impersonation once.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "7c2b8d7e-83c3-4940-af5e-cda8a50dd73f", Subject: "464f7988-86ef-4da2-ba61-0f6ccf14cb51",
					Audiences:    []string{"account.docusign.com"},
					ForcedClaims: map[string]any{"scope": "signature impersonation"}},
			},
		},
		maskinportenRow(Profile{
			Name: "maskinporten", Title: "Maskinporten, registered key", KeyID: KeyIDFromReceiver, Delivery: DeliverUpload,
			Register: "The client's keys in Samarbeidsportalen or its API: the public JWK with the kid that you choose.",
			Notes:    "Maskinporten refuses an iat more than 10 s from its own clock, and an exp more than 120 s after iat.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "b0d5a1f2-7c1e-4f0a-9a44-1d2f3e4a5b6c", KeyID: "payments-2027", Audiences: []string{"https://maskinporten.no/"}},
				Listed:   map[string]any{"scope": "example:read"},
			},
		}),
		maskinportenRow(Profile{
			Name: "maskinporten-certificate", Title: "Maskinporten, business certificate", Header: []HeaderParam{ParamX5C}, KeyID: KeyIDNone, Delivery: DeliverHeader,
			Register: "Nothing: the certificate (virksomhetssertifikat) names the organization.",
			Notes:    "Maskinporten refuses an iat more than 10 s from its own clock, and an exp more than 120 s after iat. Store the whole chain.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "b0d5a1f2-7c1e-4f0a-9a44-1d2f3e4a5b6c", Audiences: []string{"https://maskinporten.no/"}},
				Listed:   map[string]any{"scope": "example:read"},
			},
		}),
	}
	for _, p := range rows {
		p.Family, p.Send, p.Known = Grants, ipc.SendGrant, p.Name != "jwt-bearer"
	}
	return rows
}

// maskinportenRow fills in what Maskinporten wants of a client whatever
// identifies its key.
func maskinportenRow(row Profile) *Profile {
	row.Source = "Digdir: Maskinporten, JWT grant"
	row.Algorithms = []string{"RS256", "RS384", "RS512"}
	row.Issuer = SubjectRule{From: FromClientID, Format: "the client ID"}
	row.Audience = AudienceRule{
		Form: AudienceString, Summary: "Maskinporten's issuer",
		Description: "the issuer of the environment, with its slash; in production https://maskinporten.no/", Check: hostURL,
	}
	row.Claims = []ClaimRule{
		{Name: "scope", Required: true, Format: "the scopes as one space-separated string", Normalize: nonEmptyString},
		{Name: "resource", Format: "a list of API identifiers", Normalize: stringList},
	}
	row.OtherClaims = true
	row.DefaultLifetime, row.MaxLifetime, row.MaxBackDate, row.JTI = time.Minute, 2*time.Minute, 5*time.Second, JTIRandom
	return &row
}
