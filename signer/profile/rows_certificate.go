package profile

import "time"

// certificateClientRows are the profiles for client authentication where the
// header carries the certificate chain, so that no key is registered: the
// receiver trusts the CA.
func certificateClientRows() []*Profile {
	return []*Profile{
		{
			Name:       "entra-subject-issuer",
			Title:      "Microsoft Entra ID by subject name and issuer",
			Source:     "Microsoft Learn: Subject Name/Issuer (SNI) authentication with MSAL Node; application authentication certificate credentials",
			Algorithms: []string{"PS256"}, Typ: "JWT", Header: []HeaderParam{ParamX5TS256, ParamX5C}, KeyID: KeyIDAny, Delivery: DeliverHeader,
			Audience:        AudienceRule{Form: AudienceString, Summary: "tenant's token URL", Description: entraTokenURLFormat, Check: entraTokenURL},
			DefaultLifetime: 5 * time.Minute, MaxLifetime: 10 * time.Minute,
			NotBefore: true, JTI: JTIUUID,
			Register: "The app's trusted issuer and subject name. Microsoft describes this mode for its own applications.",
			Notes:    "The certificate can be renewed without an upload, because Entra goes by its subject and its CA. Store the whole chain.",
			Example: Example{
				Settings: Settings{Alg: "PS256", ClientID: "6731de76-14a6-49ae-97bc-6eba6914391e",
					Audiences: []string{"https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"}},
			},
		},
		{
			Name:       "udap",
			Title:      "UDAP (FHIR)",
			Source:     "HL7 FHIR: Security for Scalable Registration, Authentication, and Authorization (UDAP Security) sections 5.3 and 7.1; UDAP JWT-Based Client Authentication section 4",
			Algorithms: []string{"RS256", "ES256", "RS384", "ES384"}, Header: []HeaderParam{ParamX5C}, KeyID: KeyIDNone, Delivery: DeliverHeader,
			Audience:        tokenAudience(),
			OtherClaims:     true,
			DefaultLifetime: time.Minute, MaxLifetime: 5 * time.Minute, BackDate: leeway, JTI: JTIRandom,
			Register: "UDAP dynamic registration with a certificate of the trust community; the server answers with the client_id.",
			Notes:    "Send the parameter udap=1 with the token request. With client credentials, the server wants the claim extensions with hl7-b2b.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "s6BhdRkqt3",
					Audiences:    []string{"https://fhir.example.org/oauth2/token"},
					ForcedClaims: map[string]any{"extensions": map[string]any{"hl7-b2b": map[string]any{"version": "1", "organization_id": "https://clinic.example.org"}}}},
			},
		},
		{
			Name:       "ishare",
			Title:      "iSHARE",
			Source:     "iSHARE Developer Portal: iSHARE JWT; Client Assertion",
			Algorithms: []string{"RS256", "RS384", "RS512"}, Typ: "JWT", Header: []HeaderParam{ParamX5C}, KeyID: KeyIDNone, Delivery: DeliverHeader,
			Audience:        AudienceRule{Form: AudienceString, Summary: "party identifier", Description: "the party identifier of the server, such as EU.EORI.NL000000000"},
			DefaultLifetime: 30 * time.Second, MaxLifetime: 30 * time.Second, ExactLifetime: true, JTI: JTIUUID,
			Register: "The iSHARE participant registry. The certificate's CA must be on the iSHARE trusted list.",
			Notes:    "The chain must be complete, with the root last. client_id is the client's own party identifier. Send it as client_id too, with scope iSHARE.",
			Example: Example{
				Settings: Settings{Alg: "RS256", ClientID: "EU.EORI.NL123456789", Audiences: []string{"EU.EORI.NL987654321"}},
			},
		},
	}
}
