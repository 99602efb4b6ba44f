package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// registered are the claims that the daemon alone sets (RFC 7519 section 4.1).
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// isRegistered ignores case, because receivers that use Go's encoding/json do: they would read "ISS" or "iſs" as iss.
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
	// An empty array is allowed only where it is listed: it would otherwise pass every list.
	array, ok := value.([]any)
	return ok && len(array) > 0 && allOf(array, a.allowsScalar)
}

func (a *allowedValues) allowsScalar(value any) bool {
	key, ok := scalar(value)
	return ok && a.scalars[key]
}

// allowsWords takes "read write" or ["read","write"]. Empty words, as between two spaces, are in no list.
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
		return len(value) > 0 && allOf(value, a.allowsScalar)
	}
	return false
}

func allOf(values []any, allowed func(any) bool) bool {
	return !slices.ContainsFunc(values, func(v any) bool { return !allowed(v) })
}

// checkClaim decides about one claim that the caller sent.
func (r *rule) checkClaim(name string, value any) *Refusal {
	if forced, ok := r.Force[name]; ok {
		if equal(forced, value) {
			return nil
		}
		return refuse(ClaimNotAllowed, "claim %s is set by grant %q itself, to another value; leave it out", clip(name), r.Name)
	}
	allowed, ok := r.allow[name]
	if !ok {
		return refuse(ClaimNotAllowed, "claim %s is not allowed by grant %q, %s", clip(name), r.Name, r.sendable())
	}
	if allowed.allows(value) {
		return nil
	}
	return refuse(ClaimNotAllowed, "grant %q does not allow this value of claim %q; %s", r.Name, name, allowed.describe())
}

// checkRequired wants a value other than null.
func (r *rule) checkRequired(name string, claims map[string]any) *Refusal {
	if claims[name] != nil || r.Force[name] != nil {
		return nil
	}
	allowed := r.allow[name]
	return refuse(ClaimRequired, "grant %q requires claim %q; send it: %s", r.Name, name, allowed.describe())
}

func (r *rule) checkClaims(ask *asked) *Refusal {
	for _, name := range ask.names {
		if refusal := r.checkClaim(name, ask.claims[name]); refusal != nil {
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

// merge adds the forced claims to those of the caller, all of which were checked.
func (r *rule) merge(claims map[string]any) map[string]any {
	merged := make(map[string]any, len(claims)+len(r.Force))
	maps.Copy(merged, claims)
	maps.Copy(merged, r.Force)
	return merged
}

func (r *rule) sendable() string {
	names := sortedNames(r.Allow)
	if len(names) == 0 {
		return "which allows none; leave it out"
	}
	return fmt.Sprintf("which allows %s; leave it out", enumerate(names))
}

func (a *allowedValues) describe() string {
	switch {
	case a.any:
		return "any value is allowed"
	case len(a.list) == 0:
		return "no value is allowed"
	case a.words:
		return "allowed words, separated by single spaces, are " + enumerate(formatValues(a.list))
	}
	return "allowed values are " + enumerate(formatValues(a.list))
}

// sortedNames gives an order, so that of several refusals it is always the same one that is reported.
func sortedNames[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
