package profile

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// customRows is the one profile for receivers without a row of their own.
func customRows() []*Profile {
	return []*Profile{{
		Name: "custom", Family: Custom,
		Title:      "Any other receiver",
		Source:     "RFC 7519 section 4.1",
		Algorithms: allAlgorithms(), Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
		Issuer:          SubjectRule{From: FromIssuer},
		Subject:         SubjectRule{From: FromSubject, Optional: true},
		Audience:        AudienceRule{Form: AudienceString, Summary: "receiver's name", Description: "the name that the receiver uses for itself"},
		OtherClaims:     true,
		DefaultLifetime: time.Minute, MaxLifetime: time.Hour,
		BackDate: leeway, NotBefore: true, JTI: JTIRandom, Send: ipc.SendCustom,
		Register: "Whatever the receiver asks for: the JWKS URL, the JWKS or the public key.",
		Notes:    "The usual rules apply: one audience from the grant, no registered claims from the caller, no header parameters from anyone.",
		Example: Example{
			Settings: Settings{Alg: "ES256", Issuer: "https://id.example.com", Subject: "payments-api",
				Audiences: []string{"urn:example:ledger"}},
			Listed: map[string]any{"tier": "gold"},
		},
	}}
}
