package profile

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// customRows hold the one profile for receivers that have no row.
func customRows() []*Profile {
	return []*Profile{{
		Name: "custom", Family: Custom,
		Title:      "A receiver without a row",
		Source:     "RFC 7519 section 4.1",
		Algorithms: allAlgorithms(), Typ: "JWT", KeyID: KeyIDAny, Delivery: DeliverJWKS,
		Issuer:          SubjectRule{From: FromIssuer},
		Subject:         SubjectRule{From: FromSubject, Optional: true},
		Audience:        AudienceRule{Form: AudienceString, Summary: "receiver's name", Description: "what the receiver calls itself"},
		OtherClaims:     true,
		DefaultLifetime: time.Minute, MaxLifetime: time.Hour,
		NotBefore: true, JTI: JTIRandom, Send: ipc.SendCustom,
		Register: "As the receiver says: the JWKS URL, the JWKS or the public key.",
		Notes:    "The guards hold as everywhere: one audience out of the grant's, no registered claim from the caller, no header member from anybody.",
		Example: Example{
			Settings: Settings{Alg: "ES256", Issuer: "https://id.example.com", Subject: "payments-api",
				Audiences: []string{"urn:example:ledger"}},
			Listed: map[string]any{"tier": "gold"},
		},
	}}
}
