package policy

import (
	"maps"
	"slices"
	"strings"
)

// registered lists the claims that only the daemon sets (RFC 7519 section 4.1).
// signer/profile checks against a list of its own, on purpose: one wrong list
// must not be enough to let a caller set a registered claim.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// Registered lists the claims that only the daemon sets.
func Registered() []string { return slices.Clone(registered) }

// isRegistered ignores case because receivers that use Go's encoding/json do:
// they would read "ISS" or "iſs" as iss.
func isRegistered(name string) bool {
	return slices.ContainsFunc(registered, func(r string) bool { return strings.EqualFold(r, name) })
}

// allows reports whether a normalized value is in the list.
func (a *allowedValues) allows(value any) bool {
	switch {
	case a.any:
		return true
	case a.words:
		return a.allowsWords(value)
	}
	if a.allowsScalar(value) || slices.ContainsFunc(a.nested, func(v any) bool { return equal(v, value) }) {
		return true
	}
	// Otherwise an empty array would pass every list.
	array, ok := value.([]any)
	return ok && len(array) > 0 && a.allowsAll(array)
}

func (a *allowedValues) allowsScalar(value any) bool {
	key, ok := scalar(value)
	return ok && a.scalars[key]
}

func (a *allowedValues) allowsAll(values []any) bool {
	return !slices.ContainsFunc(values, func(v any) bool { return !a.allowsScalar(v) })
}

// allowsWords accepts "read write" or ["read","write"]. No list contains the
// empty word, such as the one between two spaces.
func (a *allowedValues) allowsWords(value any) bool {
	switch value := value.(type) {
	case string:
		for word := range strings.SplitSeq(value, " ") {
			if !a.scalars[word] {
				return false
			}
		}
		return true
	case []any:
		return len(value) > 0 && a.allowsAll(value)
	}
	return false
}

// checkClaim checks one claim that the caller sent.
func (r *rule) checkClaim(name string, value any) *Refusal {
	if forced, ok := r.Force[name]; ok {
		if equal(forced, value) {
			return nil
		}
		return refuse(ClaimNotAllowed, "Grant %q sets claim %s itself, to a different value. Leave the claim out.",
			r.Name, quoteShort(name))
	}
	allowed, ok := r.allow[name]
	if !ok {
		return refuse(ClaimNotAllowed, "Grant %q does not allow claim %s. It allows %s. Leave the claim out.",
			r.Name, quoteShort(name), r.allowedClaims())
	}
	if allowed.allows(value) {
		return nil
	}
	return refuse(ClaimNotAllowed, "Grant %q does not allow this value of claim %q. It allows %s.",
		r.Name, name, allowed.describe())
}

// checkRequired refuses a claim that is missing or null.
func (r *rule) checkRequired(name string, claims map[string]any) *Refusal {
	if claims[name] != nil || r.Force[name] != nil {
		return nil
	}
	allowed := r.allow[name]
	return refuse(ClaimRequired, "Grant %q requires claim %q. Add it to the request. The grant allows %s.",
		r.Name, name, allowed.describe())
}

func (r *rule) checkClaims(req *normalizedRequest) *Refusal {
	for _, name := range req.names {
		if refusal := r.checkClaim(name, req.Claims[name]); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (r *rule) checkRequirements(claims map[string]any) *Refusal {
	for _, name := range r.Require {
		if refusal := r.checkRequired(name, claims); refusal != nil {
			return refusal
		}
	}
	return nil
}

// merge adds the forced claims to the caller's, all of which have been checked.
func (r *rule) merge(claims map[string]any) map[string]any {
	merged := make(map[string]any, len(claims)+len(r.Force))
	maps.Copy(merged, claims)
	maps.Copy(merged, r.Force)
	return merged
}

func (r *rule) allowedClaims() string {
	if len(r.Allow) == 0 {
		return "no claims"
	}
	return enumerate(sortedNames(r.Allow))
}

// describe follows "allows" or "want" in messages.
func (a *allowedValues) describe() string {
	values := enumerate(formatValues(a.list))
	switch {
	case a.any:
		return "any value"
	case len(a.list) == 0:
		return "no value"
	case a.words:
		return "the words " + values + ", separated by single spaces"
	}
	return values
}

// sortedNames fixes the order of checks, so that of several refusals the same
// one is always reported.
func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
