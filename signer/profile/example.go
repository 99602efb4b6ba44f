package profile

// Example is a grant of the documentation, and its key set's algorithm.
type Example struct {
	Alg                              string
	ClientID, Issuer, Subject, KeyID string
	Audiences                        []string
	// Allow are claims that the caller chooses, with the values that it sends
	// in the example; Set are the grant's own.
	Allow, Set map[string]any
}

// settings are the example as the configuration would hand it to Check.
func (e Example) settings(p *Profile) Settings {
	return p.Complete(Settings{
		Alg: e.Alg, ClientID: e.ClientID, Issuer: e.Issuer, Subject: e.Subject, KeyID: e.KeyID,
		Audiences: e.Audiences, AllowedClaims: sortedNames(e.Allow), ForcedClaims: e.Set,
		HasCertificate: p.needsCertificate(),
	})
}

// input is what a request for the example hands to Build, without the clock,
// the randomness and the key.
func (e Example) input(p *Profile) Input {
	settings := e.settings(p)
	in := Input{
		Alg: e.Alg, Kid: e.KeyID, ClientID: e.ClientID, Issuer: e.Issuer, Subject: e.Subject,
		Lifetime: settings.DefaultLifetime, Claims: map[string]any{},
	}
	if len(settings.Audiences) > 0 {
		in.Audience = settings.Audiences[0]
	}
	for _, claims := range []map[string]any{e.Allow, e.Set} {
		for name, value := range claims {
			in.Claims[name] = value
		}
	}
	return in
}
