package policy

import "unicode/utf8"

func checkReserved(names []string) *Refusal {
	for _, name := range names {
		if isRegistered(name) {
			return refuse(ClaimReserved, "Claim %s is reserved for assertd, in upper or lower case. Leave it out.",
				quoteShort(name))
		}
	}
	return nil
}

func checkClaimSyntax(req *Request) *Refusal {
	_, refusal := normalizeClaims(sortedNames(req.Claims), req.Claims)
	return refusal
}

// normalizeClaims copies the claims that can be normalized, and refuses the
// first that can't.
func normalizeClaims(names []string, claims map[string]any) (map[string]any, *Refusal) {
	if len(claims) == 0 {
		return nil, nil
	}
	normalized := make(map[string]any, len(claims))
	var first *Refusal
	for _, name := range names {
		value, err := normalize(claims[name], maxDepth)
		switch {
		case err == nil:
			normalized[name] = value
		case first == nil:
			first = refuse(ClaimNotAllowed, "Claim %s %v. Send a plain JSON value, at most %d levels deep.",
				quoteShort(name), err, maxDepth)
		}
	}
	return normalized, first
}

func checkAudienceSyntax(req *Request) *Refusal {
	if len(req.Audience) > maxAudience {
		return refuse(AudienceNotAllowed, "The audience has %d bytes. The maximum is %d.", len(req.Audience), maxAudience)
	}
	if !utf8.ValidString(req.Audience) {
		return refuse(AudienceNotAllowed, "The audience is not valid UTF-8. Send it exactly as the grant lists it.")
	}
	return nil
}

func checkLifetimeSyntax(req *Request) *Refusal {
	if req.Lifetime != 0 && !wholeSeconds(req.Lifetime) {
		return refuse(LifetimeNotAllowed, "A lifetime of %v is not valid. Ask for whole seconds, at least 1, "+
			"or leave the lifetime out to get the grant's default.", req.Lifetime)
	}
	return nil
}
