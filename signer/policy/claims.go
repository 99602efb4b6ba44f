package policy

import (
	"fmt"
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
	case a.eachOf:
		return a.allowsArray(value)
	}
	return a.allowsScalar(value) || slices.ContainsFunc(a.nested, func(v any) bool { return equal(v, value) })
}

func (a *allowedValues) allowsScalar(value any) bool {
	key, ok := scalar(value)
	return ok && a.scalars[key]
}

// allowsWords accepts "read write". No list contains the empty word, such as
// the one between two spaces.
func (a *allowedValues) allowsWords(value any) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	for word := range strings.SplitSeq(text, " ") {
		if !a.scalars[word] {
			return false
		}
	}
	return true
}

// allowsArray accepts ["read","write"] with as many items as the grant allows.
// An item that is there twice would tell a receiver nothing.
func (a *allowedValues) allowsArray(value any) bool {
	array, ok := value.([]any)
	if !ok || len(array) == 0 || len(array) > a.maxItems {
		return false
	}
	for i, item := range array {
		repeated := slices.ContainsFunc(array[:i], func(v any) bool { return equal(v, item) })
		if repeated || !a.allowsScalar(item) {
			return false
		}
	}
	return true
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
	case a.eachOf && a.maxItems == 1:
		return "an array with one of " + values
	case a.eachOf:
		return fmt.Sprintf("an array of 1 to %d of %s, each at most once", a.maxItems, values)
	}
	return values
}

// sortedNames fixes the order of checks, so that of several refusals the same
// one is always reported.
func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
