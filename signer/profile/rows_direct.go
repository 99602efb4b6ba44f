package profile

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// directRows are the profiles of JWTs that are themselves the credential for an
// API.
func directRows() []*Profile {
	rows := append(cloudRows(), appleRows()...)
	for _, p := range rows {
		p.Family, p.JTI, p.Known = Direct, JTINone, true
	}
	return rows
}

func cloudRows() []*Profile {
	return []*Profile{
		{
			Name:       "google-self-signed",
			Title:      "Google APIs, self-signed JWT",
			Source:     "Google AIP-4111: Self-signed JWT; Using OAuth 2.0 for Server to Server Applications, addendum",
			Algorithms: []string{"RS256"}, Typ: "JWT", KeyID: KeyIDFromReceiver, Delivery: DeliverUpload,
			Issuer:          SubjectRule{From: FromIssuer, Format: "the service account's email address", Check: emailAddress},
			Subject:         SubjectRule{From: FromIssuer},
			Audience:        AudienceRule{Form: AudienceString, Summary: "https://API host/", Description: "https://, the API's host and one slash", Check: hostURL},
			DefaultLifetime: time.Hour, MaxLifetime: time.Hour, ExactLifetime: true,
			Send:     ipc.SendBearer,
			Register: "Same as google-service-account.",
			Notes:    "Google refuses a JWT with both aud and scope, so a grant can't allow scope here.",
			Example: Example{
				Settings: Settings{Alg: "RS256", Issuer: "batch@project.iam.gserviceaccount.com", KeyID: "370ab79b4513eb9bad7c9bd16a95cb76b5b2a56a",
					Audiences: []string{"https://pubsub.googleapis.com/"}},
			},
		},
		{
			Name:       "github-app",
			Title:      "GitHub App",
			Source:     "GitHub Docs: Generating a JSON Web Token (JWT) for a GitHub App; gr2m/universal-github-app-jwt",
			Algorithms: []string{"RS256"}, Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverImport,
			Issuer:          SubjectRule{From: FromClientID, Format: "the app's client ID"},
			Audience:        AudienceRule{Form: AudienceNone},
			DefaultLifetime: 6 * time.Minute, MaxLifetime: 10 * time.Minute, BackDate: time.Minute,
			Send:     ipc.SendBearer,
			Tested:   []string{"ghinstallation 2.19 with a server that checks like GitHub, test/interop TestImportedGitHubAppKey"},
			Register: "GitHub generates the key: app settings, Private keys, Generate. Put it into the HSM with assertd key import, and destroy the file.",
			Notes:    "iat is 60 s in the past to allow for clock drift, and exp at most 10 minutes after iat.",
			Example:  Example{Settings: Settings{Alg: "RS256", ClientID: "Iv23liExample"}},
		},
		{
			Name:       "snowflake",
			Title:      "Snowflake key-pair authentication",
			Source:     "Snowflake: Authenticating Snowflake REST APIs with Snowflake, Generate a JWT token",
			Algorithms: []string{"RS256"}, Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverUpload,
			Issuer:          SubjectRule{From: FromSubjectKey, Format: snowflakeUserFormat, Check: snowflakeUser},
			Subject:         SubjectRule{From: FromSubjectUpper, Format: snowflakeUserFormat, Check: snowflakeUser},
			Audience:        AudienceRule{Form: AudienceNone},
			DefaultLifetime: 5 * time.Minute, MaxLifetime: time.Hour,
			Send:     ipc.SendBearer,
			Register: "ALTER USER … SET RSA_PUBLIC_KEY. Use RSA_PUBLIC_KEY_2 for the next key during a rotation. DESCRIBE USER shows the same fingerprint as iss.",
			Notes:    "assertd converts subject to upper case. Write an account locator without its region. Send the header X-Snowflake-Authorization-Token-Type: KEYPAIR_JWT.",
			Example:  Example{Settings: Settings{Alg: "RS256", Subject: "MYORG-ACCOUNT123.SVC_PAYMENTS"}},
		},
		{
			Name:       "coinbase-cdp",
			Title:      "Coinbase Developer Platform",
			Source:     "Coinbase Developer Docs: JWT Authentication; coinbase/cdp-sdk typescript/src/auth/utils/jwt.ts",
			Algorithms: []string{"EdDSA", "ES256"}, Typ: "JWT", Header: []HeaderParam{ParamNonce}, KeyID: KeyIDFromReceiver, Delivery: DeliverImport,
			Issuer:   SubjectRule{From: FromLiteral, Literal: "cdp"},
			Subject:  SubjectRule{From: FromKeyID},
			Audience: literalAudience(AudienceArray, "cdp_service"),
			Claims: []ClaimRule{
				{Name: "uris", Format: `a list of "METHOD host/path" strings`, Normalize: requestLines},
			},
			DefaultLifetime: 2 * time.Minute, MaxLifetime: 2 * time.Minute, NotBefore: true,
			Send:     ipc.SendBearer,
			Register: "CDP portal, API keys: Coinbase generates the key. Put it into the HSM with assertd key import. key_id is the key's ID or full name.",
			Notes:    "Every REST request needs its own uris; a WebSocket has none.",
			Example: Example{
				Settings: Settings{Alg: "EdDSA", KeyID: "f2b0a1c4-5d6e-4f70-8a91-b2c3d4e5f607"},
				Free:     map[string]any{"uris": []any{"GET api.cdp.coinbase.com/platform/v2/evm/accounts"}},
			},
		},
	}
}

func appleRows() []*Profile {
	return []*Profile{
		{
			Name:       "apple-client-secret",
			Title:      "Sign in with Apple, client secret",
			Source:     "Apple Developer: Creating a client secret",
			Algorithms: []string{"ES256"}, KeyID: KeyIDFromReceiver, Delivery: DeliverImport,
			Issuer:          SubjectRule{From: FromIssuer, Format: "the 10-character team ID", Check: tenCharacters},
			Subject:         SubjectRule{From: FromClientID, Format: "the app ID or services ID"},
			Audience:        literalAudience(AudienceString, "https://appleid.apple.com"),
			DefaultLifetime: 5 * time.Minute, MaxLifetime: 15777000 * time.Second,
			Send:     ipc.SendClientSecret,
			Register: "Apple generates the key: Certificates, Identifiers & Profiles, Keys. Put the .p8 file into the HSM with assertd key import. key_id is its 10-character ID.",
			Notes:    "Apple accepts up to six months. Instead, get a fresh secret for each token request.",
			Example: Example{
				Settings: Settings{Alg: "ES256", ClientID: "com.example.web", Issuer: "DEF123GHIJ", KeyID: "ABC123DEFG"},
			},
		},
		{
			Name:       "app-store-connect",
			Title:      "App Store Connect API, App Store Server API",
			Source:     "Apple Developer: Generating Tokens for API Requests; Generating JSON Web Tokens for API requests",
			Algorithms: []string{"ES256"}, Typ: "JWT", KeyID: KeyIDFromReceiver, Delivery: DeliverImport,
			Issuer:   SubjectRule{From: FromIssuer, Format: "the issuer ID from the API keys page"},
			Audience: literalAudience(AudienceString, "appstoreconnect-v1"),
			Claims: []ClaimRule{
				{Name: "bid", Format: "the app's bundle ID as a string", Normalize: nonEmptyString},
				{Name: "scope", Format: `a list of "METHOD /path" strings`, Normalize: stringList},
			},
			DefaultLifetime: 5 * time.Minute, MaxLifetime: 20 * time.Minute,
			Send:     ipc.SendBearer,
			Register: "Apple generates the key: Users and Access, Integrations. Put the .p8 file into the HSM with assertd key import. key_id is its ID. Only team keys work.",
			Notes:    "bid is only for the App Store Server API. scope limits an App Store Connect token to the listed requests.",
			Example: Example{
				Settings: Settings{Alg: "ES256", Issuer: "57246542-96fe-1a63-e053-0824d011072a", KeyID: "2X9R4HXF34"},
				Free:     map[string]any{"scope": []any{"GET /v1/apps?filter[platform]=IOS"}},
			},
		},
	}
}
